"""Live progress of a search: one line on a terminal, nothing elsewhere.

In:  what is being done, the best score so far, the time there is
Out: a bar on stderr
Knows nothing of trials.
"""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


class Live:
    """Drawn while it is entered, where stderr is a terminal."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._bar: Progress | None = None
        if not quiet and sys.stderr.isatty():
            columns = (TextColumn("search"), BarColumn(20), TextColumn("{task.fields[text]}"), TimeRemainingColumn())
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task("search", text="", total=None)
        self._began, self._seconds = time.monotonic(), 1.0
        self._doing, self._best = "", ""

    def __enter__(self) -> Live:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def limit(self, seconds: float) -> None:
        """So much time is left from now on."""
        self._began, self._seconds = time.monotonic(), seconds
        if self._bar is not None:
            self._bar.update(self._task, total=seconds)

    def doing(self, what: str) -> None:
        """The trial, or what else takes time."""
        self._doing = what
        self.show("")

    def best(self, name: str, score: float) -> None:
        """The best score so far."""
        self._best = f"  best {score:.4f} ({name})"

    def show(self, text: str) -> None:
        """How far what is being done is."""
        if self._bar is not None:
            done = min(time.monotonic() - self._began, self._seconds)
            self._bar.update(self._task, completed=done, text=f"{self._doing}  {text}{self._best}")
