"""A probe: what a frozen encoder's states are good for, measured while it is pre-trained.

In:  labelled texts, an encoder as it is
Out: accuracy of a linear layer on its states, alone or beside that of random weights
Knows nothing of pre-training.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from bertie.core.errors import DataError
from bertie.data.batches import Example
from bertie.data.corpus import Shards
from bertie.data.demo import news_en, reviews_zh
from bertie.evaluation.features import pooled_features
from bertie.evaluation.linear import Floats, fit_logistic
from bertie.metrics.intervals import Interval, mean_interval, paired_difference
from bertie.nn.encoder import Encoder
from bertie.text.language import detect
from bertie.text.tokenizer import Tokenizer

ROWS = 400
"""Texts to learn from, and as many to judge by: the probe takes seconds."""
LENGTH = 128
STRENGTH = 1.0
LOOKED_AT = 50
"""Documents that tell the language of a corpus."""


@dataclass(frozen=True, kw_only=True)
class Probe(ABC):
    """Texts of known labels, encoded once."""

    name: str
    labels: tuple[list[str], list[str]]
    """Of what it learns from, and of what it judges by."""
    pad_id: int

    @abstractmethod
    def features(self, encoder: Encoder, dtype: torch.dtype) -> tuple[Floats, Floats]:
        """Of both sides what the linear layer reads, (N, D) each."""

    def score(self, encoder: Encoder, dtype: torch.dtype = torch.float32) -> float:
        """Accuracy of logistic regression on the encoder's states."""
        return float(np.mean(self.right(encoder, dtype)))

    def right(self, encoder: Encoder, dtype: torch.dtype = torch.float32) -> list[bool]:
        """Of each question that judges whether it is answered rightly."""
        names = sorted(set(self.labels[0]))
        features = self.features(encoder, dtype)
        mean, spread = features[0].mean(axis=0), features[0].std(axis=0) + 1e-6
        known, asked = (torch.from_numpy((part - mean) / spread).float() for part in features)
        truth = torch.tensor([[float(label == name) for name in names] for label in self.labels[0]])
        solution = fit_logistic(known, truth, False, STRENGTH)  # (C, D + 1)
        guessed = (asked @ solution[:, :-1].T + solution[:, -1]).argmax(dim=1).tolist()
        return [names[i] == label for i, label in zip(guessed, self.labels[1], strict=True)]

    def beside_random(self, encoder: Encoder, seed: int, dtype: torch.dtype = torch.float32) -> BesideRandom:
        """The encoder, and one of its shape from random weights."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            random = Encoder(encoder.config).to(next(encoder.parameters()).device)
        right, guessed = self.right(encoder, dtype), self.right(random, dtype)
        return BesideRandom(
            self.name, mean_interval(right), float(np.mean(guessed)), paired_difference(right, guessed), len(right)
        )


@dataclass(frozen=True)
class BesideRandom:
    """What a probe finds in an encoder, beside what it finds in random weights."""

    name: str
    accuracy: Interval
    random: float
    difference: Interval
    asked: int

    def line(self) -> str:
        """For a person."""
        low, high = (f"{end:+.3f}" for end in (self.difference.low, self.difference.high))
        clear = "clearly above them" if self.difference.low > 0.0 else "not clearly above them"
        return (
            f"probe, {self.name}, a linear model on the frozen encoder: {self.accuracy.value:.3f} of {self.asked:,}, "
            f"from random weights {self.random:.3f}: {clear} ({low} to {high})"
        )

    def as_json(self) -> dict[str, Any]:
        """What stands in metrics.json."""
        return {
            **asdict(self.accuracy),
            "name": self.name,
            "random": self.random,
            "difference": asdict(self.difference),
        }


@dataclass(frozen=True, kw_only=True)
class TextProbe(Probe):
    """Texts of one label each."""

    texts: tuple[list[Example], list[Example]]

    def features(self, encoder: Encoder, dtype: torch.dtype) -> tuple[Floats, Floats]:
        known, asked = (pooled_features(encoder, part, self.pad_id, dtype) for part in self.texts)
        return known, asked


def in_chinese(tokenizer: Tokenizer, documents: Shards) -> bool:
    """Whether texts are written in Chinese, or in Chinese too, and the vocabulary has its usual characters."""
    if tokenizer.encode("物流很快，质量也不错").ids.count(tokenizer.unk_id) > 1:
        return False
    some = range(0, len(documents), max(1, len(documents) // LOOKED_AT))
    texts = (tokenizer.decode(documents[i].ids[:LENGTH].tolist()) for i in some)
    return detect(texts).language in ("zh", "mixed")


def text_probe(tokenizer: Tokenizer, chinese: bool, say: Callable[[str], None], longest: int = LENGTH) -> Probe | None:
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
    name = "reviews" if chinese else "news topics"
    return TextProbe(name=name, labels=labels, pad_id=tokenizer.pad_id, texts=(examples[0], examples[1]))
