"""Words: Chinese and English text cut into words with their places.

In:  a text, and words of the user's own
Out: words in order, each with its characters [start, end); the words together are the text
Knows nothing of pieces, models or labels. The dictionary comes with rjieba; nothing is downloaded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import rjieba

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Word:
    """A word, a run of spaces or a mark; `text` is what stands in the given text at [start, end)."""

    text: str
    start: int
    end: int


class Segmenter:
    """The dictionary plus a user's words, which are kept whole wherever they stand."""

    def __init__(self, user_words: Iterable[str] = ()) -> None:
        self._jieba = rjieba.Jieba()
        for word in user_words:
            if word.strip():
                self._jieba.add_word(word, None, None)

    def words(self, text: str) -> list[Word]:
        """Cut `text`; joining the words gives it back."""
        readable = _SURROGATE.sub("\ufffd", text)  # the Rust side takes UTF-8 only
        return [Word(text[start:end], start, end) for _, start, end in self._jieba.tokenize(readable)]


@cache
def _default(user_words: tuple[str, ...]) -> Segmenter:
    """Loading the dictionary takes a good part of a second, so it is done at the first use and once."""
    return Segmenter(user_words)


def words(text: str, user_words: Sequence[str] = ()) -> list[Word]:
    """Cut `text` with the dictionary and `user_words`."""
    return _default(tuple(user_words)).words(text)
