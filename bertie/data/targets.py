"""Targets: what a text speaks of, by its name or by its place, to every place where it stands.

In:  a text; a name that stands in it, or {"start", "end"}
Out: places [start, end) in characters, at least one; CellError where there is none
Knows nothing of files, and of what is said of the target.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from bertie.data.cells import CellError
from bertie.data.spans import shown

Place = tuple[int, int]
Target = str | Mapping[str, int]
_LETTER = r"[A-Za-z0-9\u00c0-\u024f]"


def places_of(target: Target, text: str, name: str = "target") -> list[Place]:
    """All places of a target; `name` is its column, for messages.

    Inside a longer word (`Ann` in `Announced`) a name counts only where it never stands alone; Chinese has no such
    borders.
    """
    if not isinstance(target, str):
        return [(target["start"], target["end"])]
    if not target.strip():
        raise CellError(f"{name!r} is empty, expected a name that stands in the text; fill it in or delete the row")
    plain = re.escape(target)
    for pattern in (rf"(?<!{_LETTER}){plain}(?!{_LETTER})", plain):
        if places := [match.span() for match in re.finditer(pattern, text)]:
            return places
    what = f"{name!r} is {shown(target)}, which does not stand in the text {shown(text)}"
    raise CellError(f"{what}; write it as the text does, or delete the row")
