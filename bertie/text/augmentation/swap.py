"""Swap: pairs of words change places (Wei and Zou 2019, RS)."""

from __future__ import annotations

from collections.abc import Sequence

from bertie.text.augmentation.base import Draft, Edit, WordWay, is_han
from bertie.text.words import Word


class Swap(WordWay):
    """Both words of one script, so that spaces stay where they belong."""

    name = "swap"
    about = "pairs of words change places"

    def of(self, draft: Draft, found: Sequence[Word]) -> list[Edit]:
        pairs = list[tuple[Word, Word]]()
        for han in (True, False):
            alike = [word for word in found if is_han(word.text) == han]
            draft.random.shuffle(alike)
            pairs += [
                (one, other) for one, other in zip(alike[::2], alike[1::2], strict=False) if one.text != other.text
            ]
        chosen = draft.random.sample(pairs, min(self.count(found), len(pairs)))
        return [Edit(word.start, word.end, other.text) for pair in chosen for word, other in (pair, (pair[1], pair[0]))]
