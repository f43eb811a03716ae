"""A thesaurus: words in groups, any of which may stand for another.

In:  groups of words, our own or a user's
Out: the others of a word's groups, written as the word is; the words that a segmenter must know
Knows nothing of files but the table beside it, and nothing of texts.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

from bertie.text.user_words import HAN_WORD
from bertie.text.words import words

Group = Sequence[str]


class Thesaurus:
    """Looked up by a word, large and small letters alike."""

    def __init__(self, groups: Iterable[Group]) -> None:
        self.groups = tuple(tuple(dict.fromkeys(group)) for group in groups)
        self._places: dict[str, list[int]] = {}
        for i, group in enumerate(self.groups):
            for word in group:
                self._places.setdefault(word.lower(), []).append(i)

    def others(self, word: str) -> list[str]:
        """What may stand for a word, in the order of the groups; empty where it is not known."""
        plain = word.lower()
        found = dict.fromkeys(other for i in self._places.get(plain, ()) for other in self.groups[i])
        return [written_as(word, other) for other in found if other.lower() != plain]

    @cached_property
    def user_words(self) -> tuple[str, ...]:
        """Words with Han characters that the dictionary alone would cut."""
        known = {word for group in self.groups for word in group if HAN_WORD.search(word)}
        return tuple(sorted(word for word in known if len(words(word)) > 1))


def own_groups() -> list[list[str]]:
    """The table beside this file, Chinese and English."""
    tables: dict[str, str] = tomllib.loads(Path(__file__).with_name("synonyms.toml").read_text(encoding="utf-8"))
    return [line.split() for table in tables.values() for line in table.splitlines() if line]


def written_as(word: str, other: str) -> str:
    """The other word with the capitals of this one: `Good` to `Fine`, `GOOD` to `FINE`."""
    if word.isupper() and len(word) > 1:
        return other.upper()
    return other[:1].upper() + other[1:] if word[:1].isupper() and word[1:] == word[1:].lower() else other
