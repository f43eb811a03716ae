"""A run folder from which nothing came is not left behind; one that was there before, or holds something, is."""

from __future__ import annotations

from pathlib import Path

import pytest

from bertie.core.errors import DataError, RunLockedError
from bertie.training.run import RunFolder


def refused(path: Path, entry: dict[str, object] | None = None) -> None:
    with pytest.raises(DataError), RunFolder(path) as run:
        run.write("choice", {"model": "tiny"})
        if entry is not None:
            run.log(entry)
        raise DataError("bad rows")


def test_what_was_made_for_nothing_goes_away(tmp_path: Path) -> None:
    refused(tmp_path / "runs" / "name" / "run")
    assert list(tmp_path.iterdir()) == []


def test_folders_that_were_there_stay(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    refused(tmp_path / "out" / "run")
    assert list(tmp_path.rglob("*")) == [tmp_path / "out"]
    (tmp_path / "out" / "run").mkdir()
    refused(tmp_path / "out" / "run")
    assert (tmp_path / "out" / "run" / "choice.json").exists()


def test_neighbours_stay(tmp_path: Path) -> None:
    with pytest.raises(DataError), RunFolder(tmp_path / "runs" / "a" / "run"):
        (tmp_path / "runs" / "b").mkdir()
        raise DataError("bad rows")
    assert list(tmp_path.rglob("*")) == [tmp_path / "runs", tmp_path / "runs" / "b"]


def test_what_was_trained_stays(tmp_path: Path) -> None:
    refused(tmp_path / "run", entry={"step": 1})
    assert RunFolder(tmp_path / "run").entries() == [{"step": 1}]


def test_what_a_part_has_trained_stays_and_is_gone_on_with_until_it_is_cleared(tmp_path: Path) -> None:
    with pytest.raises(DataError), RunFolder(tmp_path / "run") as run, run.part("head") as part:
        part.write("decisions", {"threads": 1})
        part.log({"step": 1})
        (part.checkpoints / "step-1").mkdir()
        raise DataError("bad rows")
    with RunFolder(tmp_path / "run") as run:
        assert run.begun() and run.saved()
        assert run.part("head").entries() == [{"step": 1}]
        run.clear()
        assert not run.begun() and not run.part("head").path.exists()


def test_who_is_locked_out_takes_nothing_away(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run") as run:
        with pytest.raises(RunLockedError), RunFolder(tmp_path / "run"):
            pass
        assert run.best_path.parent.is_dir()


def test_other_processes_clear_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused(tmp_path / "run", entry={"step": 1})
    monkeypatch.setenv("RANK", "1")
    with RunFolder(tmp_path / "run") as run:
        run.clear()
        assert run.entries() == [{"step": 1}]
