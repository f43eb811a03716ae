"""Synonyms: some words give way to others that mean the same (Wei and Zou 2019, SR)."""

from __future__ import annotations

from collections.abc import Sequence

from bertie.text.augmentation.base import Draft, Edit, WordWay
from bertie.text.words import Word


class Synonym(WordWay):
    """Of the words that the thesaurus knows."""

    name = "synonym"
    about = "words become words that mean the same, by a table of ours and a file of yours"

    def of(self, draft: Draft, found: Sequence[Word]) -> list[Edit]:
        known = [(word, others) for word in found if (others := self.sources.synonyms.others(word.text))]
        chosen = draft.random.sample(known, min(self.count(found), len(known)))
        return [Edit(word.start, word.end, draft.random.choice(others)) for word, others in chosen]
