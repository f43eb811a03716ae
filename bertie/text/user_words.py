"""User words: a person's words as whole pieces, where that would not cut other words.

In:  words with Han characters, texts
Out: a pattern that finds them; which of them mostly stand across the borders of other words; texts with all borders
Knows nothing of vocabularies and files.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from bertie.text.words import words

HAN_WORD = re.compile(r"[〇\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
BORDER = "\ue000"
"""A character that stands in no text: it is for private use."""
_ENOUGH = 200  # places of a word that are looked at


class WordBorders:
    """Counts where each word stands: between borders of the dictionary's words, or across one (`和服` in `产品和服务`).

    A tokenizer has no dictionary, so a word that it takes as a whole it takes everywhere.
    """

    def __init__(self, asked: Sequence[str]) -> None:
        self._pattern = re.compile("|".join(map(re.escape, _longest_first(asked)))) if asked else None
        self._places: Counter[str] = Counter()
        self._across: Counter[str] = Counter()

    def look(self, text: str) -> None:
        """Counts the places in a text."""
        if self._pattern is None:
            return
        lowered = text.lower() if len(text.lower()) == len(text) else text
        found = [match for match in self._pattern.finditer(lowered) if self._places[match.group()] < _ENOUGH]
        if not found:
            return
        borders = {word.start for word in words(text)} | {len(text)}
        for match in found:
            self._places[match.group()] += 1
            self._across[match.group()] += not {match.start(), match.end()} <= borders

    def wrong(self) -> dict[str, str]:
        """Words that stand across borders in most places, with the reason."""
        return {
            word: f"in {self._across[word]} of {places} places it is part of two other words"
            for word, places in self._places.items()
            if self._across[word] * 2 > places
        }


def at_word_borders(text: str) -> str:
    """The text with BORDER around each word of the dictionary that has Han characters."""
    if not HAN_WORD.search(text):
        return text
    parts = (f"{BORDER}{word.text}{BORDER}" if HAN_WORD.search(word.text) else word.text for word in words(text))
    return "".join(parts)


def pattern_of(asked: Sequence[str], characters: bool) -> str:
    """An expression for these words, the longest first, and perhaps for every other single Han character.

    Words are grouped by their first character, so that one look leaves most of them out. Letters and digits at the
    edges of a word have no others beside them.
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for word in _longest_first(asked):
        groups[word[0]].append(word)
    found = [f"(?={re.escape(first)})(?:{'|'.join(map(_guarded, group))})" for first, group in sorted(groups.items())]
    return "|".join([*found, *([r"\p{Han}"] if characters else [])])


def _guarded(word: str) -> str:
    before = "" if HAN_WORD.match(word[0]) else r"(?<![\p{Latin}\p{N}])"
    behind = "" if HAN_WORD.match(word[-1]) else r"(?![\p{Latin}\p{N}])"
    return f"{before}{re.escape(word)}{behind}"


def _longest_first(asked: Sequence[str]) -> list[str]:
    return sorted(asked, key=lambda word: (-len(word), word))
