"""An encoder that goes on: its output layer, general text, what it gained and what it lost."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import bertie
from bertie.core.errors import BertieError, ConfigError, DataError, UsageError
from bertie.core.files import sha256
from bertie.data import demo
from bertie.evaluation.phrases import phrases
from bertie.nn import checkpoint
from bertie.training.hooks import Hook, Step
from bertie.training.loop import FitResult, fit
from bertie.training.model import TrainingModel
from bertie.training.run import RunFolder
from bertie.workflow import pretrain, pretrain_head
from bertie.workflow.forgetting import Meter
from bertie.workflow.pretrain import run_pretraining
from bertie.workflow.pretrain_request import PretrainRequest
from bertie.workflow.probe import TextProbe
from bertie.workflow.train import TrainResult

FAST = ("training.epochs=2", "max_length=32", "short_length=16", "held_out=0.2")
DOMAIN = (["film", "food", "service"], ["very good", "great", "fast", "not bad"], "the {} was {}")
GENERAL = (["cat", "river", "town"], ["old", "near the sea", "far away"], "a {} is {}")


def texts(path: Path, kind: tuple[list[str], list[str], str], documents: int = 30) -> Path:
    """Made-up documents of some sentences each, an empty line between them."""
    draw, (things, qualities, pattern) = random.Random(len(kind[2])), kind
    made = [
        [pattern.format(draw.choice(things), draw.choice(qualities)) + " ." for _ in range(draw.randint(2, 5))]
        + [f"no {n} {draw.random():.6f} ."]
        for n in range(documents)
    ]
    path.write_text("\n\n".join("\n".join(lines) for lines in made) + "\n", encoding="utf-8")
    return path


def labelled(path: Path, rows: int = 60) -> Path:
    """Opinions that the words tell."""
    draw = random.Random(1)
    lines = [
        f"the {draw.choice(DOMAIN[0])} was {draw.choice(['good', 'great'] if n % 2 else ['bad', 'poor'])} {n},"
        f"{'yes' if n % 2 else 'no'}"
        for n in range(rows)
    ]
    path.write_text("text,label\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return path


@dataclass(frozen=True)
class Ground:
    """Files to go on with."""

    folder: Path
    model: Path
    corpus: Path
    general: Path

    def run(self, out: str, say: Callable[[str], None] = lambda line: None, **options: Any) -> TrainResult:
        options = {"general": (str(self.general),), "overrides": FAST, "model": str(self.model), **options}
        return run_pretraining(PretrainRequest(corpus=(str(self.corpus),), out=self.folder / out, **options), say)


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Ground:
    folder = tmp_path_factory.mktemp("forgetting")
    return Ground(folder, tiny_model, texts(folder / "c.txt", DOMAIN), texts(folder / "g.txt", GENERAL))


@pytest.fixture(scope="module")
def went_on(ground: Ground) -> tuple[TrainResult, list[str]]:
    """With everything that can be measured."""
    said: list[str] = []
    return ground.run("on", said.append, task=str(labelled(ground.folder / "rows.csv"))), said


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without the packages of texts."""
    monkeypatch.setattr(demo, "package_folder", lambda module: None)


def test_what_was_gained_and_lost_stands_on_top_everywhere(went_on: tuple[TrainResult, list[str]]) -> None:
    result, _ = went_on
    found = json.loads((result.folder / "metrics.json").read_text(encoding="utf-8"))["forgetting"]
    assert found == result.evaluation["forgetting"]
    assert [one["what"] for one in found["changes"]] == ["domain", "general", "probe", "task"]
    for one in found["changes"]:
        gap = one["difference"]
        assert gap["value"] == pytest.approx(one["after"] - one["before"])
        assert gap["low"] <= gap["value"] <= gap["high"] and one["rows"] > 0
    headline = phrases("en")[f"forgetting_{found['finding']}"]
    assert found["verdict"].startswith(headline)
    page = (result.folder / "report.html").read_text(encoding="utf-8")
    assert 0 < page.index(headline) < page.index('id="verdict"')
    card = (result.folder / "README.md").read_text(encoding="utf-8")
    assert 0 < card.index(headline) < card.index("## Scores")


def test_the_head_is_fitted_first_and_of_the_body_nothing_moves(
    ground: Ground, went_on: tuple[TrainResult, list[str]]
) -> None:
    result, said = went_on
    assert [line for line in said if line.startswith("output layer: the encoder came without one; fitted in")]
    run = result.folder / "run"
    kept = load_file(run / "part-head" / "best" / "model.safetensors")
    assert kept and all(name.startswith("task.") for name in kept), "checkpoints of the fit hold the heads alone"
    log = [json.loads(line) for line in (run / "part-head" / "log.jsonl").read_text().splitlines()]
    judged = [entry["masked_lm_loss"] for entry in log if "score" in entry]
    assert judged[-1] < judged[0], "the head learned"
    before = json.loads((run / "before.json").read_text())["general"]
    first = next(entry for entry in map(json.loads, (run / "log.jsonl").read_text().splitlines()) if "score" in entry)
    assert sum(before["nats"]) / sum(before["places"]) == pytest.approx(judged[-1], rel=0.2)
    domain = json.loads((run / "before.json").read_text())["domain"]
    assert sum(domain["nats"]) / sum(domain["places"]) == pytest.approx(first["masked_lm_loss"], rel=1e-3)


def test_no_gradient_is_computed_for_a_body_that_stands_still(
    ground: Ground, bare: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[bool, bool]] = []

    def watched(model: TrainingModel, *rest: Any, **more: Any) -> FitResult:
        original = {name: one.clone() for name, one in model.encoder.state_dict().items()}
        result = fit(model, *rest, **more)
        same = all(torch.equal(one, original[name]) for name, one in model.encoder.state_dict().items())
        seen.append((same, any(one.requires_grad or one.grad is not None for one in model.encoder.parameters())))
        return result

    monkeypatch.setattr(pretrain_head, "lead", watched)
    result = ground.run("still", overrides=(*FAST, "training.epochs=1"))
    assert seen == [(True, False)]
    original = checkpoint.load(ground.model).encoder.state_dict()
    after = checkpoint.load(result.folder / "model").encoder.state_dict()
    assert not torch.equal(after["layers.0.attention.query.weight"], original["layers.0.attention.query.weight"])


def test_an_encoder_that_brings_its_head_keeps_it(
    ground: Ground, bare: None, went_on: tuple[TrainResult, list[str]]
) -> None:
    said: list[str] = []
    result = bertie.pretrain(
        ground.corpus,
        model=str(went_on[0].folder),
        general=ground.general,
        out=ground.folder / "again",
        settings={"training.epochs": 1, "max_length": 32, "held_out": 0.2},
        say=said.append,
    )
    assert not [line for line in said if line.startswith("output layer")]
    assert not (result.folder / "run" / "part-head").exists()
    changes = {one["what"]: one for one in result.evaluation["forgetting"]["changes"]}
    was = {one["what"]: one for one in went_on[0].evaluation["forgetting"]["changes"]}
    for what in ("domain", "general"):
        assert changes[what]["before"] == pytest.approx(was[what]["after"], rel=1e-4)


class Killed(Exception):
    """What ends a run without a chance to save."""


class Bomb(Hook):
    """Ends a run behind one of its steps."""

    def __init__(self, step: int) -> None:
        self.last = step

    def after_step(self, step: Step) -> None:
        if step.number == self.last:
            raise Killed


@pytest.mark.parametrize(("module", "step"), [(pretrain_head, 4), (pretrain, 5)], ids=["head", "rounds"])
def test_ended_in_the_middle_and_resumed_equals_one_go_replay_too(
    module: ModuleType, step: int, ground: Ground, bare: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The number format is chosen by timing, which a busy machine may decide otherwise the second time.
    overrides = (*FAST, "replay=0.4", "training.rows_per_batch=8", "training.save_steps=3", "training.dtype=float32")
    straight = ground.folder / "straight"
    if not straight.exists():
        ground.run("straight", overrides=overrides)
    name = f"killed-{step}"
    with monkeypatch.context() as patched:
        patched.setattr(module, "reporters", lambda *_: [Bomb(step)])
        with pytest.raises(Killed):
            ground.run(name, overrides=overrides)
    assert not (ground.folder / name / "metrics.json").exists()
    ground.run(name, overrides=overrides, resume=True)
    for file in ("model/model.safetensors", "head.safetensors"):
        assert sha256(ground.folder / name / file) == sha256(straight / file)
    found, wanted = (json.loads((one / "metrics.json").read_text()) for one in (ground.folder / name, straight))
    assert found["forgetting"] == wanted["forgetting"]


def test_replay_keeps_more_of_what_was_known(ground: Ground, bare: None) -> None:
    strong = (*FAST, "training.epochs=4", "training.optimizer.rate=0.02")
    losses = {}
    for share in (0.0, 0.5):
        result = ground.run(f"replay-{share}", overrides=(*strong, f"replay={share}"))
        losses[share] = {one["what"]: one for one in result.evaluation["forgetting"]["changes"]}
    assert losses[0.5]["general"]["after"] < losses[0.0]["general"]["after"]
    assert losses[0.5]["general"]["before"] == losses[0.0]["general"]["before"]


def test_without_any_text_or_probe_it_is_said_that_nobody_looked(ground: Ground, bare: None) -> None:
    said: list[str] = []
    result = ground.run("unseen", said.append, general=(), overrides=(*FAST, "training.epochs=1"))
    assert result.evaluation["forgetting"]["finding"] == "unseen"
    assert [line for line in said if line.startswith("no general text, so what is forgotten of it is not measured")]
    with pytest.raises(UsageError, match=r"replay is 0.2, and no general text is at hand; name one with --general"):
        ground.run("no-replay", general=(), overrides=(*FAST, "replay=0.2"))
    assert not (ground.folder / "no-replay").exists()


def test_a_resume_with_other_terms_is_refused(ground: Ground, bare: None, tmp_path: Path) -> None:
    ground.run("terms", overrides=(*FAST, "training.epochs=1"))
    again: dict[str, Any] = {"resume": True, "overrides": (*FAST, "training.epochs=1")}
    with pytest.raises(UsageError, match=r"replay was 0.0, now it is 0.2"):
        ground.run("terms", **again | {"overrides": (*FAST, "training.epochs=1", "replay=0.2")})
    for setting, says in (
        ("dropout=0.1", "dropout was 0.0, now it is 0.1"),
        ("vocabulary=300", "vocabulary was 8000, now it is 300"),
        ("word_vectors=random", "word_vectors was 'cooccurrence', now it is 'random'"),
        ("attention=random", "attention was 'neighbours', now it is 'random'"),
    ):
        with pytest.raises(UsageError, match=says):
            ground.run("terms", **again | {"overrides": (*FAST, "training.epochs=1", setting)})
    with pytest.raises(UsageError, match="labelled rows was None"):
        ground.run("terms", **again, task=str(labelled(tmp_path / "rows.csv")))
    with pytest.raises(UsageError, match="holds a corpus that differs in text"):
        ground.run("terms", **again, general=(str(texts(tmp_path / "other.txt", DOMAIN, 50)),))


def test_a_probe_whose_texts_come_between_two_sessions_is_left_out(tmp_path: Path) -> None:
    class Measured(Meter):
        def measure(self) -> dict[str, Any]:
            found: dict[str, Any] = {"domain": {"nats": [3.0, 4.0, 5.0], "places": [1.0, 2.0, 2.0]}}
            return found | ({"probe": [True, False]} if self.probe else {})

    ready: Any = None
    with RunFolder(tmp_path / "run") as run:
        Measured(ready, None, None, run).before()
        probe = TextProbe(name="news topics", labels=([], []), pad_id=0, texts=([], []))
        found = Measured(ready, probe, None, run).compared()
    assert [one.what for one in found.changes] == ["domain"]


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"model": None}, UsageError, "--general: an encoder that starts from nothing has nothing to forget"),
        ({"model": None, "general": (), "task": "x.csv"}, UsageError, "--task: an encoder that starts from nothing"),
        (
            {"model": None, "general": (), "overrides": (*FAST, "replay=0.1")},
            UsageError,
            "replay is 0.1: an encoder that starts from nothing has nothing to keep",
        ),
        ({"overrides": ("replay=1",)}, ConfigError, "replay is 1.0, expected 0 to below 1"),
        ({"general": ("nowhere.txt",)}, DataError, "nowhere.txt: there is no such file or folder"),
        ({"task": "nowhere.csv"}, DataError, "nowhere.csv"),
    ],
)
def test_what_cannot_be_is_refused_before_the_corpus_is_read(
    options: dict[str, Any], error: type[BertieError], says: str, ground: Ground
) -> None:
    with pytest.raises(error, match=says):
        ground.run("refused", **options)
    assert not (ground.folder / "refused").exists()


def test_general_text_of_one_line_and_rows_of_another_kind_are_refused(ground: Ground, tmp_path: Path) -> None:
    for text, says in (
        ("a town is near the sea and far away\n", r"one.txt:1: found 1 document, expected two or more"),
        ("a\nb\nc\nd\n", r"one.txt: of the 2 documents to learn from none has 4 pieces, expected longer ones"),
    ):
        (tmp_path / "one.txt").write_text(text, encoding="utf-8")
        with pytest.raises(DataError, match=says):
            ground.run("one", general=(str(tmp_path / "one.txt"),))
    (tmp_path / "n.csv").write_text("text,label\n" + "".join(f"t {n},{n / 7}\n" for n in range(60)), encoding="utf-8")
    with pytest.raises(DataError, match=r"n.csv: found rows for regression, expected one label a row"):
        ground.run("numbers", task=str(tmp_path / "n.csv"))
    several = "".join(json.dumps({"text": f"t {n}", "label": ["a", "b"][: n % 2 + 1]}) + "\n" for n in range(30))
    (tmp_path / "s.jsonl").write_text(several, encoding="utf-8")
    with pytest.raises(DataError, match=r"s.jsonl: found several labels a row, expected one"):
        ground.run("several", task=str(tmp_path / "s.jsonl"))
