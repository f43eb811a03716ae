"""Deletion: some words are left out (Wei and Zou 2019, RD)."""

from __future__ import annotations

from collections.abc import Sequence

from bertie.text.augmentation.base import Draft, Edit, WordWay
from bertie.text.words import Word


class Deletion(WordWay):
    """Never of all words; a space that would be left over goes with its word."""

    name = "deletion"
    about = "some words are left out"

    def of(self, draft: Draft, found: Sequence[Word]) -> list[Edit]:
        if len(found) < 2:
            return []
        drawn = [word for word in found if draft.random.random() < self.strength] or [draft.random.choice(found)]
        if len(drawn) == len(found):
            drawn.remove(draft.random.choice(drawn))
        edits, reach = list[Edit](), 0
        for word in drawn:
            start, end = _with_space(draft.text, word, reach)
            edits.append(Edit(start, end, ""))
            reach = end
        return edits


def _with_space(text: str, word: Word, reach: int) -> tuple[int, int]:
    """The word's place with one space beside it, unless that would join two words; before `reach` all is gone."""
    before, behind = text[max(word.start - 1, 0) : word.start], text[word.end : word.end + 1]
    if word.start > reach and before == " " and not behind.isalnum():
        return word.start - 1, word.end
    if behind == " " and not before.isalnum():
        return word.start, word.end + 1
    return word.start, word.end
