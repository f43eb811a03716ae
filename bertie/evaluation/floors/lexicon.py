"""The lexicon: entities that training has seen are found again, and nothing else.

In:  labelled rows of tagging
Out: answers in the form of tagging
Knows nothing of encoders.

A string is in it where the training names it an entity more often than not: "May" is a month more often than a person.
What stands inside a longer entity is not asked, unless entities of the training lie inside each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from bertie.data.entity_checks import MarkedText, checked_entities, sharing
from bertie.data.rows import Rows
from bertie.data.tokens import marked_tokens
from bertie.data.units import run_of
from bertie.evaluation.floors.base import Floor, Ground, State
from bertie.tasks.base import Answer

Words = tuple[str, ...]
"""The units of an entity, as they are written."""
LARGEST = 200_000
"""With more entries it is not kept: a floor must not outweigh the model."""


@dataclass(frozen=True)
class LexiconFloor(Floor):
    """The longest string that is known, from left to right; where entities nest, every string that is known."""

    name: ClassVar[str] = "lexicon"
    tasks: ClassVar[tuple[str, ...]] = ("tagging",)
    entries: Mapping[Words, Mapping[str, float]]
    """Labels of each string, with the part of its occurrences that have this label."""
    nested: bool

    @classmethod
    def fit(cls, train: Rows, ground: Ground) -> LexiconFloor:
        texts = checked_entities(train)
        nested = bool(sharing(texts))
        labelled: Counter[tuple[Words, str]] = Counter()
        for text in texts:
            words = _words(text.text, text.offsets)
            labelled.update((words[first : last + 1], label) for (first, last), label in _runs(text))
        occurred = _occurrences(texts, _lengths(words for words, _ in labelled), nested)
        parts: dict[Words, dict[str, float]] = {}
        for (words, label), times in labelled.most_common():
            parts.setdefault(words, {})[label] = times / occurred[words]
        entries = {words: found for words, part in parts.items() if (found := _kept(part, nested))}
        return cls(entries, nested)

    def predict(self, rows: Rows, ground: Ground) -> list[Answer]:
        lengths = _lengths(self.entries)
        return [self._answer(text, lengths) for text in rows.column("text")]

    def state(self) -> State | None:
        """Nothing where there are too many entries."""
        if len(self.entries) > LARGEST:
            return None
        return State(
            {"nested": self.nested, "entries": [[list(w), dict(part)] for w, part in self.entries.items()]}, {}
        )

    @classmethod
    def from_state(cls, state: State) -> LexiconFloor:
        values = state.document
        return cls({tuple(words): part for words, part in values["entries"]}, values["nested"])

    def _answer(self, text: str, lengths: Mapping[str, Sequence[int]]) -> Answer:
        offsets = marked_tokens(text)
        words, entities, free = _words(text, offsets), [], 0
        for first, last in _matches(words, lengths):
            part = self.entries.get(words[first : last + 1])
            if part is None or (not self.nested and first < free):
                continue
            start, end, free = offsets[first][0], offsets[last][1], last + 1
            for label, score in part.items():
                found = {"text": text[start:end], "label": label, "start": start, "end": end, "score": score}
                entities.append(found)
        return {"entities": sorted(entities, key=lambda one: (one["start"], one["end"], one["label"]))}


def _kept(part: Mapping[str, float], nested: bool) -> dict[str, float]:
    """The labels that a string gets: of nested entities each that is more often there than not, else the best."""
    if nested:
        return {label: share for label, share in part.items() if share > 0.5}
    best = max(part, key=lambda label: part[label])
    return {best: part[best]} if sum(part.values()) > 0.5 else {}


def _occurrences(texts: Sequence[MarkedText], lengths: Mapping[str, Sequence[int]], nested: bool) -> Counter[Words]:
    """How often each string of known first word and length stands in the texts."""
    found: Counter[Words] = Counter()
    for text in texts:
        words, runs = _words(text.text, text.offsets), {run for run, _ in _runs(text)}
        for first, last in _matches(words, lengths):
            if nested or (first, last) in runs or not any(a <= first and last <= b for a, b in runs):
                found[words[first : last + 1]] += 1
    return found


def _lengths(entries: Iterator[Words] | Mapping[Words, object]) -> dict[str, list[int]]:
    """First word to the lengths of the strings that begin with it, the longest first."""
    found: dict[str, set[int]] = {}
    for words in entries:
        found.setdefault(words[0], set()).add(len(words))
    return {word: sorted(lengths, reverse=True) for word, lengths in found.items()}


def _matches(words: Words, lengths: Mapping[str, Sequence[int]]) -> Iterator[tuple[int, int]]:
    """First and last unit of each string that could be known: from left to right, the longest first."""
    for first, word in enumerate(words):
        for length in lengths.get(word, ()):
            if first + length <= len(words):
                yield first, first + length - 1


def _words(text: str, offsets: Sequence[tuple[int, int]]) -> Words:
    return tuple(text[start:end] for start, end in offsets)


def _runs(text: MarkedText) -> list[tuple[tuple[int, int], str]]:
    runs = ((run_of(text.offsets, one["start"], one["end"]), one["label"]) for one in text.entities)
    return [(run, label) for run, label in runs if run is not None]
