"""The parent's side of `child.py serve`.

In:  a run folder and options for a training
Out: a process to kill, its exit code and what it said
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).parents[2]


class Nursery:
    """One process that forks trainings, one after the other."""

    def __init__(self, errors: Path) -> None:
        self.errors = errors
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        with errors.open("w") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.crash.child", "serve"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                cwd=ROOT,
                env=environment,
            )
        assert self._line() == "ready", errors.read_text()

    def start(self, folder: Path, **options: Any) -> int:
        """Starts a training; returns its process id."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([str(folder), options]) + "\n")
        self._process.stdin.flush()
        return int(self._line().removeprefix("started "))

    def wait(self) -> int:
        """The exit code of the training that was started last; negative for a signal."""
        return int(self._line().removeprefix("ended "))

    def run(self, folder: Path, **options: Any) -> int:
        """Starts and waits."""
        self.start(folder, **options)
        return self.wait()

    def kill_after(self, pid: int, seconds: float) -> int:
        """`kill -9` after a time, unless it ended before. Returns the exit code."""
        timer = threading.Timer(seconds, _kill, (pid,))
        timer.start()
        code = self.wait()
        timer.cancel()
        return code

    def said(self) -> str:
        """Everything that the trainings wrote to stderr."""
        return self.errors.read_text()

    def __enter__(self) -> Nursery:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
