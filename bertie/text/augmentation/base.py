"""The contract of a way of augmentation: a text to another one that means the same, or nearly.

    Draft (text, places that stay, random) --edits--> Edits --changed--> Changed (text, where a place stands now)

In:  texts, places in them that must stay as they are, a random generator of each
Out: edits, from which text and places follow; equal generators give equal edits
Knows nothing of rows, labels and models. What needs a model is a function, which is handed in with `Sources`.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from bertie.text.augmentation.thesaurus import Thesaurus
from bertie.text.words import Word, words

Place = tuple[int, int]
"""Characters [start, end) of a text."""
Candidates = Sequence[tuple[str, float]]
"""What may stand at a blank, each whole word or Han character with its probability."""
Fill = Callable[[Sequence[Sequence[str]]], Sequence[Sequence[Candidates]]]
"""A language model. Each text comes as its parts, between which are the blanks; answered are the candidates of each
blank of each text, in order."""
Translate = Callable[[Sequence[str]], Sequence[str]]
"""Texts to their translations, one for each."""

HAN = "〇\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_SOME_HAN = re.compile(f"[{HAN}]")
_ONLY_HAN = re.compile(f"[{HAN}]+")
_LETTER = rf"[^\W\d_{HAN}]"
_PART_OF_WORD = rf"(?:{_LETTER}|[\d_\u0300-\u036f\u200d\ufe0f])"
_LETTERS = re.compile(rf"(?<!{_PART_OF_WORD}){_LETTER}+(?:['’-]{_LETTER}+)*(?!{_PART_OF_WORD})")
_NEGATION = re.compile(
    "not|no|never|nor|neither|none|nothing|nobody|nowhere|without|hardly|barely|cannot|.*n['’]t"
    "|(?:ai|is|are|was|were|do|does|did|has|have|had|wo|ca|could|should|would|must)nt"
    "|.*[不没无未勿莫].*|.*非|[并绝]非.*|别(?![人的]).*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Edit:
    """`text` comes in the place of the characters [start, end); with start == end it is put between two."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A text that is to be changed."""

    text: str
    random: Random
    kept: tuple[Place, ...] = ()
    """Places that stay as they are; they may lie in each other."""

    def touches(self, start: int, end: int) -> bool:
        """Whether a change of [start, end) would change a place that stays."""
        if start == end:
            return any(first < start < last for first, last in self.kept)
        return any(start < last and first < end for first, last in self.kept)


@dataclass(frozen=True, slots=True)
class Changed:
    """A text after its edits."""

    text: str
    edits: tuple[Edit, ...] = ()
    """Those that were made, in the order of the text."""

    def place(self, place: Place) -> Place:
        """Where a place stands now that no edit has touched."""
        moved = sum(len(edit.text) - (edit.end - edit.start) for edit in self.edits if edit.end <= place[0])
        return place[0] + moved, place[1] + moved


@dataclass(frozen=True)
class Sources:
    """What a way may need beside the text."""

    synonyms: Thesaurus
    fill: Fill | None = None
    translate: tuple[Translate, Translate] | None = None
    """There and back."""


class Way(ABC):
    """A subclass with a `name`, in a file of this folder, can be named in `augmentation.ways`."""

    name: ClassVar[str]
    about: ClassVar[str]
    """One line for a person: what becomes of a text."""
    local: ClassVar[bool] = True
    """Whether it changes words and leaves all others; else a text comes back as a whole, and no place in it stays."""
    asks_model: ClassVar[bool] = False
    """Whether it takes a model, so that it is slow and is asked once."""

    def __init__(self, strength: float, sources: Sources) -> None:
        """`strength` is the part of the words that are changed. UsageError where what it needs is not there."""
        self.strength, self.sources = strength, sources

    @abstractmethod
    def edits(self, drafts: Sequence[Draft]) -> list[list[Edit]]:
        """The edits of each text; none where it finds nothing to change."""

    def words(self, draft: Draft) -> list[Word]:
        """The words that may be changed: Chinese ones by the segmenter, all others by their letters.

        Not those in places that stay, nor numbers, nor words of negation, without which a text says the opposite.
        """
        return free_words(draft, self.sources.synonyms.user_words)

    def count(self, found: Sequence[Word]) -> int:
        """How many of the words are to be changed: at least one (Wei and Zou 2019, section 2)."""
        return max(1, round(self.strength * len(found)))


class WordWay(Way):
    """What ways share that look at one text after the other."""

    def edits(self, drafts: Sequence[Draft]) -> list[list[Edit]]:
        return [self.of(draft, found) if (found := self.words(draft)) else [] for draft in drafts]

    @abstractmethod
    def of(self, draft: Draft, found: Sequence[Word]) -> list[Edit]:
        """The edits of one text with these words, at least one."""


def changed(draft: Draft, edits: Sequence[Edit]) -> Changed:
    """The text with its edits. An edit that touches a place that stays, or an edit before it, is not made, nor one that
    puts a word of negation in (步 sounds like 不); none is where they would leave nothing but spaces.
    """
    parts, made, reach = list[str](), list[Edit](), 0
    for edit in sorted(edits, key=lambda one: (one.start, one.end)):
        if edit.start >= reach and not draft.touches(edit.start, edit.end) and not _opposes(draft, edit):
            parts += [draft.text[reach : edit.start], edit.text]
            made.append(edit)
            reach = edit.end
    text = "".join([*parts, draft.text[reach:]])
    return Changed(text, tuple(made)) if text.strip() else Changed(draft.text)


def _opposes(draft: Draft, edit: Edit) -> bool:
    """Whether an edit inside of a text brings a negation that was not there; a translation of it all may."""
    before = draft.text[edit.start : edit.end]
    return before != draft.text and negates(edit.text) and not negates(before)


def free_words(draft: Draft, user_words: tuple[str, ...] = ()) -> list[Word]:
    """The words of a text that may be changed, in order."""
    text = draft.text
    dictionary = [word for word in words(text, user_words) if is_han(word.text)] if _SOME_HAN.search(text) else []
    mixed = {place for word in dictionary for place in range(word.start, word.end)}
    found = [word for word in dictionary if _ONLY_HAN.fullmatch(word.text)]
    for match in _LETTERS.finditer(text):
        if match.start() not in mixed and match.end() - 1 not in mixed:
            found.append(Word(match.group(), *match.span()))
    free = (one for one in found if not (negates(one.text) or draft.touches(one.start, one.end)))
    return sorted(free, key=lambda word: word.start)


def negates(word: str) -> bool:
    """Whether a word may turn a text into its opposite: none such is taken out of a text or put in. Rather a word too
    many (`未来`) than one too few."""
    return _NEGATION.fullmatch(word) is not None


def is_han(word: str) -> bool:
    """Whether there is a Han character in a word: such words stand without spaces between them."""
    return _SOME_HAN.search(word) is not None
