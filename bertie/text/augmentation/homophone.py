"""Homophones: Han characters that sound alike, as they are typed by mistake with pinyin."""

from __future__ import annotations

from collections.abc import Sequence

from bertie.text.augmentation.base import Draft, Edit, WordWay, is_han
from bertie.text.augmentation.pinyin import homophones
from bertie.text.words import Word

NEAR = 0.25
"""How often a character that sounds only nearly alike (zh and z, n and l, -ng and -n) is taken if both are there."""


class Homophone(WordWay):
    """One character of a word, whatever its tone."""

    name = "homophone"
    about = "Han characters become others that sound alike, or nearly"

    def of(self, draft: Draft, found: Sequence[Word]) -> list[Edit]:
        han, random = [word for word in found if is_han(word.text)], draft.random
        edits = []
        for word in random.sample(han, min(self.count(found), len(han))):
            place = random.randrange(len(word.text))
            same, near = homophones(word.text[place])
            heard = near if near and (not same or random.random() < NEAR) else same
            if heard:
                edits.append(Edit(word.start + place, word.start + place + 1, random.choice(heard)))
        return edits
