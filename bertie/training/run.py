"""The folder of a run: the truth about it, for a resume and for a person.

In:  a path
Out: run/lock, log.jsonl, choice.json, plan.json, sessions.json, decisions.json, result.json, best/, checkpoints/,
     tensorboard/, part-NAME/
Knows nothing of models; what is written comes from the loop.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from bertie.core import processes
from bertie.core.errors import BertieError
from bertie.core.files import remove_leftovers, storage_errors, write_json
from bertie.core.lock import FolderLock


class RunFolder:
    """A run's files, and the lock that keeps a second writer out while it is entered.

    Under several processes only the first writes; the others get a folder whose writing does nothing.
    An error before the first evaluation takes the folders away that entering has made: nothing was trained.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log_path = path / "log.jsonl"
        self.best_path = path / "best" / "model.safetensors"
        self.checkpoints = path / "checkpoints"
        self.tensorboard = path / "tensorboard"
        self.writer = processes.is_first()
        self._lock = FolderLock(path)
        self._log: IO[bytes] | None = None
        self._made: list[Path] = []

    def __enter__(self) -> RunFolder:
        if self.writer:
            self._made = [folder for folder in (self.path, *self.path.parents) if not folder.exists()]
            self._lock.acquire()
            for folder in (self.path, self.best_path.parent, self.checkpoints):
                folder.mkdir(parents=True, exist_ok=True)
                remove_leftovers(folder)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close_log()
        if kind is not None and self._made and not self._trained():
            self._remove()
        self._lock.release()

    def part(self, name: str) -> RunFolder:
        """The folder of a training that comes before this one and belongs to it: a resume finds it as it was left."""
        return RunFolder(self.path / f"part-{name}")

    def _parts(self) -> list[RunFolder]:
        return [RunFolder(path) for path in self.path.glob("part-*")]

    def _trained(self) -> bool:
        """Whether there is something that a resume or a person could want."""
        own = self.log_path.exists() or self.best_path.exists() or any(self.checkpoints.glob("*"))
        return own or any(part._trained() for part in self._parts())

    def _remove(self) -> None:
        """Removes the run and every folder above it that was made for it; while the lock is held."""
        shutil.rmtree(self.path, ignore_errors=True)
        with contextlib.suppress(OSError):  # another run has come to live there
            for folder in self._made[1:]:
                folder.rmdir()

    def begun(self) -> bool:
        """Whether there is a run to go on with."""
        own = (self.path / "decisions.json").exists() or self.saved()
        return own or any(part.begun() for part in self._parts())

    def saved(self) -> bool:
        """Whether work lies here that a new run would lose: a checkpoint, or the weights of a run that ended."""
        own = (self.path / "result.json").exists() or any(self.checkpoints.glob("step-*"))
        return own or any(part.saved() for part in self._parts())

    def clear(self) -> None:
        """Removes everything of an earlier run but the lock."""
        if not self.writer:
            return
        self.close_log()
        parts = [part.path for part in self._parts()]
        for path in (self.best_path.parent, self.checkpoints, self.tensorboard, *parts):
            shutil.rmtree(path, ignore_errors=True)
        for path in [self.log_path, *self.path.glob("*.json")]:
            path.unlink(missing_ok=True)

    def log(self, entry: dict[str, Any]) -> None:
        """Appends a line. No times stand in it: the log of a resumed run is byte for byte that of one in one go."""
        if not self.writer:
            return
        with storage_errors(self.log_path, 200):
            if self._log is None:
                self._log = self.log_path.open("ab")
            self._log.write(json.dumps(entry).encode() + b"\n")

    def log_size(self) -> int:
        """Bytes of the log, once they are safe on the disk."""
        if self._log is None:
            return self.log_path.stat().st_size if self.log_path.exists() else 0
        with storage_errors(self.log_path, 200):
            self._log.flush()
            os.fsync(self._log.fileno())
        return self._log.tell()

    def cut_log(self, size: int) -> None:
        """Forgets what was logged after the checkpoint from which the run goes on."""
        self.close_log()
        if not self.writer or (size == 0 and not self.log_path.exists()):
            return
        with storage_errors(self.log_path, 0), self.log_path.open("ab") as log:
            if log.tell() < size:
                raise BertieError(
                    f"{self.log_path}: has {log.tell()} bytes, the checkpoint was made at {size}; "
                    "put the file back, or start again without --resume but with --overwrite"
                )
            log.truncate(size)

    def close_log(self) -> None:
        """Writes out what is buffered."""
        if self._log is not None:
            with storage_errors(self.log_path, 200):
                self._log.close()
            self._log = None

    def entries(self) -> list[dict[str, Any]]:
        """Every line of the log."""
        if self._log is not None:
            self._log.flush()
        if not self.log_path.exists():
            return []
        return [json.loads(line) for line in self.log_path.read_text(encoding="utf-8").splitlines()]

    def read(self, name: str) -> dict[str, Any] | None:
        """A JSON file of the run by its name (`decisions`, `result`); None before it is written."""
        path = self.path / f"{name}.json"
        if not path.exists():
            return None
        try:
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise BertieError(
                f"{path}: is damaged ({error}); start again without --resume but with --overwrite"
            ) from error
        return found

    def write(self, name: str, content: dict[str, Any]) -> None:
        """Puts a JSON file into the folder; `read` gives it back."""
        if self.writer:
            write_json(self.path / f"{name}.json", content)
