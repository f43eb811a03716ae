"""Whole words: a place in a text, set to the borders of the words that it touches.

In:  a text, a place in it
Out: the place without white space at its ends, and without a word that it cuts
Knows nothing of dictionaries: where words have no spaces between them, nothing is widened.
"""

from __future__ import annotations

Place = tuple[int, int]
"""Characters [start, end) of the text that was given."""


def whole_words(text: str, start: int, end: int) -> Place:
    """The place, widened to whole words; empty, start and end equal, where nothing but white space is in it."""
    inside = text[start:end]
    start, end = start + len(inside) - len(inside.lstrip()), end - len(inside) + len(inside.rstrip())
    if start >= end:
        return start, start
    while start > 0 and _in_word(text[start - 1]) and _in_word(text[start]):
        start -= 1
    while end < len(text) and _in_word(text[end]) and _in_word(text[end - 1]):
        end += 1
    return start, end


def _in_word(character: str) -> bool:
    """Digits, and letters of the Latin, Greek and Cyrillic alphabets, which all stand before U+0530."""
    return character.isalnum() and character < "\u0530"
