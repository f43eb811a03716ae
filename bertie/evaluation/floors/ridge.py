"""Ridge regression: on TF-IDF, on the states of an encoder that nobody has tuned, and its bare cosine.

In:  texts, or pairs of texts, with a number
Out: answers in the form of regression, a linear solution that the head can start from
Knows nothing of the training that follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import cross_val_predict

from bertie.data.rows import Rows
from bertie.evaluation.features import pooled_features, sequence_features
from bertie.evaluation.floors.base import Floor, Ground, State
from bertie.evaluation.ngrams import sparse_features
from bertie.metrics.correlation import spearman
from bertie.tasks.base import Answer, Task
from bertie.tasks.regression import Regression, features_of
from bertie.text.ngrams import fit_vectorizers

Floats = NDArray[np.float32]
STRENGTHS = (0.1, 1.0, 10.0)
"""Candidates for the penalty on TF-IDF features."""
DENSE_STRENGTHS = tuple(float(10.0**k) for k in range(7))
"""Candidates for the penalty on an encoder's features, by leave-one-out error."""
FOLDS = 5


@dataclass(frozen=True)
class TfidfRidge(Floor):
    """Ridge regression on TF-IDF n-grams; of a pair on both sides, their product, distance and cosine.

    A bundle does not keep it: its features would outweigh the model.
    """

    name: ClassVar[str] = "tfidf_ridge"
    tasks: ClassVar[tuple[str, ...]] = ("regression",)
    vectorizers: list[Any]
    columns: tuple[str, ...]
    model: Ridge

    @classmethod
    def fit(cls, train: Rows, ground: Ground) -> TfidfRidge:
        """The penalty is chosen by the correlation on rows that were held out."""
        columns = ground.task.columns
        vectorizers = fit_vectorizers([text for column in columns for text in train.column(column)])
        features, gold = sparse_features(vectorizers, train, columns), _numbers(train)

        def held_out(strength: float) -> float:
            model = Ridge(alpha=strength, solver="sparse_cg")
            return spearman(gold, cross_val_predict(model, features, gold, cv=min(FOLDS, len(gold))))

        best = max(STRENGTHS, key=held_out)
        return cls(vectorizers, columns, Ridge(alpha=best, solver="sparse_cg").fit(features, gold))

    def predict(self, rows: Rows, ground: Ground) -> list[Answer]:
        return _answers(self.model.predict(sparse_features(self.vectorizers, rows, self.columns)))


@dataclass(frozen=True)
class FrozenRidge(Floor):
    """Ridge regression on the features that the head reads, of an encoder that nobody has tuned."""

    name: ClassVar[str] = "frozen_ridge"
    tasks: ClassVar[tuple[str, ...]] = ("regression",)
    reads_encoder: ClassVar[bool] = True
    weight: Floats  # (F,) over `features_of`
    bias: float
    mean: float
    deviation: float
    encoder: str
    """Fingerprint of the encoder whose features these are."""

    @classmethod
    def fit(cls, train: Rows, ground: Ground) -> FrozenRidge:
        gold = _numbers(train)
        mean, deviation = float(gold.mean()), float(gold.std()) or 1.0
        model = RidgeCV(alphas=DENSE_STRENGTHS).fit(_features(train, ground), (gold - mean) / deviation)
        fingerprint = ground.fingerprint
        return cls(model.coef_.astype(np.float32), float(model.intercept_), mean, deviation, fingerprint)

    def predict(self, rows: Rows, ground: Ground) -> list[Answer]:
        ground.prove(self.encoder)
        return _answers((_features(rows, ground) @ self.weight + self.bias) * self.deviation + self.mean)

    def start(self, task: Task) -> bool:
        """Kumar et al. 2022: probe, then tune."""
        if not isinstance(task, Regression) or task.settings.pooling != "mean":
            return False
        task.start_from(torch.from_numpy(self.weight), self.bias)
        return True

    def state(self) -> State:
        numbers = {"bias": self.bias, "mean": self.mean, "deviation": self.deviation, "encoder": self.encoder}
        return State(numbers, {"weight": self.weight})

    @classmethod
    def from_state(cls, state: State) -> FrozenRidge:
        return cls(state.weights["weight"], **state.document)


def _features(rows: Rows, ground: Ground) -> Floats:
    """What the head of the task would read (N, F)."""
    task = ground.task
    assert isinstance(task, Regression)
    # Two sides that are compared are a vector each; the windows of a long text are one.
    pool = sequence_features if task.compared else pooled_features
    pooled = pool(ground.encoder, ground.encode(rows), ground.tokenizer.pad_id, ground.dtype)  # (S, D) or (N, D)
    found: Floats = features_of(torch.from_numpy(pooled), task.compared).numpy()
    return found


def _numbers(rows: Rows) -> NDArray[np.float64]:
    return np.array([float(label) for label in rows.column("label")])


def _answers(values: NDArray[Any]) -> list[Answer]:
    return [{"value": float(value)} for value in values]
