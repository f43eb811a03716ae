"""Homophones: Han characters that sound alike, as they are typed by mistake with pinyin."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from bertie.text.augmentation.base import Draft, Edit, WordWay
from bertie.text.augmentation.pinyin import homophones
from bertie.text.words import Word

NEAR = 0.25
"""How often a character that sounds only nearly alike (zh and z, n and l, -ng and -n) is taken if both are there."""


class Homophone(WordWay):
    """One character of a word, whatever its tone."""

    name = "homophone"
    about = "Han characters become others that sound alike, or nearly"

    def of(self, draft: Draft, found: Sequence[Word]) -> list[Edit]:
        able, random = [word for word in found if _places(word)], draft.random
        chosen = random.sample(able, min(self.count(found), len(able)))
        return [_heard(word, random) for word in chosen]


def _places(word: Word) -> list[int]:
    """The characters of a word that sound like others."""
    return [i for i, character in enumerate(word.text) if any(homophones(character))]


def _heard(word: Word, random: Random) -> Edit:
    i = random.choice(_places(word))
    same, near = homophones(word.text[i])
    heard = near if near and (not same or random.random() < NEAR) else same
    return Edit(word.start + i, word.start + i + 1, random.choice(heard))
