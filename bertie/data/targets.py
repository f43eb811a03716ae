"""Targets: what a text speaks of, by its name or by its place, to every place where it stands.

In:  a text; a name that stands in it, or {"start", "end"}
Out: places [start, end) in characters, at least one; CellError where there is none
Knows nothing of files, and of what is said of the target.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from bertie.data.cells import CellError
from bertie.data.spans import shown

Place = tuple[int, int]
"""Start and end in characters."""
Target = str | Mapping[str, int]
_LETTER = re.compile(r"[A-Za-z0-9\u00c0-\u024f]")


def places_of(target: Target, text: str, name: str = "target") -> list[Place]:
    """All places of a target, none inside another; `name` is its column, for messages.

    Inside a longer word (`Ann` in `Announced`) a name counts only where it never stands alone; Chinese has no such
    borders. The time grows with the two lengths alone: who sends a text may choose both.
    """
    if not isinstance(target, str):
        return [(target["start"], target["end"])]
    if not target.strip():
        raise CellError(f"{name!r} is empty, expected a name that stands in the text; fill it in or delete the row")
    found = [(start, start + len(target)) for start in _starts(target, text)]
    if not found:
        what = f"{name!r} is {shown(target)}, which does not stand in the text {shown(text)}"
        raise CellError(f"{what}; write it as the text does, or delete the row")
    return _apart(place for place in found if _stands_alone(text, place)) or _apart(found)


def _starts(target: str, text: str) -> Iterator[int]:
    """Where the target begins, also inside of itself, by one look at each character (Knuth, Morris & Pratt 1977).

    A pattern, and `find` from place to place, would compare all of the target anew at each.
    """
    borders, held = _borders(target), 0
    for i, character in enumerate(text):
        while held and (held == len(target) or character != target[held]):
            held = borders[held - 1]
        held += character == target[held]
        if held == len(target):
            yield i + 1 - held


def _borders(target: str) -> list[int]:
    """For each beginning of the target how many of its last characters are the target's first ones."""
    found, held = [0], 0
    for character in target[1:]:
        while held and character != target[held]:
            held = found[held - 1]
        held += character == target[held]
        found.append(held)
    return found


def _stands_alone(text: str, place: Place) -> bool:
    start, end = place
    return not (start and _LETTER.match(text, start - 1)) and not _LETTER.match(text, end)


def _apart(places: Iterable[Place]) -> list[Place]:
    """The first one, and each that begins where the last one taken has ended."""
    found = list[Place]()
    for place in places:
        if not found or place[0] >= found[-1][1]:
            found.append(place)
    return found
