"""Whole words: a place in a text, set to the borders of the words that it touches.

In:  a text, a place in it
Out: the place without white space at its ends, and without a word or a sign that it cuts
Knows nothing of dictionaries: where words have no spaces between them, nothing is widened but over accents.
"""

from __future__ import annotations

import unicodedata

Place = tuple[int, int]
"""Characters [start, end) of the text that was given."""
_JOINER = "\u200d"
"""Makes one emoji of those on either side."""
_JOINING = _JOINER + "\ufe0e\ufe0f"


class WholeWords:
    """Places of one text widened to whole words. Its borders are found once, as a word may be as long as the text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._starts, self._ends = list(range(len(text))), list(range(1, len(text) + 1))
        for place in range(1, len(text)):
            if _goes_on(text, place):
                self._starts[place] = self._starts[place - 1]
        for place in range(len(text) - 1, 0, -1):
            if self._starts[place] != place:
                self._ends[place - 1] = self._ends[place]

    def __call__(self, start: int, end: int) -> Place:
        """The place, widened; empty, start and end equal, where nothing but white space is in it."""
        inside = self.text[start:end]
        start, end = start + len(inside) - len(inside.lstrip()), end - len(inside) + len(inside.rstrip())
        return (start, start) if start >= end else (self._starts[start], self._ends[end - 1])


def clings(character: str) -> bool:
    """Whether it belongs to the one before it: an accent, a joiner of emoji, or how such a one is drawn."""
    return character >= "\u0300" and (character in _JOINING or unicodedata.category(character).startswith("M"))


def _goes_on(text: str, place: int) -> bool:
    """Whether what stands before this place, which is neither end of the text, is one word or one sign with what stands
    behind it."""
    before, behind = text[place - 1], text[place]
    if before.isspace() or behind.isspace():
        return False
    if before == _JOINER or clings(behind):
        return True
    base = place - 1
    while base > 0 and clings(text[base]):
        base -= 1
    return _in_word(text[base]) and _in_word(behind)


def _in_word(character: str) -> bool:
    """Digits, and letters of the Latin, Greek and Cyrillic alphabets, which all stand before U+0530."""
    return character.isalnum() and character < "\u0530"
