"""Markers: two entities marked in the text itself, to a text without markers and their places.

In:  "<e1>Bob</e1> knows <e2>Ann</e2>." or "[E1] Bob [/E1] knows [E2] Ann [/E2] ."
Out: "Bob knows Ann.", [0, 3), [10, 13); CellError where a marker is missing or there twice
Knows nothing of rows and labels.
"""

from __future__ import annotations

import re

from bertie.data.cells import CellError

_STYLES = (re.compile(r"<(/?)e([12])>", re.IGNORECASE), re.compile(r"\[(/?)e([12])\]", re.IGNORECASE))
_WANTED = [("", "1"), ("/", "1"), ("", "2"), ("/", "2")]

Place = tuple[int, int]


def is_marked(text: str) -> bool:
    """Whether there is any marker in the text."""
    return any(style.search(text) for style in _STYLES)


def unmarked(text: str, name: str) -> tuple[str, Place, Place]:
    """The text without its markers, and where the first and the second entity stand in it. They may overlap.

    Where a marker has a space on both sides, or stands at an end of the text, one space came with it and goes with it.
    """
    style = next((style for style in _STYLES if style.search(text)), _STYLES[0])
    matches = list(style.finditer(text))
    keys = [(match[1], match[2]) for match in matches]
    wrong = next((key for key in _WANTED if keys.count(key) != 1), None)
    if wrong:
        what = f"{name!r} has {keys.count(wrong)} markers {_written(style, wrong)}"
        raise CellError(f"{what}, expected one each of {_listed(style)}; mark both entities or name their offsets")
    plain, places, position = "", dict[tuple[str, str], int](), 0
    for key, match in zip(keys, matches, strict=True):
        plain += text[position : match.start()]
        places[key], position = len(plain), match.end()
        position += text.startswith(" ", position) and (not plain or plain.endswith(" "))
    plain = plain + text[position:] if position < len(text) else plain.removesuffix(" ")
    first, second = (_trimmed(plain, places["", side], places["/", side], name) for side in "12")
    return plain, first, second


def _trimmed(text: str, start: int, end: int, name: str) -> Place:
    inside = text[start:end]
    if not inside.strip():
        raise CellError(f"{name!r}: nothing stands between two markers, expected the text of an entity; move them")
    return start + len(inside) - len(inside.lstrip()), start + len(inside.rstrip())


def _written(style: re.Pattern[str], key: tuple[str, str]) -> str:
    """A marker as a person would write it."""
    slash, side = key
    return f"<{slash}e{side}>" if style is _STYLES[0] else f"[{slash}E{side}]"


def _listed(style: re.Pattern[str]) -> str:
    return " ".join(_written(style, key) for key in _WANTED)
