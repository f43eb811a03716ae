"""Marks: which pieces begin a word, and which begin a sentence.

In:  a text, the characters that its pieces came from, words of the user's own
Out: for each piece a number, the sum of WORD and SENTENCE where they hold
Knows nothing of ids, masks or models.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bertie.text.sentences import sentences
from bertie.text.words import words

WORD = 1
"""This piece begins a word."""
SENTENCE = 2
"""This piece begins a sentence, and so a word."""

_HAN = "〇\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_JOINING = "\u0300-\u036f\u200d\ufe0f"  # accents and joiners belong to what stands before them
_HAS_HAN = re.compile(f"[{_HAN}]")
_UNIT = re.compile(rf"(?:[^\W_{_HAN}]|[{_JOINING}])+|[^\w\s{_JOINING}]|_")
"""What is one word without a dictionary: letters and digits together, and each mark alone, as BERT cuts them."""


def word_starts(text: str, user_words: tuple[str, ...] = ()) -> NDArray[np.bool_]:
    """(characters,): True where a word begins. Han characters by the dictionary, all else by spaces and marks.

    A word that the dictionary or the user has whole (`T恤`, `C++`) is one word though it has letters or marks in it.
    """
    starts = np.zeros(len(text), dtype=np.bool_)
    starts[[match.start() for match in _UNIT.finditer(text)]] = True
    if not user_words and not _HAS_HAN.search(text):
        return starts
    own = frozenset(user_words)
    for word in words(text, user_words):
        if _HAS_HAN.search(word.text) or word.text in own:
            starts[word.start + 1 : word.end] = False
            starts[word.start] = True
    return starts


def marks(text: str, offsets: Sequence[tuple[int, int]], user_words: tuple[str, ...] = ()) -> NDArray[np.uint8]:
    """(pieces,): what each piece begins; `offsets` are the pieces' characters [start, end), in order.

    A piece begins a word if a word begins in it, or in characters before it that no piece has. So a piece that
    straddles the border of two words is a beginning, and of several pieces of one character only the first is one.
    """
    found = np.zeros(len(offsets), dtype=np.uint8)
    if not len(offsets):
        return found
    is_word = word_starts(text, user_words)
    is_sentence = np.zeros(len(text), dtype=np.bool_)
    is_sentence[[start for start, _ in sentences(text)]] = True
    is_word |= is_sentence
    spans = np.array(offsets, dtype=np.int64)  # (pieces, 2)
    ends = np.maximum.accumulate(spans[:, 1])
    found += WORD * _begins(is_word, ends) + SENTENCE * _begins(is_sentence, ends)
    return _moved_to_metaspace(found, spans[:, 0] == spans[:, 1])


def _begins(starts: NDArray[np.bool_], ends: NDArray[np.int64]) -> NDArray[np.uint8]:
    """1 for a piece where a start lies between the end of the piece before and its own."""
    counted = np.concatenate([[0], np.cumsum(starts)])[ends]
    return (np.diff(counted, prepend=0) > 0).astype(np.uint8)


def _moved_to_metaspace(found: NDArray[np.uint8], is_empty: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """A piece of no characters, a lone metaspace, stands before a word and is its beginning."""
    before = np.flatnonzero(is_empty[:-1] & ~is_empty[1:])
    found[before] |= found[before + 1]
    found[before + 1] = 0
    return found
