"""What a second command may do to a folder: go on with the run that began there, and lose nothing unasked."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bertie.core.errors import BertieError, DataError, Stopped, UsageError
from bertie.training.hooks import Hook, Step
from bertie.workflow.request import TrainRequest
from bertie.workflow.train import TrainResult, run_training
from tests.workflow.rows import write

SETTINGS = (
    *("training.epochs=2", "training.optimizer.rate=1e-3", "training.trackers=[]", "training.save_steps=3"),
    "training.dtype=float32",  # what auto measures may differ from one run to the next where others use the machine
)


class StopAt(Hook):
    """Asks for a stop as Ctrl-C and `kill` do."""

    def __init__(self, step: int) -> None:
        self.step = step

    def after_step(self, step: Step) -> None:
        if step.number == self.step:
            os.kill(os.getpid(), signal.SIGTERM)


def train(request: TrainRequest) -> TrainResult:
    return run_training(request, lambda line: None)


@pytest.fixture(scope="module")
def stopped(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrainRequest]:
    """A training of two epochs that was stopped in its second one."""
    folder = tmp_path_factory.mktemp("stopped")
    data = str(write(folder / "data.csv", 120))
    request = TrainRequest(data=data, model=str(tiny_model), out=folder / "m", overrides=SETTINGS, budget="10m")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bertie.workflow.train.reporters", lambda training, run: [StopAt(17)])
        with pytest.raises(Stopped) as caught:
            train(request)
    assert caught.value.exit_code == 128 + signal.SIGTERM
    yield request


@pytest.fixture
def again(stopped: TrainRequest, tmp_path: Path) -> TrainRequest:
    """The same command on a copy of the folder."""
    shutil.copytree(stopped.folder, tmp_path / "m")
    return replace(stopped, out=tmp_path / "m")


def sums(result: TrainResult) -> dict[str, str]:
    found = json.loads((result.folder / "checksums.json").read_text())
    return {name: found[name] for name in ("model/model.safetensors", "head.safetensors", "golden.json")}


def content(folder: Path) -> dict[str, bytes]:
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "lock")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def refused(request: TrainRequest, kind: type[BertieError], words: str) -> None:
    before = content(request.folder)
    with pytest.raises(kind, match=words):
        train(request)
    assert content(request.folder) == before


def test_stopped_and_resumed_equals_one_go(again: TrainRequest, tmp_path: Path) -> None:
    assert (again.folder / "run" / "checkpoints" / "step-00000017").is_dir()
    sessions = again.folder / "run" / "sessions.json"
    assert json.loads(sessions.read_text())["preparing"] > 0.0
    sessions.write_text('{"preparing": 1000.0}')
    resumed = train(replace(again, resume=True))
    assert resumed.evaluation["seconds"] > 1000.0, "of all sessions"
    straight = train(replace(again, out=tmp_path / "straight"))
    assert sums(resumed) == sums(straight)
    assert content(resumed.folder)["run/log.jsonl"] == content(straight.folder)["run/log.jsonl"]
    assert resumed.evaluation["metrics"] == straight.evaluation["metrics"]


def test_an_unfinished_run_is_lost_only_where_somebody_says_so(again: TrainRequest) -> None:
    refused(again, UsageError, "m: holds a run without its bundle, .* go on with --resume, or lose it .* --overwrite")
    result = train(replace(again, overwrite=True))
    assert json.loads((result.folder / "run" / "result.json").read_text())["end"] == "epochs"


def test_overwrite_clears_nothing_before_the_data_were_read(again: TrainRequest, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("text,label\ngood,a\nbad,a\n")
    refused(replace(again, overwrite=True, data=str(tmp_path / "bad.csv")), DataError, "only the label 'a'")


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("max_length=32", "max_length was 0, now it is 32"),
        ("attention_dropout=0.1", r"attention_dropout was 0\.0, now it is 0\.1"),
        ("dropout=0", r"dropout was None, now it is 0\.0"),
        ("linear_start=false", "linear_start was True, now it is False"),
        ("task.loss=focal", "task.loss was None, now it is 'focal'"),
        ("training.epochs=4", "training.epochs was 2, now it is 4"),
        ("training.seed=7", "the train and dev and test rows are not those"),
    ],
)
def test_a_resume_says_which_setting_has_changed(setting: str, words: str, again: TrainRequest) -> None:
    kind = DataError if "rows" in words else UsageError
    refused(replace(again, resume=True, overrides=(*SETTINGS, setting)), kind, words)


def test_a_resume_says_that_the_model_is_another(again: TrainRequest, tiny_model: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_model, tmp_path / "other")
    refused(
        replace(again, resume=True, model=str(tmp_path / "other")), UsageError, "model was '.*', now it is '.*other'"
    )


def test_other_names_of_the_model_and_free_settings_go_on(
    again: TrainRequest, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny_model.parent)
    free = (*SETTINGS, "training.save_steps=0", "training.progress=never")
    assert train(replace(again, resume=True, model=tiny_model.name, overrides=free)).folder == again.folder


def plan(request: TrainRequest) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((request.folder / "run" / "plan.json").read_text())
    return found


@pytest.mark.parametrize(("budget", "more"), [(None, 0.0), ("600s", 0.0), ("20m", 600.0)])
def test_a_resume_keeps_the_budget_or_takes_a_new_one(budget: str | None, more: float, again: TrainRequest) -> None:
    before = plan(again)
    train(replace(again, resume=True, budget=budget))
    assert plan(again)["seconds"] == before["seconds"] + more


def test_a_budget_that_is_used_up_ends_the_run(again: TrainRequest) -> None:
    result = train(replace(again, resume=True, overrides=(*SETTINGS, "training.seconds=0.01")))
    assert json.loads((result.folder / "run" / "result.json").read_text())["end"] == "time"
    refused(replace(again, resume=True, budget="30m"), UsageError, "the run has ended, another time changes nothing")


def test_a_resume_needs_a_run(again: TrainRequest, tmp_path: Path) -> None:
    missing = replace(again, resume=True, out=tmp_path / "nothing")
    refused(missing, UsageError, "nothing: holds no run to go on with; name its folder with --out")
    assert not missing.folder.exists()
    mine = tmp_path / "mine"
    (mine / "run").mkdir(parents=True)
    (mine / "run" / "marathon.md").write_text("42 km")
    refused(replace(again, resume=True, out=mine), UsageError, "holds no run to go on with")
    (mine / "README.md").write_text("mine")
    refused(replace(again, resume=True, out=mine), UsageError, r"holds README\.md and is no bundle")
    (again.folder / "README.md").write_text("mine")
    refused(replace(again, resume=True), UsageError, r"holds README\.md and is no bundle")


@pytest.mark.parametrize("how", ["resume", "overwrite"])
def test_a_bundle_that_was_moved_in_by_half_is_ended(how: str, again: TrainRequest) -> None:
    folder = train(replace(again, resume=True)).folder
    (folder / ".new").mkdir()
    for path in [path for path in folder.iterdir() if path.name not in ("run", ".new", "model")]:
        path.rename(folder / ".new" / path.name)
    refused(again, UsageError, "replace it with --overwrite")
    assert train(replace(again, **{how: True})).predictor.predict(["good"])  # type: ignore[arg-type]
