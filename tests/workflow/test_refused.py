"""A training or pre-training that is refused, a resume with other rows: nothing is left behind, nothing is lost."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bertie.cli.app import run
from bertie.training.run import RunFolder
from tests.workflow.rows import write

Train = Callable[..., int]
ONE_CLASS = "text,label\ngood,a\nbad,a\n"


@pytest.fixture
def train(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Train:
    """`bertie train` with the tiny model, in an empty folder; gives the exit code."""
    monkeypatch.chdir(tmp_path)
    options = ["--model", str(tiny_model), "--set", "training.epochs=1", "--quiet"]
    return lambda data, *more: run(["train", str(data), *options, *more])


def content(folder: Path) -> dict[str, bytes]:
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_bad_data_leaves_nothing_behind(train: Train, tmp_path: Path) -> None:
    Path("bad.csv").write_text(ONE_CLASS)
    Path("mine").mkdir()
    assert train("bad.csv") == 2
    assert train("bad.csv", "--out", "mine") == 2
    assert train("bad.csv", "--resume") == 2
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["bad.csv", "mine"]


def test_an_unknown_model_or_task_leaves_nothing_behind(train: Train, tmp_path: Path) -> None:
    write(Path("data.csv"), 60)
    assert train("data.csv", "--model", "no-such-folder") == 2
    assert train("data.csv", "--task", "no-such-task") == 2
    assert [path.name for path in tmp_path.rglob("*")] == ["data.csv"]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("training.regularization.name=rdrop",), "take fgm, pgd or freelb, which work with every task"),
        (("training.regularization.name=fgn",), "'fgn' does not exist; choose one of fgm"),
        (("training.average.name=ema", "training.average.decay=2.0"), "decay is 2.0, expected between 0 and 1"),
    ],
)
def test_a_method_that_cannot_be_leaves_nothing_behind(
    train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], says: str
) -> None:
    write(Path("data.csv"), 60, "several")
    assert train("data.csv", *(word for one in more for word in ("--set", one))) == 2
    assert says in capsys.readouterr().err
    assert [path.name for path in tmp_path.rglob("*")] == ["data.csv"]


@pytest.mark.parametrize("more", [(), ("--overwrite",), ("--resume",)], ids=str)
def test_bad_data_costs_no_earlier_run(train: Train, more: tuple[str, ...]) -> None:
    data = write(Path("data.csv"), 80)
    assert train(data, "--out", "m") == 0
    if not more:  # as it is where the run was stopped: there is no bundle yet
        for path in Path("m").iterdir():
            if path.name != "run":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    before = content(Path("m"))
    data.write_text(ONE_CLASS)
    assert train(data, "--out", "m", *more) == 2
    assert content(Path("m")) == before


def test_a_resume_with_changed_files_is_refused_before_a_model_is_loaded(
    train: Train, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data, dev = write(Path("data.csv"), 80), write(Path("dev.csv"), 30, seed=1)
    assert train(data, "--dev", "dev.csv", "--out", "m") == 0
    assert train(data, "--dev", "dev.csv", "--out", "m", "--resume") == 0
    before = content(Path("m"))
    capsys.readouterr()
    monkeypatch.setattr("bertie.workflow.preparation.load_start", None)
    data.write_text(data.read_text(encoding="utf-8") + "one more,positive\n", encoding="utf-8")
    assert train(data, "--dev", "dev.csv", "--out", "m", "--resume") == 2
    said = capsys.readouterr().err
    assert said.startswith("error: data.csv: the train rows are not those with which the run in m/run began; give it")
    assert "start again without --resume" in said
    write(dev, 31, seed=1)
    assert train(data, "--dev", "dev.csv", "--out", "m", "--resume") == 2
    assert "the train and dev rows are not those" in capsys.readouterr().err
    assert content(Path("m")) == before


def test_a_resume_without_a_run_takes_no_folder_of_somebody_else(
    train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write(Path("data.csv"), 80)
    Path("thesis").mkdir()
    Path("thesis/README.md").write_text("mine")
    assert train(data, "--out", "thesis", "--resume") == 2
    assert "holds README.md and is no bundle" in capsys.readouterr().err
    assert content(Path("thesis")) == {"README.md": b"mine"}


@pytest.mark.parametrize(
    "wrong",
    [
        ("typo.txt",),
        ("corpus.txt", "--objective", "masked"),
        ("corpus.txt", "--model", "./no-such-folder"),
        ("corpus.txt", "--tokenizer", "./no-such-folder"),
        ("corpus.txt", "--words", "typo.txt"),
    ],
    ids=" ".join,
)
def test_a_pre_training_that_is_refused_costs_no_earlier_run(
    wrong: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("corpus.txt").write_text("the food was good\n\nthe film was bad\n")
    with RunFolder(Path("m/run")) as earlier:
        earlier.log({"step": 1, "loss": 2.0})
        earlier.write("result", {})
        (earlier.path / "tokenizer").mkdir()
        (earlier.path / "tokenizer" / "tokenizer.json").write_text("{}")
    before = content(Path("m"))
    assert "run/result.json" in before
    assert run(["pretrain", *wrong, "--out", "m", "--overwrite", "--quiet"]) == 2
    assert content(Path("m")) == before
