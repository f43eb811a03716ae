"""Masking: which pieces of a text a model has to guess, and what it sees in their place.

In:  which pieces begin a word, which may be asked for; a rate; a random generator
Out: places, and the pieces shown there
Knows nothing of models, tokenizers or files.
"""

# T pieces, M masked ones

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Unit = Literal["token", "word", "span", "mixed"]
Ids = NDArray[np.int64]
Flags = NDArray[np.bool_]
SHOWN, RANDOM = 0.8, 0.1
"""Of the places asked for: shown as the mask, shown as a random piece; the rest as it is (Devlin et al. 2019, 3.1)."""
WHOLE_WORDS = 0.5
"""Of the texts of `mixed` those of which whole words are hidden."""
SPAN_STOP = 0.2
"""Of each word of a span that it is the last: lengths are geometric (Joshi et al. 2020, section 3.1)."""
LONGEST_SPAN = 10
"""Words."""


@dataclass(frozen=True)
class Vocabulary:
    """What masking must know of a tokenizer."""

    size: int
    mask: int
    specials: tuple[int, ...]
    """Pieces that are never shown at random."""

    @cached_property
    def ordinary(self) -> Ids:
        """All other pieces."""
        return np.setdiff1d(np.arange(self.size), self.specials)

    def drawn(self, count: int, random: np.random.Generator) -> Ids:
        """Random pieces, no special among them."""
        return self.ordinary[random.integers(len(self.ordinary), size=count)]


def choose(begins: Flags, askable: Flags, rate: float, unit: Unit, random: np.random.Generator) -> Ids:
    """Places (M,), ascending, of the pieces to guess: `rate` of those that may be asked for, in expectation.

    Args:
        begins: (T,), whether a piece is the first of a word.
        askable: (T,), False for specials and padding.
        rate: part of the askable pieces, 0 to 1.
        unit: `token` asks for single pieces, `word` for all pieces of a word, `span` for runs of words, of which most
            are short. A word is never cut: one that is longer than what is left is taken with the chance that keeps the
            rate. `mixed` draws for each text whether `token` or `word` is meant.
        random: drawn from; equal generators give equal places.
    """
    places = np.flatnonzero(askable)
    wanted = rate * len(places)
    left = int(wanted) + int(random.random() < wanted % 1.0)
    if unit == "mixed":
        unit = "word" if random.random() < WHOLE_WORDS else "token"
    if unit == "token":
        return np.sort(random.choice(places, size=left, replace=False)) if left else places[:0]
    starts, ends = _words(begins, askable)
    taken = np.zeros(len(begins), dtype=bool)
    for word in _order(len(starts), unit, random):
        if left <= 0:
            break
        start, end = starts[word], ends[word]
        if taken[start]:
            continue
        if end - start <= left or random.random() < left / (end - start):
            taken[start:end] = True
        left -= end - start
    return np.flatnonzero(taken)


def shown(ids: Ids, places: Ids, vocabulary: Vocabulary, random: np.random.Generator) -> Ids:
    """The ids (T,) as a model sees them in training: mask, random piece or the piece itself at the places."""
    seen = ids.copy()
    drawn = random.random(len(places))
    seen[places[drawn < SHOWN]] = vocabulary.mask
    others = places[(drawn >= SHOWN) & (drawn < SHOWN + RANDOM)]
    seen[others] = vocabulary.drawn(len(others), random)
    return seen


def hidden(ids: Ids, places: Ids, vocabulary: Vocabulary) -> Ids:
    """The ids (T,) with the mask at every place, as a model is judged."""
    seen = ids.copy()
    seen[places] = vocabulary.mask
    return seen


def _words(begins: Flags, askable: Flags) -> tuple[Ids, Ids]:
    """Start and end of each word that may be asked for: from its beginning as far as askable pieces go on."""
    before = np.concatenate([[False], askable[:-1]])
    starts = np.flatnonzero(askable & (begins | ~before))
    stops = np.flatnonzero(~askable | begins)
    ends = np.append(stops, len(begins))[np.searchsorted(stops, starts, side="right")]
    return starts, ends


def _order(words: int, unit: Unit, random: np.random.Generator) -> Iterator[int]:
    """Words in random order, with `span` each followed by as many as its span has."""
    for word in random.permutation(words).tolist():
        yield word
        if unit == "span":
            length = min(int(random.geometric(SPAN_STOP)), LONGEST_SPAN)
            yield from range(word + 1, min(word + length, words))
