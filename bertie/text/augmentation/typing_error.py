"""Typing errors: keys beside the right one, letters dropped, doubled or swapped; Han characters of like shape."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from bertie.text.augmentation.base import Draft, Edit, WordWay, is_han
from bertie.text.augmentation.look_alikes import look_alikes, neighbours
from bertie.text.words import Word

SHORTEST = 4
"""Letters of a word in which an error is made: a shorter one would be another word."""


class TypingError(WordWay):
    """One error a word; its first letter stays, as people mostly get it right."""

    name = "typing_error"
    about = "letters are mistyped; Han characters become others of like shape"

    def of(self, draft: Draft, found: Sequence[Word]) -> list[Edit]:
        able = [word for word in found if _places(word)]
        return [_error(word, draft.random) for word in draft.random.sample(able, min(self.count(found), len(able)))]


def _places(word: Word) -> list[int]:
    """The characters of a word in which an error can be made."""
    if is_han(word.text):
        return [i for i, character in enumerate(word.text) if look_alikes(character)]
    if len(word.text) < SHORTEST:
        return []
    return [i for i, letter in enumerate(word.text) if i and letter.lower() in neighbours()]


def _error(word: Word, random: Random) -> Edit:
    text, i = word.text, random.choice(_places(word))
    if is_han(text):
        return Edit(word.start + i, word.start + i + 1, random.choice(look_alikes(text[i])))
    key = random.choice(neighbours()[text[i].lower()])
    after = text[i + 1 : i + 2]
    # How many letters go, and what comes: a doubled letter before its like reads as the two of a swap.
    errors = [(1, key.upper() if text[i].isupper() else key), (1, ""), (1, text[i] * 2)]
    if after and after != text[i]:
        errors.append((2, after + text[i]))
    length, wrong = random.choice(errors)
    return Edit(word.start + i, word.start + i + length, wrong)
