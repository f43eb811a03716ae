"""Label spelling: one label that two files write in two ways, as `1.0` and `1`, or `True` and `true`.

In:  labels that a model does not know, labels that it knows
Out: which of them may be meant, and what to do about it
Knows nothing of rows and models.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_POINT = re.compile(r"([0-9])\.0+$")  # pandas writes a class so where one is missing
SHOWN = 5
"""Labels that a message has room for."""


def respelled(strange: Iterable[str], known: Iterable[str]) -> dict[str, str]:
    """Of the strange labels those that are known in another spelling, each with that one."""
    spelled = {spelling(label): label for label in known}
    return {label: spelled[key] for label in strange if (key := spelling(label)) in spelled}


def advice(strange: Iterable[str], known: Iterable[str]) -> str:
    """The end of a message about strange labels; empty where none of them has another spelling."""
    found = list(respelled(strange, known).items())[:SHOWN]
    pairs = ", ".join(f"{other!r} for {label!r}" for label, other in found)
    return f"; training has {pairs}: write them alike" if pairs else ""


def spelling(label: str) -> str:
    """What all spellings of a label share: case, width, spaces and a `.0` behind a number do not count."""
    plain = " ".join(unicodedata.normalize("NFKC", label).casefold().split())
    return _POINT.sub(r"\1", plain)
