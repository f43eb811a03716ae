"""Who works on a search: each worker holds a lock as long as it lives, and one of them publishes.

In:  the run folder of a search
Out: which workers live; a lock for the one that publishes
Knows nothing of trials. A lock is the kernel's: `kill -9` gives it back.
"""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from bertie.core.errors import RunLockedError
from bertie.core.lock import FolderLock

WAIT = 0.2
"""Seconds between two looks."""


class Worker:
    """This process's place among the workers, while it is entered."""

    def __init__(self, run: Path) -> None:
        self.name = uuid.uuid4().hex[:8]
        self._run = run
        self._made: list[Path] = []
        self._lock = FolderLock(run / "workers" / self.name)

    def __enter__(self) -> Worker:
        self._made = [folder for folder in (self._run, *self._run.parents) if not folder.exists()]
        self._lock.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()
        if kind is not None and self._made and not (self._run / "search.json").exists():
            self._remove()

    def leave(self) -> None:
        """No longer one of them; twice changes nothing."""
        self._lock.release()
        shutil.rmtree(self._lock.path.parent, ignore_errors=True)

    def others(self) -> set[str]:
        """Names of the other workers that live; places of dead ones are removed."""
        return {
            folder.name
            for folder in (self._run / "workers").glob("*")
            if folder.name != self.name and folder.is_dir() and _lives(folder)
        }

    def _remove(self) -> None:
        """What was made for a search that was refused, unless another one has come to live there."""
        if self.others():
            return
        shutil.rmtree(self._run, ignore_errors=True)
        for folder in self._made[1:]:
            if any(folder.glob("*")):
                return
            folder.rmdir()


@contextmanager
def publishing(run: Path, say: Callable[[str], None]) -> Iterator[None]:
    """One worker after the other decides whether it publishes; waits for its turn."""
    lock, told = FolderLock(run / "publish"), False
    while True:
        try:
            lock.acquire()
            break
        except RunLockedError:
            if not told:
                say("another worker publishes; waiting for it")
            told = True
            time.sleep(WAIT)
    try:
        yield
    finally:
        lock.release()


def _lives(folder: Path) -> bool:
    lock = FolderLock(folder)
    try:
        lock.acquire()
    except RunLockedError:
        return True
    lock.release()
    shutil.rmtree(folder, ignore_errors=True)
    return False
