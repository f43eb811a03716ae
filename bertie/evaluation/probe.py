"""Linear probe: logistic regression on features, with its regularisation chosen on rows that were held out.

In:  features (N, D), labels
Out: answers in the form of classification, a score by cross-validation, a linear solution that a head can start from
Knows nothing of texts or of where the features came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bertie.evaluation.linear import (
    Floats,
    Targets,
    answers,
    best_threshold,
    fit_logistic,
    folds,
    probabilities,
    quality,
    surprise,
)
from bertie.nn.heads import normalised
from bertie.tasks.base import Answer

# N rows, D width, C labels
STRENGTHS = (600.0, 200.0, 60.0, 20.0, 6.0, 2.0)
"""Candidates for the regularisation of the frozen floor, strong to weak: each starts from the solution before.

The likelihood of held-out labels chooses, not their accuracy: on 200 rows six of eight candidates shared one accuracy,
and the strongest of them, which then won, was a point worse on new rows and far too unsure to start a head from.
"""
SEARCH_ROWS, SEARCH_STEPS = 3000, 30
"""Rows and L-BFGS steps with which a candidate is tried; the winner gets all rows and as many steps as it needs."""


@dataclass(frozen=True)
class LinearProbe:
    """Logistic regression on given features, each row brought to mean 0 and deviation 1.

    The normalisation is the one that a classification head can do too, so a head can start from this solution.
    """

    targets: Targets
    weight: Floats  # (C, D) over normalised features, standardisation folded in
    bias: Floats  # (C,)
    threshold: float

    @classmethod
    def fit(
        cls,
        features: Floats,
        labels: Sequence[Any],
        names: Sequence[str] = (),
        seed: int = 0,
        metric: str | None = None,
    ) -> LinearProbe:
        """Chooses the regularisation on held-out training rows, then fits all of them.

        `names` fixes the order of the labels; otherwise they are sorted, as the task does. `metric` chooses the
        threshold of several labels a row; otherwise micro F1.
        """
        targets = Targets.of(labels, names, metric)
        choice = _search(features, targets, seed)
        inputs, mean, deviation = _standardised(_normalised(features))
        solution = fit_logistic(inputs, torch.from_numpy(targets.matrix), targets.several, choice.strength)
        weight = solution[:, :-1] / deviation  # (C, D)
        bias = solution[:, -1] - weight @ mean  # (C,)
        return cls(targets, weight.numpy(), bias.numpy(), choice.threshold)

    @property
    def labels(self) -> list[str]:
        """The labels, in the order of the rows of `linear`."""
        return self.targets.labels

    def predict_features(self, features: Floats) -> list[Answer]:
        """One answer per row of features (N, D)."""
        logits = _normalised(features).numpy() @ self.weight.T + self.bias  # (N, C)
        return answers(probabilities(logits, self.targets.several), self.targets, self.threshold)

    def linear(self) -> tuple[Tensor, Tensor]:
        """Weight (C, D) and bias (C,) over mean-pooled states that were normalised (`nn.heads.normalised`)."""
        return torch.from_numpy(self.weight), torch.from_numpy(self.bias)


def cross_validated(features: Floats, labels: Sequence[Any], seed: int = 0) -> float:
    """Accuracy (several labels: micro F1) of the probe on training rows that were held out while fitting."""
    return _search(features, Targets.of(labels), seed).score


@dataclass(frozen=True)
class _Choice:
    score: float
    strength: float
    threshold: float


def _search(features: Floats, targets: Targets, seed: int) -> _Choice:
    """Regularisation by the likelihood of held-out rows; of equally good ones the stronger."""
    inputs = _normalised(features)
    parts = folds(targets, seed, SEARCH_ROWS)
    held = targets.take(np.concatenate([part for _, part in parts]))
    outside: dict[float, list[Floats]] = {strength: [] for strength in STRENGTHS}
    for fit, part in parts:
        known, mean, deviation = _standardised(inputs[fit])
        unseen = (inputs[part] - mean) / deviation
        truth, solution = torch.from_numpy(targets.matrix[fit]), None
        for strength in STRENGTHS:
            solution = fit_logistic(known, truth, targets.several, strength, solution, SEARCH_STEPS)
            outside[strength].append((unseen @ solution[:, :-1].T + solution[:, -1]).numpy())
    logits = {strength: np.concatenate(parts) for strength, parts in outside.items()}
    best = min(logits, key=lambda strength: surprise(logits[strength], held))
    scores = probabilities(logits[best], targets.several)
    threshold = best_threshold(scores, held)
    return _Choice(quality(scores, held, threshold), best, threshold)


def _normalised(features: Floats) -> Tensor:
    return normalised(torch.from_numpy(np.ascontiguousarray(features, dtype=np.float32)))


def _standardised(inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean 0 and deviation 1 in each column, with both, so that they can be folded into weights."""
    mean = inputs.mean(0)
    deviation = inputs.std(0, correction=0).clamp(min=1e-6)
    return (inputs - mean) / deviation, mean, deviation
