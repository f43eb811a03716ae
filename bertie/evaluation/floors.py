"""Floors: what is reached without fine-tuning, measured on the same rows as the model.

In:  training rows; features of a frozen encoder
Out: answers in the task's form, a score by cross-validation, a linear solution that a head can start from
Knows nothing of training, of bundles or of how the answers are judged.

Both are meant to be hard to beat: a floor that was easy to pass would praise every model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from torch import Tensor

from bertie.core.runtime import autocast
from bertie.data.batches import Batch, Example, pack, stack
from bertie.data.rows import Rows
from bertie.evaluation.linear import (
    Floats,
    Targets,
    answers,
    best_scale,
    best_threshold,
    fit_logistic,
    folds,
    probabilities,
    quality,
    surprise,
)
from bertie.evaluation.ngrams import fit_machines, fit_vectorizers, margins, sparse_features
from bertie.nn.encoder import Encoder
from bertie.nn.heads import mean_pool, normalised
from bertie.tasks.base import Answer
from bertie.tasks.classification import Classification

# N rows, D width, F sparse features, C labels, S sequences, T tokens, R rows of a batch
PENALTIES = (0.1, 0.5, 2.0)
"""Candidates for C of the support vector machines."""
STRENGTHS = (600.0, 200.0, 60.0, 20.0, 6.0, 2.0)
"""Candidates for the regularisation of the frozen floor, strong to weak: each starts from the solution before.

The likelihood of held-out labels chooses, not their accuracy: on 200 rows six of eight candidates shared one accuracy,
and the strongest of them, which then won, was a point worse on new rows and far too unsure to start a head from.
"""
SEARCH_ROWS, SEARCH_STEPS = 3000, 30
"""Rows and L-BFGS steps with which a candidate is tried; the winner gets all rows and as many steps as it needs."""


@dataclass(frozen=True)
class TfidfFloor:
    """TF-IDF n-grams and linear support vector machines, one against the rest, with fitted probabilities.

    Not logistic regression: the machines are as good on 151 intents at a fifth of the time, 1 point ahead on titles.
    """

    vectorizers: list[TfidfVectorizer]
    columns: tuple[str, ...]
    targets: Targets
    solution: Floats  # (F + 1, C), the last row is the bias
    scale: float
    threshold: float

    @classmethod
    def fit(cls, rows: Rows, task: Classification, seed: int = 0) -> TfidfFloor:
        """Chooses C on held-out training rows, then fits all of them."""
        targets = Targets.of(rows.column("label"), task.labels)
        vectorizers = fit_vectorizers([text for column in task.columns for text in rows.column(column)])
        features = sparse_features(vectorizers, rows, task.columns)
        parts = folds(targets, seed)
        held = targets.take(np.concatenate([part for _, part in parts]))
        found = []
        for penalty in PENALTIES:
            pairs = [(fit_machines(features[fit], targets.take(fit), penalty), features[part]) for fit, part in parts]
            outside = np.concatenate([margins(solution, unseen) for solution, unseen in pairs])
            scale = best_scale(outside, held)
            scores = probabilities(outside, held.several, scale)
            threshold = best_threshold(scores, held)
            found.append((quality(scores, held, threshold), -penalty, scale, threshold))
        _, penalty, scale, threshold = max(found)  # equally good: the stronger regularisation
        return cls(vectorizers, task.columns, targets, fit_machines(features, targets, -penalty), scale, threshold)

    def predict(self, rows: Rows) -> list[Answer]:
        """One answer per row, in the form that the task scores."""
        distances = margins(self.solution, sparse_features(self.vectorizers, rows, self.columns))
        scores = probabilities(distances, self.targets.several, self.scale)
        return answers(scores, self.targets, self.threshold)


@dataclass(frozen=True)
class FrozenFloor:
    """Logistic regression on the mean states of an untrained encoder, each brought to mean 0 and deviation 1.

    The normalisation is the one that a classification head can do too, so a head can start from this solution.
    """

    targets: Targets
    weight: Floats  # (C, D) over normalised features, standardisation folded in
    bias: Floats  # (C,)
    threshold: float
    encoder: str = ""
    """Fingerprint of the encoder whose features these are; with those of another it would answer at random."""

    @classmethod
    def fit(cls, features: Floats, labels: Sequence[Any], names: Sequence[str] = (), seed: int = 0) -> FrozenFloor:
        """Chooses the regularisation on held-out training rows, then fits all of them.

        `names` fixes the order of the labels; otherwise they are sorted, as the task does.
        """
        targets = Targets.of(labels, names)
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
    """Accuracy (several labels: micro F1) of the frozen floor on training rows that were held out while fitting."""
    return _search(features, Targets.of(labels), seed).score


def pooled_features(
    encoder: Encoder,
    examples: Sequence[Example],
    pad_id: int,
    dtype: torch.dtype = torch.float32,
    *,
    rows_per_batch: int = 64,
    tokens_per_batch: int = 4096,
) -> Floats:
    """Mean of the last states of each row (N, D), in the order of the rows; of several sequences, the mean of means.

    `dtype` is what the encoder computes in; the means are float32.
    """
    lengths = [example.length for example in examples]
    order = sorted(range(len(examples)), key=lambda i: lengths[i])
    device = next(encoder.parameters()).device
    found: dict[int, NDArray[np.float32]] = {}
    trained = encoder.training
    encoder.eval()
    with torch.inference_mode(), autocast(device, dtype):
        for indices in pack(order, lengths, rows_per_batch, tokens_per_batch):
            batch = stack([examples[i] for i in indices], pad_id).to(device)
            found.update(zip(indices, _pooled(encoder, batch).cpu().numpy(), strict=True))
    encoder.train(trained)
    return np.stack([found[i] for i in range(len(examples))])


def _pooled(encoder: Encoder, batch: Batch) -> Tensor:
    states = encoder(batch.input_ids, batch.attention_mask, batch.token_type_ids)  # (S, T, D)
    each = mean_pool(states, batch.attention_mask).float()  # (S, D)
    total = torch.zeros(batch.rows, each.shape[1], device=each.device).index_add_(0, batch.row, each)  # (R, D)
    return total / batch.row.bincount(minlength=batch.rows).unsqueeze(1)


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
