"""Files: old or new, never half; the disk's troubles in words; one writer."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from pathlib import Path

import pytest

from bertie.core import files
from bertie.core.errors import RunLockedError, StorageError, UsageError
from bertie.core.files import (
    check_place,
    new_file,
    new_folder,
    remove_leftovers,
    sha256,
    storage_errors,
    write_json,
    write_text,
)
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


def test_a_link_leads_to_the_file_that_is_replaced(tmp_path: Path) -> None:
    for name, before in (("there", "old"), ("missing", None)):
        target, link = tmp_path / name / "a.txt", tmp_path / f"{name}.txt"
        if before is not None:
            write_text(target, before)
        link.symlink_to(target)
        check_place(link, "--output", "a.txt")
        write_text(link, "new")
        assert link.is_symlink() and not target.is_symlink()
        assert target.read_text(encoding="utf-8") == "new" and list(target.parent.iterdir()) == [target]


def test_a_device_is_written_and_never_replaced(tmp_path: Path) -> None:
    link = tmp_path / "null"
    link.symlink_to("/dev/null")
    for path in (Path("/dev/null"), link):
        check_place(path, "--output", "a.txt")
        with new_file(path, 10) as given:
            assert given == path
        write_text(path, "nothing")
    assert stat.S_ISCHR(Path("/dev/null").lstat().st_mode) and link.is_symlink()


def test_a_place_where_no_file_can_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"is a folder, expected the name of a file; add one, such as a.txt"):
        check_place(tmp_path, "--output", "a.txt")
    with pytest.raises(UsageError, match=r"--output .*file is no folder that can be written to; choose another place"):
        check_place(tmp_path / "file" / "below" / "a.txt", "--output", "a.txt")
    check_place(tmp_path / "new" / "a.txt", "--output", "a.txt")
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


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
