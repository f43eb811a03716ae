"""Stopping on request: the first signal asks, the second one ends.

In:  SIGINT and SIGTERM
Out: a flag that the work looks at between two steps; exit at once on the second signal
Knows nothing of the work.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any

from bertie.core.errors import Stopped
from bertie.core.processes import is_first

WATCHED = (signal.SIGINT, signal.SIGTERM)


class StopSignal:
    """While it is entered, the first SIGINT or SIGTERM sets `number`; a second one ends the process at once.

    Ending at once does no damage: every file is written beside its place and moved there when it is whole.
    Outside the main thread Python allows no handlers: then nothing is watched and `number` stays None.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopSignal:
        if threading.current_thread() is threading.main_thread():
            self._before = {one: signal.signal(one, self._received) for one in WATCHED}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for one, handler in self._before.items():
            signal.signal(one, handler)

    def error(self, saved: str) -> Stopped:
        """What to raise once the state is saved; `saved` says where and how to go on."""
        assert self.number is not None, "no signal has come"
        return Stopped(f"stopped by {signal.Signals(self.number).name}; {saved}", self.number)

    def _received(self, number: int, frame: FrameType | None) -> None:
        if self.number is not None:
            os._exit(128 + number)
        self.number = number
        if not is_first():
            return
        # os.write and not print: a handler may interrupt a print, and stderr's buffer is not re-entrant.
        with suppress(OSError):  # whoever read it was told to stop as well: `2>&1 | tee log`
            place = sys.__stderr__.fileno() if sys.__stderr__ else 2
            os.write(place, b"\nstopping after this step; again to stop at once\n")
