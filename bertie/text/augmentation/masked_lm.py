"""Masked-LM replacement: a language model says what else could stand in the place of a word (Kobayashi 2018; Wu et al.
2019, who let the model see the label too, which ours does not).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import product

from bertie.core.errors import UsageError
from bertie.text.augmentation.base import Candidates, Draft, Edit, Sources, Way, is_han, negates
from bertie.text.augmentation.thesaurus import written_as
from bertie.text.words import Word, words

LONGEST = 3
"""Han characters of a word that is replaced; each is a blank of its own."""
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]+")


class MaskedLM(Way):
    """A word becomes one that the model holds for likely; of Han characters one that the dictionary knows."""

    name = "masked_lm"
    about = "words become others that a masked language model expects there"
    asks_model = True

    def __init__(self, strength: float, sources: Sources) -> None:
        super().__init__(strength, sources)
        if sources.fill is None:
            raise UsageError(
                "masked_lm asks a masked language model; name one with augmentation.model: a bundle of "
                "`bertie pretrain` with masked_lm, or a checkpoint that has the head"
            )
        self._fill = sources.fill

    def edits(self, drafts: Sequence[Draft]) -> list[list[Edit]]:
        chosen = [self._chosen(draft) for draft in drafts]
        asked = [i for i, found in enumerate(chosen) if found]
        told = self._fill([_parts(drafts[i].text, chosen[i]) for i in asked]) if asked else []
        edits = [list[Edit]() for _ in drafts]
        for i, blanks in zip(asked, told, strict=True):
            if len(blanks) == sum(map(_blanks, chosen[i])):  # a text with a mask of its own has more
                edits[i] = self._replaced(drafts[i], chosen[i], blanks)
        return edits

    def _chosen(self, draft: Draft) -> list[Word]:
        found = self.words(draft)
        able = [word for word in found if _blanks(word)]
        chosen = draft.random.sample(able, min(self.count(found), len(able)))
        return sorted(chosen, key=lambda word: word.start)

    def _replaced(self, draft: Draft, chosen: Sequence[Word], blanks: Sequence[Candidates]) -> list[Edit]:
        edits, first = list[Edit](), 0
        for word in chosen:
            own = blanks[first : first + _blanks(word)]
            first += len(own)
            if likely := _likely(word, own):
                (other,) = draft.random.choices(list(likely), list(likely.values()))
                edits.append(Edit(word.start, word.end, written_as(word.text, other)))
        return edits


def _blanks(word: Word) -> int:
    """How many blanks a word is; 0 for one that no single piece can stand for."""
    if is_han(word.text):
        return len(word.text) if len(word.text) <= LONGEST else 0
    return int(_LATIN.fullmatch(word.text) is not None)


def _parts(text: str, chosen: Sequence[Word]) -> list[str]:
    """The text around its blanks; between two of one word stands nothing."""
    parts, reach = list[str](), 0
    for word in chosen:
        parts += [text[reach : word.start], *[""] * (_blanks(word) - 1)]
        reach = word.end
    return [*parts, text[reach:]]


def _likely(word: Word, blanks: Sequence[Candidates]) -> dict[str, float]:
    """Other words for this one, each with its weight."""
    han, found = is_han(word.text), dict[str, float]()
    for pieces in product(*blanks):
        other, weight = "".join(text for text, _ in pieces), 1.0
        for _, score in pieces:
            weight *= score
        fits = len(other) == len(word.text) and all(map(is_han, other)) if han else _LATIN.fullmatch(other)
        if negates(other):
            continue  # `很好` would become `不好`, with the label it had
        if fits and weight > 0.0 and other.lower() != word.text.lower() and (not han or len(words(other)) == 1):
            found[other] = weight
    return found
