"""Linear models over given features: what both floors are made of.

In:  features (N, D), a column of labels, one label or several a row
Out: weights by L-BFGS, folds, probabilities, thresholds, answers in the task's form
Knows nothing of texts or encoders.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from bertie.core.errors import DataError
from bertie.metrics import labels as label_metrics
from bertie.metrics.labels import f1_of_counts
from bertie.tasks.base import Answer

# N rows, D features, C labels
Floats = NDArray[np.float32]
Places = NDArray[np.int64]

FOLDS = 5
ONE_FOLD_FROM = 3000
"""From so many rows on, one fold of five is held out instead of each in turn: its noise is below a point."""
PRECISION = {"ftol": 1e-7, "gtol": 1e-5}
"""When L-BFGS ends; float32 sums tell no smaller difference."""
SCALES = np.geomspace(0.3, 30.0, 25)


@dataclass(frozen=True)
class Targets:
    """A column of labels as a matrix."""

    labels: list[str]
    several: bool
    matrix: Floats  # (N, C) zeros and ones
    metric: str = "micro_f1"
    """By which the threshold of several labels is chosen."""

    @classmethod
    def of(cls, column: Sequence[Any], labels: Sequence[str] = (), metric: str | None = None) -> Targets:
        """From strings, or lists of strings. `labels` fixes the order; otherwise sorted, as the task does."""
        several = isinstance(column[0], list)
        rows: list[list[str]] = list(column) if several else [[label] for label in column]
        names = list(labels) or sorted({label for row in rows for label in row})
        if len(names) < 2:
            raise DataError(f"a floor needs at least two labels, found {len(names)}; give rows of another label")
        place = {label: i for i, label in enumerate(names)}
        matrix = np.zeros((len(rows), len(names)), dtype=np.float32)
        for i, row in enumerate(rows):
            matrix[i, [place[label] for label in row]] = 1.0
        return cls(names, several, matrix, metric or cls.metric)

    @classmethod
    def none(cls, labels: list[str], several: bool) -> Targets:
        """The labels without a row: what answers need."""
        return cls(labels, several, np.zeros((0, len(labels)), np.float32))

    def take(self, places: Places) -> Targets:
        """The same for some of the rows."""
        return replace(self, matrix=self.matrix[places])


def folds(targets: Targets, seed: int, most: int | None = None) -> list[tuple[Places, Places]]:
    """(fit, held out) indices, stratified; five folds for few rows, one for many; at most `most` rows to fit."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(targets.matrix))
    order = order[np.argsort(targets.matrix[order].argmax(1), kind="stable")]
    parts = [np.sort(order[start::FOLDS]) for start in range(FOLDS)]
    used = parts[:1] if len(order) >= ONE_FOLD_FROM else [part for part in parts if len(part)]
    return [(rng.permutation(np.setdiff1d(order, part))[:most], part) for part in used]


def fit_logistic(
    features: Tensor, targets: Tensor, several: bool, strength: float, start: Tensor | None = None, steps: int = 100
) -> Tensor:
    """Weights and bias (C, D + 1) of the least summed cross-entropy plus strength / 2 x squared weights.

    One label: multinomial. Several: a sigmoid each. `strength` is 1 / C of scikit-learn: it means the same for any
    number of rows, so what is found on a part holds for the whole. L-BFGS on all rows at once: the loss is convex, so
    the answer does not depend on `start` (C, D + 1), only the time does.
    """
    inputs = torch.cat([features, torch.ones(len(features), 1)], dim=1)  # (N, D + 1)
    shape = (targets.shape[1], inputs.shape[1])

    def loss_and_slope(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        solution = torch.from_numpy(flat.reshape(shape)).float()
        logits = inputs @ solution.T  # (N, C)
        fit = _cross_entropy(logits, targets, several)
        excess = (logits.sigmoid() if several else logits.softmax(-1)) - targets  # the slope of either loss
        slope = excess.T @ inputs / len(inputs)  # (C, D + 1)
        decay = strength / len(inputs) * solution
        decay[:, -1] = 0.0  # the bias is free
        loss = fit + float((decay * solution).sum()) / 2
        return loss, (slope + decay).double().numpy().ravel()

    first = np.zeros(shape) if start is None else start.double().numpy()
    options = {"maxiter": steps, **PRECISION}
    # Trap: the optimiser's own sums wake a second pool of threads beside torch's at each step; on a small problem next
    # to another busy process that was 40 times slower.
    with threadpool_limits(1):
        found = minimize(loss_and_slope, first.ravel(), jac=True, method="L-BFGS-B", options=options)
    return torch.from_numpy(found.x.reshape(shape)).float()


def _cross_entropy(logits: Tensor, targets: Tensor, several: bool) -> float:
    """Mean over the rows; several labels: summed over the labels of a row."""
    if several:
        return float(binary_cross_entropy_with_logits(logits, targets, reduction="sum")) / len(targets)
    return float(cross_entropy(logits, targets))


def surprise(margins: Floats, targets: Targets) -> float:
    """Mean cross-entropy of margins (N, C), in nats a row: small where the right labels were likely."""
    return _cross_entropy(torch.from_numpy(margins), torch.from_numpy(targets.matrix), targets.several)


def probabilities(margins: Floats, several: bool, scale: float = 1.0) -> Floats:
    """Margins (N, C) to a softmax over the labels, or to a sigmoid each."""
    scaled = torch.from_numpy(margins) * scale
    return (scaled.sigmoid() if several else scaled.softmax(-1)).numpy()


def best_scale(margins: Floats, targets: Targets) -> float:
    """The factor on held-out margins that makes their probabilities most honest (temperature; Guo et al. 2017)."""
    return float(min(SCALES, key=lambda scale: surprise(margins * np.float32(scale), targets)))


def best_threshold(scores: Floats, targets: Targets) -> float:
    """The probability from which one of several labels is given, by their metric; 0.5 where a row has one."""
    if not targets.several:
        return 0.5
    return label_metrics.best_threshold(scores, targets.matrix > 0, targets.metric)


def quality(scores: Floats, targets: Targets, threshold: float = 0.5) -> float:
    """Accuracy, or micro F1 for several labels."""
    truth = targets.matrix > 0
    if not targets.several:
        return float(truth[np.arange(len(scores)), scores.argmax(1)].mean())
    guess = scores >= threshold
    counts = np.array([(truth & guess).sum(), (guess & ~truth).sum(), (truth & ~guess).sum()])
    return float(f1_of_counts(counts))


def answers(scores: Floats, targets: Targets, threshold: float) -> list[Answer]:
    """Probabilities (N, C) in the form of the classification task."""
    return [_answer(dict(zip(targets.labels, row, strict=True)), targets.several, threshold) for row in scores.tolist()]


def _answer(named: dict[str, float], several: bool, threshold: float) -> Answer:
    if several:
        chosen = [label for label, score in named.items() if score >= threshold]
        return {"labels": sorted(chosen, key=lambda label: -named[label]), "scores": named}
    best = max(named, key=lambda label: named[label])
    return {"label": best, "score": named[best], "scores": named}
