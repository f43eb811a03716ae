"""One writer to a folder.

In:  a folder
Out: a lock that is held until it is released or its process dies; RunLockedError for a second writer
Knows nothing of what is written.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
from pathlib import Path
from types import TracebackType
from typing import TextIO

from bertie.core.errors import RunLockedError, StorageError

NAME = "lock"


class FolderLock:
    """The kernel's lock on a file of the folder, with the holder's name in it.

    The kernel gives it back when the process ends, however it ends: nothing is left behind by `kill -9`, and a process
    that got the dead one's number is not taken for it. The file stays; only the lock on it counts.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._file: TextIO | None = None

    def acquire(self) -> None:
        """Takes the lock; RunLockedError names the process that has it."""
        file = self._open()
        while not self._stands(file):  # its holder has removed the folder between our opening and our locking
            file.close()
            file = self._open()
        file.truncate(0)
        json.dump({"pid": os.getpid(), "host": socket.gethostname()}, file)
        file.flush()
        self._file = file

    def _open(self) -> TextIO:
        """The file with the lock on it."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = self.path.open("a+", encoding="utf-8")
        except OSError as error:
            raise StorageError(f"{self.path}: cannot be opened for writing: {error.strerror or error}") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = self._holder(file)
            file.close()
            raise RunLockedError(
                f"{self.path.parent}: {holder} is writing to this folder; wait for it, stop it, or choose another --out"
            ) from error
        except OSError as error:
            file.close()
            raise StorageError(f"{self.path}: this file system has no locks ({error}); choose another --out") from error
        return file

    def _stands(self, file: TextIO) -> bool:
        """Whether what we locked is what the next one will find."""
        try:
            return os.path.samestat(os.fstat(file.fileno()), self.path.stat())
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Gives the lock back; does nothing where it is not held."""
        if self._file is not None:
            self._file.truncate(0)
            self._file.close()
            self._file = None

    def __enter__(self) -> FolderLock:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    @staticmethod
    def _holder(file: TextIO) -> str:
        """Who wrote into the file; the holder may be between taking the lock and writing its name."""
        file.seek(0)
        try:
            found = json.load(file)
            return f"process {found['pid']} on {found['host']}"
        except (ValueError, KeyError, TypeError):
            return "another process"
