"""Something that happens at the n-th change of the file system, such as a kill.

In:  a number, a function
Out: the function is called in place of the n-th rename, removal or new folder; what comes before is done
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

CHANGES = ("mkdir", "rename", "replace", "rmdir", "unlink")


class Interrupted(BaseException):
    """Nobody catches this one."""


def interrupt() -> None:
    raise Interrupted


@contextmanager
def at_change(number: int, happens: Callable[[], None] = interrupt) -> Iterator[None]:
    """Counts from 1, while it is entered."""
    count = 0

    def counted(change: Callable[..., Any]) -> Callable[..., Any]:
        def changed(*arguments: Any, **more: Any) -> Any:
            nonlocal count
            count += 1
            if count == number:
                happens()
            return change(*arguments, **more)

        return changed

    with patch.multiple(os, **{name: counted(getattr(os, name)) for name in CHANGES}):
        yield
