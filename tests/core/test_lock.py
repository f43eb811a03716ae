"""One writer to a folder, also where the folder goes away."""

from __future__ import annotations

import fcntl
import shutil
from pathlib import Path
from typing import Any

import pytest

from bertie.core.errors import RunLockedError
from bertie.core.lock import FolderLock


def test_a_second_writer_is_refused_until_the_first_is_done(tmp_path: Path) -> None:
    with FolderLock(tmp_path / "run"), pytest.raises(RunLockedError, match=r"process \d+ on .* is writing to this"):
        FolderLock(tmp_path / "run").acquire()
    FolderLock(tmp_path / "run").acquire()


def test_a_lock_on_a_file_that_was_removed_is_taken_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest, calls = fcntl.flock, list[int]()

    def removed_before(file: Any, how: int) -> None:
        calls.append(how)
        if len(calls) == 1:
            shutil.rmtree(tmp_path / "run")
        honest(file, how)

    monkeypatch.setattr(fcntl, "flock", removed_before)
    with FolderLock(tmp_path / "run") as lock:
        assert len(calls) == 2
        assert lock.path.exists()
        with pytest.raises(RunLockedError):
            FolderLock(tmp_path / "run").acquire()
