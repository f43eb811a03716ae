"""Label spelling: one label that two files write in two ways, as `1.0` and `1`, or `True` and `true`.

In:  labels that a model does not know, labels that it knows
Out: which of them may be meant, and what to do about it
Knows nothing of rows and models.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

SHOWN = 5
"""Labels that a message has room for."""


def respelled(strange: Iterable[str], known: Iterable[str]) -> dict[str, str]:
    """Of the strange labels those that are known in another spelling, each with that one."""
    spelled = {_folded(label): label for label in known}
    return {label: spelled[key] for label in strange if (key := _folded(label)) in spelled}


def advice(strange: Iterable[str], known: Iterable[str]) -> str:
    """The end of a message about strange labels; empty where none of them has another spelling."""
    found = list(respelled(strange, known).items())[:SHOWN]
    pairs = ", ".join(f"{other!r} for {label!r}" for label, other in found)
    return f"; training has {pairs}: write them alike" if pairs else ""


def _folded(label: str) -> str:
    """What both spellings share: the value of a number, else the letters in one case and width."""
    try:
        return str(float(label))
    except ValueError:
        return unicodedata.normalize("NFKC", label).casefold().strip()
