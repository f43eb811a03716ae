"""Who works on a search: each worker holds a lock as long as it lives; they enter and publish one after the other.

In:  the run folder of a search
Out: which workers live; a lock for the one that enters or publishes
Knows nothing of trials. A lock is the kernel's: `kill -9` gives it back.
"""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from bertie.core.errors import RunLockedError
from bertie.core.lock import FolderLock

WAIT = 0.2
"""Seconds between two looks."""
MARK = "search.json"
"""Stands in the run folder of a search that was set up."""
WORKERS, TURN = "workers", "turn"
"""Folders of the locks, which no search may remove under the others."""


class Worker:
    """This process's place among the workers, from `join` until it leaves, at the latest at the end of the context."""

    def __init__(self, run: Path) -> None:
        self.name = uuid.uuid4().hex[:8]
        self._run = run
        self._lock = FolderLock(run / WORKERS / self.name)

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()

    def join(self) -> None:
        """Becomes one of them: not before its request was accepted, as others count on it from then on."""
        self._lock.acquire()

    def leave(self) -> None:
        """No longer one of them; twice changes nothing."""
        self._lock.release()
        shutil.rmtree(self._lock.path.parent, ignore_errors=True)

    def others(self) -> set[str]:
        """Names of the other workers that live; places of dead ones are removed."""
        return {
            folder.name
            for folder in (self._run / WORKERS).glob("*")
            if folder.name != self.name and folder.is_dir() and _lives(folder)
        }


@contextmanager
def turn(run: Path, say: Callable[[str], None]) -> Iterator[None]:
    """One worker after the other enters, or decides whether it publishes; waits for its turn.

    So who publishes knows all who work, and who enters finds nothing half written. Of a search that is refused in its
    turn no folder stays that was made for it.
    """
    made = [folder for folder in (run, *run.parents) if not folder.exists()]
    lock, told = FolderLock(run / TURN), False
    while True:
        try:
            lock.acquire()
            break
        except RunLockedError:
            if not told:
                say("another worker enters or publishes; waiting for it")
            told = True
            time.sleep(WAIT)
    try:
        yield
    except BaseException:
        if made and not (run / MARK).exists():
            _remove(made)
        raise
    finally:
        lock.release()


def _remove(made: list[Path]) -> None:
    """The run folder, and those above it unless something else has come to live there; while the lock is held."""
    shutil.rmtree(made[0], ignore_errors=True)
    with suppress(OSError):
        for folder in made[1:]:
            folder.rmdir()


def _lives(folder: Path) -> bool:
    lock = FolderLock(folder)
    try:
        lock.acquire()
    except RunLockedError:
        return True
    lock.release()
    shutil.rmtree(folder, ignore_errors=True)
    return False
