"""Files: old or new, never half; the disk's troubles in words; one writer."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from pathlib import Path

import pytest

from bertie.core import files
from bertie.core.errors import RunLockedError, StorageError
from bertie.core.files import new_file, new_folder, remove_leftovers, sha256, storage_errors, write_json, write_text
from bertie.core.lock import FolderLock


def test_a_file_is_replaced_or_left(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    write_text(path, "旧")
    assert path.read_text(encoding="utf-8") == "旧"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    with pytest.raises(RuntimeError), new_file(path, 10) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text(encoding="utf-8") == "旧"
    assert [one.name for one in path.parent.iterdir()] == ["a.txt"]


def test_a_folder_is_replaced_or_left(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    for content in ("one", "two"):
        with new_folder(path, 10) as temporary:
            (temporary / "a").write_text(content)
    with pytest.raises(RuntimeError), new_folder(path, 10) as temporary:
        (temporary / "b").write_text("half")
        raise RuntimeError
    assert (path / "a").read_text() == "two"
    assert [one.name for one in tmp_path.iterdir()] == ["folder"]


def test_leftovers_of_a_killed_writer_go(tmp_path: Path) -> None:
    (tmp_path / ".step-1.x.tmp").mkdir()
    (tmp_path / ".a.txt.y.tmp").write_text("half")
    (tmp_path / "a.txt").write_text("whole")
    remove_leftovers(tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == ["a.txt"]


def test_a_full_disk_is_told_before_the_first_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(100, 90, 10))
    needed = f"{files.RESERVE + 5:,}"
    with pytest.raises(StorageError, match=f"{needed} bytes are needed and 10 are free"):
        files.write_bytes(tmp_path / "a", b"12345")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_disk_that_fills_up_is_told(tmp_path: Path, number: int) -> None:
    with pytest.raises(StorageError, match=r"7 bytes are needed and [\d,]+ are free"), storage_errors(tmp_path, 7):
        raise OSError(number, os.strerror(number))


def test_what_cannot_be_written_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be written"):
        write_text(tmp_path / "file" / "a", "x")


def test_nan_is_not_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"x": float("nan")})


def test_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    with FolderLock(tmp_path):
        expected = rf"process {os.getpid()} on {os.uname().nodename} is writing"
        with pytest.raises(RunLockedError, match=expected), FolderLock(tmp_path):
            pass
    with FolderLock(tmp_path):
        pass


def test_a_lock_file_of_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text('{"pid": 999999999, "host": "gone"}')
    with FolderLock(tmp_path):
        assert str(os.getpid()) in (tmp_path / "lock").read_text()
