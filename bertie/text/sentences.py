"""Sentences: Chinese and English text cut at the ends of its sentences.

In:  a text
Out: the places of its sentences, in order, without the spaces around them
Knows nothing of grammar, words or models: marks and what stands beside them decide.
"""

from __future__ import annotations

import re

Place = tuple[int, int]
"""Characters [start, end) of the text that was given."""

_CLOSING = r"[\"'”’」』）)\]】]*+"
_END = re.compile(rf"[。！？…]++{_CLOSING}|(?<![.!?])[.!?]++{_CLOSING}(?=\s++[^a-z\s]|[\u4e00-\u9fff]|\s*+$)|\n")
"""A full-width mark ends a sentence wherever it stands. A dot does so before white space, unless the next word is small
(`approx. ten`), so that 3.14 and example.com stay whole.

Marks are read as a whole and from their first one, so that a text of dots alone takes no time: behind fewer of them
stands another one, which begins nothing."""
_SHORT = re.compile(r"(?:\b[A-Z]|\b(?:Mr|Mrs|Ms|Dr|St|Prof|Gen|Col|Lt|Jr|Sr|vs|No|cf|Fig))\.$")
"""What has a dot and goes on after it: `J. K. Rowling`, `Dr. Smith`."""
_LONGEST_SHORT = len("Prof.\n")
"""A line may end behind the dot."""


def sentences(text: str) -> list[Place]:
    """The sentences of a text; what has no end mark is one, and a text of white space has none."""
    found, start = [], 0
    for match in _END.finditer(text):
        if _SHORT.search(text, max(start, match.end() - _LONGEST_SHORT), match.end()):
            continue
        found.append((start, match.end()))
        start = match.end()
    found.append((start, len(text)))
    return [place for one in found if (place := _trimmed(text, one))]


def _trimmed(text: str, place: Place) -> Place | None:
    start, end = place
    inside = text[start:end]
    start, end = start + len(inside) - len(inside.lstrip()), end - len(inside) + len(inside.rstrip())
    return (start, end) if start < end else None
