"""Files that are either the old ones or the new ones, never half of each.

In:  paths and what shall stand there
Out: files and folders that appear at once and survive a power cut; SHA-256 sums; StorageError when the disk is full,
     UsageError for a place where no file can be
Knows nothing of what the files mean.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bertie.core.errors import StorageError, UsageError

RESERVE = 16 * 2**20
"""Bytes that stay free beside what is written, so that logs can still be written and a person can still clean up."""
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def write_bytes(path: Path, content: bytes) -> None:
    """Puts `content` at `path`, or leaves what stood there: temporary file, fsync, rename, fsync of the folder."""
    with new_file(path, len(content)) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """`write_bytes` of UTF-8 text."""
    write_bytes(path, content.encode("utf-8"))


def write_json(path: Path, content: Any) -> None:
    """`write_bytes` of JSON. NaN is refused: it is not JSON, and other readers fail on it."""
    write_text(path, json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n")


@contextmanager
def new_file(path: Path, size: int) -> Iterator[Path]:
    """Yields a temporary path in the same folder; what is written there replaces `path` at the end, or nothing happens.

    Of a link the file is replaced that it leads to. A device or a pipe is yielded itself: to replace `/dev/null` would
    take it from everybody.

    Args:
        path: where the file shall stand.
        size: bytes that will be written; StorageError before the first one where there is no room.
    """
    with storage_errors(path, size):
        if _is_device(path):
            yield path
            return
        target = _followed(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        need_space(target.parent, size)
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            temporary.chmod(0o644)  # mkstemp makes it 0600, which a colleague cannot read
            _sync(temporary)
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync(target.parent)


def check_place(path: Path, option: str, example: str) -> None:
    """UsageError where no file can be written at `path`, said before minutes are spent on it.

    `option` is how a person named it, `example` a name for a file that would do.
    """
    if path.is_dir():
        raise UsageError(f"{option} {path}: is a folder, expected the name of a file; add one, such as {example}")
    if _is_device(path):
        if not os.access(path, os.W_OK):
            raise UsageError(f"{option} {path}: cannot be written to; choose another place")
        return
    above = next(folder for folder in _followed(path).absolute().parents if folder.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise UsageError(f"{option} {path}: {above} is no folder that can be written to; choose another place")


@contextmanager
def new_folder(path: Path, size: int) -> Iterator[Path]:
    """Yields a temporary folder; it becomes `path` at the end with every file synced, or nothing happens.

    An older folder of that name is moved aside first and removed afterwards: a folder cannot be replaced in one step,
    so a reader that must never find nothing uses another name for each version, as checkpoints do.
    """
    with storage_errors(path, size):
        path.parent.mkdir(parents=True, exist_ok=True)
        need_space(path.parent, size)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent))
        aside = temporary.with_suffix(".old")
        try:
            yield temporary
            temporary.chmod(0o755)
            for file in sorted(temporary.rglob("*")):
                _sync(file)
            _sync(temporary)
            if path.exists():
                path.rename(aside)
            temporary.rename(path)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        _sync(path.parent)
        shutil.rmtree(aside, ignore_errors=True)


def remove_leftovers(folder: Path, name: str = "*") -> None:
    """Removes what a killed writer of `name` left in `folder`. Only for the one who holds the folder's lock."""
    for path in [*folder.glob(f".{name}.*.tmp"), *folder.glob(f".{name}.*.old")]:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def need_space(folder: Path, size: int) -> None:
    """StorageError with the bytes needed and free, unless `size` bytes and a reserve fit on the disk of `folder`."""
    there = next(place for place in [folder, *folder.absolute().parents] if place.exists())
    free = shutil.disk_usage(there).free
    if free < size + RESERVE:
        raise StorageError(
            f"{folder}: {size + RESERVE:,} bytes are needed and {free:,} are free; make room and start again "
            "(what was saved before is unharmed)"
        )


@contextmanager
def storage_errors(path: Path, size: int) -> Iterator[None]:
    """Operating system errors as StorageErrors that say what was to be written, and where."""
    try:
        yield
    except OSError as error:
        # safetensors and others wrap the number in their own text, so only plain OSErrors tell a full disk apart.
        if error.errno in FULL:
            free = shutil.disk_usage(next(place for place in path.absolute().parents if place.exists())).free
            reason = f"{size:,} bytes are needed and {free:,} are free (or a quota or `ulimit -f` is reached)"
            raise StorageError(f"{path}: cannot be written: {reason}; make room and start again") from error
        raise StorageError(f"{path}: cannot be written: {error.strerror or error}") from error


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_device(path: Path) -> bool:
    """Whether it is there and is neither a file nor a folder, but a device or a pipe, perhaps at the end of a link."""
    return path.exists() and not path.is_file() and not path.is_dir()


def _followed(path: Path) -> Path:
    """Where a link leads; any other path as it is."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def _sync(path: Path) -> None:
    """Flushes a file or a folder to the disk; a rename alone may survive a power cut without the bytes it names."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
