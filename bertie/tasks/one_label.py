"""What tasks with one label a row share: the labels, their scores, and probabilities set right on the dev rows.

In:  labelled rows, logits of a linear last layer
Out: `{"label", "score", "scores"}`, and metrics
Knows nothing of encoders and of training.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from bertie.core.errors import DataError
from bertie.data.rows import Rows
from bertie.metrics.labels import single_label
from bertie.metrics.samples import F1Sample
from bertie.nn.calibration import Calibration, fit_calibration
from bertie.nn.heads import ClassificationHead
from bertie.nn.losses import balanced_weights, cross_entropy
from bertie.nn.relation_head import RelationHead
from bertie.tasks.base import Answer, Scores, Task, TaskSettings

SMALLEST = 1e-12
"""Probability below which a score counts as this."""


@dataclass(frozen=True, kw_only=True)
class CalibratedSettings(TaskSettings):
    """The same about such a task."""

    calibration: Literal["dev", "none"] = "dev"
    """Set the probabilities of the labels right on the dev rows after training, which may move the border between two
    labels too; with several labels a row, choose the probability from which one is given. Never with class weights,
    which ask for another border."""
    class_weights: Literal["none", "balanced"] = "none"
    """`balanced` weighs a label by rows / (labels * rows of the label) in the loss; where there are several a row, the
    yes of each by its noes / yeses."""


@dataclass(frozen=True)
class OneLabel:
    """What every task with one label a row does with its labels; such a task holds one."""

    # R rows, C labels
    names: list[str]
    """In sorted order."""
    weights: list[float] = field(default_factory=list)
    """Loss weight of each; empty: all one."""

    @classmethod
    def of(cls, rows: Rows, class_weights: str, advice: str) -> OneLabel:
        """The labels of training rows; DataError, with the advice, where there are fewer than two.

        `class_weights`: `none`, or `balanced`, rows / (labels * rows of the label).
        """
        counts = Counter(rows.column("label"))
        if len(counts) < 2:
            names = ", ".join(map(repr, counts)) or "none"
            raise DataError(f"{rows.source}: found {len(counts)} label ({names}), expected at least two; {advice}")
        labels = sorted(counts)
        balanced = balanced_weights(torch.tensor([counts[label] for label in labels])).tolist()
        return cls(labels, balanced if class_weights == "balanced" else [])

    @staticmethod
    def accept(rows: Rows) -> Rows:
        """Labels as texts, also those of a file in which some row made all of them lists; DataError names the rows that
        have none or several.
        """
        gold = [label if isinstance(label, list) else [label] for label in rows.column("label")]
        problems = [
            f"{rows.where(i)}: found {_listed(labels)}, expected one label, as the model gives; correct the row"
            for i, labels in enumerate(gold)
            if len(labels) != 1
        ]
        if problems:
            raise DataError(problems)
        return rows.with_column("label", [labels[0] for labels in gold])

    def target(self, row: Mapping[str, Any]) -> int | None:
        """Index of the row's label; None where it has none, or one that training never saw."""
        label = row.get("label")
        return self.names.index(label) if label in self.names else None

    def loss(self, logits: Tensor, targets: Tensor | None, smoothing: float) -> Tensor:
        """Mean cross-entropy of logits (R, C) and targets (R,)."""
        assert targets is not None, "a batch without targets has no loss"
        weights = torch.tensor(self.weights, device=logits.device) if self.weights else None
        return cross_entropy(logits, targets, class_weights=weights, label_smoothing=smoothing)

    def means(self, loss: Tensor, targets: Tensor | None) -> list[tuple[Tensor, int | Tensor]]:
        """That loss as `Task.means` gives it: rows count by the weights of their labels (R,)."""
        assert targets is not None, "a batch without targets has no loss"
        weights = torch.tensor(self.weights, device=targets.device)
        return [(loss, weights[targets].sum() if self.weights else len(targets))]

    def answers(self, logits: Tensor) -> list[Answer]:
        """Logits (R, C) to `{"label", "score", "scores"}`."""
        return [self.answer(scores) for scores in logits.softmax(-1).float().tolist()]

    def answer(self, scores: Sequence[float]) -> Answer:
        """One probability a label to the same."""
        named = dict(zip(self.names, scores, strict=True))
        best = max(named, key=lambda label: named[label])
        return {"label": best, "score": named[best], "scores": named}

    def score(self, answers: Sequence[Answer], rows: Rows) -> Scores:
        """Accuracy first."""
        judged = single_label(rows.column("label"), [answer["label"] for answer in answers], self.names)
        return Scores("accuracy", judged.metrics, judged.per_row, F1Sample(judged.outcomes), judged.details)

    @staticmethod
    def tie_break(answers: Sequence[Answer], rows: Rows) -> float:
        """Mean probability of the right answers."""
        judged = zip(answers, rows.column("label"), strict=True)
        return float(np.mean([answer["scores"].get(label, 0.0) for answer, label in judged]))


ONE_LABEL_METRICS = ("accuracy", "macro_f1", "weighted_f1")


class CalibratedTask(Task):
    """One label a row, by a linear last layer."""

    settings: CalibratedSettings
    head: ClassificationHead | RelationHead

    @property
    def label_names(self) -> list[str]:
        """The labels in the order of the outputs; empty where there may be several a row."""
        raise NotImplementedError

    @property
    def metrics(self) -> tuple[str, ...]:
        return ONE_LABEL_METRICS

    @property
    def last_layer(self) -> nn.Linear:
        """The layer that gives the logits."""
        return self.head.output

    def answer_from(self, scores: Sequence[float]) -> Answer:
        """One probability a label to the answer a person reads."""
        return OneLabel(self.label_names).answer(scores)

    def averaged(self, answers: Sequence[Answer], row: Mapping[str, Any]) -> Answer:
        """The mean of the probabilities of each label."""
        rows = np.array([list(answer["scores"].values()) for answer in answers])  # (M, C)
        return self.answer_from(rows.mean(0).tolist())

    @property
    def chooses(self) -> bool:
        return bool(self.label_names)

    @property
    def calibrates(self) -> bool:
        options = self.settings
        return options.calibration == "dev" and options.class_weights == "none" and bool(self.label_names)

    def recalibrated(self, answers: Sequence[Answer], rows: Rows) -> list[Answer]:
        found = self._calibration(answers, rows)
        if found is None:
            return list(answers)
        logits = found(_log_scores(answers, self.label_names))
        moved = OneLabel(self.label_names).answers(logits)
        return [{**answer, **new} for answer, new in zip(answers, moved, strict=True)]

    def calibrate(self, answers: Sequence[Answer], rows: Rows) -> list[str]:
        found = self._calibration(answers, rows)
        if found is None:
            return []
        found.into(self.last_layer)
        most = int(found.bias.abs().argmax())
        moved = f", {self.label_names[most]!r} moved by {float(found.bias[most]):+.2f}" if found.bias.any() else ""
        return [
            f"calibrated on {len(rows)} dev rows: logits times {found.scale:.2f}{moved}; --set task.calibration=none "
            "leaves them as trained"
        ]

    def _calibration(self, answers: Sequence[Answer], rows: Rows) -> Calibration | None:
        """Fitted on the rows whose label training saw."""
        index = {label: c for c, label in enumerate(self.label_names)}
        if not self.calibrates:
            return None
        known = [
            (answer, index[label])
            for answer, label in zip(answers, rows.column("label"), strict=True)
            if label in index
        ]
        if not known:
            return None
        return fit_calibration(
            _log_scores([answer for answer, _ in known], self.label_names), torch.tensor([c for _, c in known])
        )


def _listed(labels: Sequence[str]) -> str:
    return f"{len(labels)} labels ({', '.join(labels)})" if labels else "no label"


def _log_scores(answers: Sequence[Answer], names: Sequence[str]) -> Tensor:
    """Logarithms of the probabilities (R, C): logits, but for a constant of each row."""
    rows = [[math.log(max(answer["scores"][name], SMALLEST)) for name in names] for answer in answers]
    return torch.tensor(rows, dtype=torch.float64)
