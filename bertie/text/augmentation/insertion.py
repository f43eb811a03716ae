"""Insertion: synonyms of some words are put somewhere else in the text (Wei and Zou 2019, RI)."""

from __future__ import annotations

from collections.abc import Sequence

from bertie.text.augmentation.base import Draft, Edit, WordWay, is_han
from bertie.text.words import Word


class Insertion(WordWay):
    """Before another word of the same script."""

    name = "insertion"
    about = "synonyms of some words are put before other words"

    def of(self, draft: Draft, found: Sequence[Word]) -> list[Edit]:
        known = [(word, others) for word in found if (others := self.sources.synonyms.others(word.text))]
        edits = []
        for _, others in draft.random.sample(known, min(self.count(found), len(known))):
            other = draft.random.choice(others)
            alike = [word for word in found if is_han(word.text) == is_han(other)]
            if alike:
                before = draft.random.choice(alike).start
                edits.append(Edit(before, before, other if is_han(other) else f"{other} "))
        return edits
