"""One thread that answers, one request after the other, with a bound on how many may wait.

In:  a function and its arguments
Out: its result, awaited; `Busy` at once where too many wait already
Knows nothing of HTTP or models.

A model in the event loop could not even say that it is busy; two at once on the same cores are slower than one after
the other.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Busy(Exception):
    """The queue is full."""


class Worker:
    """A thread with a bounded queue."""

    def __init__(self, waiting: int) -> None:
        """`waiting` counts the call at work too."""
        self._places = threading.BoundedSemaphore(waiting)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="inference")

    async def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Calls `function` in the thread when its turn comes."""
        if not self._places.acquire(blocking=False):
            raise Busy
        try:
            future = self._pool.submit(function, *args, **kwargs)
        except RuntimeError:
            self._places.release()
            raise Busy from None  # the server is closing
        # Also when the caller gave up while it waited: a call that has not begun is taken out of the queue.
        future.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Finishes the call at work, forgets those that wait."""
        self._pool.shutdown(wait=True, cancel_futures=True)
