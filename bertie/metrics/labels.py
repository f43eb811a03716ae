"""Labels: predicted against gold, one label a row or several.

In:  gold and predicted labels of the same rows; the labels known from training
Out: `LabelScores`: metrics, each row's share, the table per class, the confusion matrix, all as plain values
Knows nothing of texts, tasks or models.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bertie.core.errors import DataError

# N rows, L labels
Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LabelScores:
    """What `single_label` and `multi_label` give; every value is plain JSON."""

    metrics: dict[str, float]
    """Metrics by name, 0 to 1; larger is better, except `unseen_labels`, a count."""
    per_row: list[float]
    """Single label: 1.0 right, 0.0 wrong. Several: the row's own F1; 1.0 where nothing was asked and nothing said."""
    details: dict[str, Any]
    """`per_class`, `unseen_labels`; one label: `confusion`; several labels: `row_counts`, (tp, fp, fn) of each row."""


def single_label(gold: Sequence[str], predicted: Sequence[str], labels: Sequence[str]) -> LabelScores:
    """Accuracy, macro and weighted F1. A gold label that is not in `labels` (training) is counted and scored wrong.

    The macro average runs over the labels that occur in gold or predictions, as in scikit-learn: a label of the
    training that this file never mentions says nothing about the model.
    """
    _check(gold, predicted)
    known = set(labels)
    order = [*labels, *sorted(set(gold) - known), *sorted(set(predicted) - known - set(gold))]
    place = {label: i for i, label in enumerate(order)}
    cells = np.array([place[g] * len(order) + place[p] for g, p in zip(gold, predicted, strict=True)])
    confusion = np.bincount(cells, minlength=len(order) ** 2).reshape(len(order), len(order))  # (L gold, L predicted)
    right = np.diag(confusion)
    per_class = _per_class(right, confusion.sum(0) - right, confusion.sum(1) - right)
    unseen = sum(label not in known for label in gold)
    # A model can never name an unseen label, so the diagonal is empty there and the row counts as wrong by itself,
    # unless somebody's predictions do name it (a rule, an older model): then right is right.
    return LabelScores(
        metrics={"accuracy": float(right.sum() / len(gold)), **_averages(per_class), "unseen_labels": float(unseen)},
        per_row=[float(g == p) for g, p in zip(gold, predicted, strict=True)],
        details={
            "per_class": _table(order, per_class),
            "confusion": {"labels": order, "counts": confusion.tolist()},
            "unseen_labels": unseen,
        },
    )


def multi_label(
    gold: Sequence[Collection[str]], predicted: Sequence[Collection[str]], labels: Sequence[str]
) -> LabelScores:
    """Micro, macro, weighted and samples F1, subset accuracy, for rows that each have any number of labels."""
    _check(gold, predicted)
    known = set(labels)
    named = set().union(*gold, *predicted)
    order = [*labels, *sorted(named - known)]
    truth, guess = _indicators(gold, order), _indicators(predicted, order)  # (N, L)
    hits, extra, missed = truth & guess, guess & ~truth, truth & ~guess
    per_class = _per_class(hits.sum(0), extra.sum(0), missed.sum(0))
    rows = np.stack([hits.sum(1), extra.sum(1), missed.sum(1)], axis=1)  # (N, 3)
    row_f1 = f1_of_counts(rows)
    unseen = sum(label not in known for row in gold for label in set(row))
    return LabelScores(
        metrics={
            "micro_f1": float(f1_of_counts(rows.sum(0))),
            **_averages(per_class),
            "samples_f1": float(row_f1.mean()),
            "subset_accuracy": float((truth == guess).all(axis=1).mean()),
            "unseen_labels": float(unseen),
        },
        per_row=row_f1.tolist(),
        details={"per_class": _table(order, per_class), "row_counts": rows.tolist(), "unseen_labels": unseen},
    )


def f1_of_counts(counts: Counts | Floats) -> Floats:
    """F1 of (..., 3) counts (tp, fp, fn); 1.0 where all three are 0: nothing to find and nothing claimed."""
    right, extra, missed = counts[..., 0], counts[..., 1], counts[..., 2]
    total = 2 * right + extra + missed
    return np.where(total > 0, 2 * right / np.maximum(total, 1), 1.0)


def confused_pairs(confusion: dict[str, Any], most: int = 20) -> list[tuple[str, str, int]]:
    """(gold, predicted, rows) of the most frequent errors; what to show of a matrix too large to look at."""
    counts = np.array(confusion["counts"])
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:most]
    names = confusion["labels"]
    cells = [divmod(int(cell), len(names)) for cell in order]
    return [(names[g], names[p], int(counts[g, p])) for g, p in cells if counts[g, p]]


def _check(gold: Sequence[Any], predicted: Sequence[Any]) -> None:
    assert len(gold) == len(predicted), f"{len(gold)} gold labels, {len(predicted)} predictions"
    if not gold:
        raise DataError("there are no rows to score: the file has no row with a label; give a file with labels")


def _indicators(rows: Sequence[Collection[str]], order: Sequence[str]) -> NDArray[np.bool_]:
    place = {label: i for i, label in enumerate(order)}
    table = np.zeros((len(rows), len(order)), dtype=np.bool_)
    for i, row in enumerate(rows):
        for label in row:
            table[i, place[label]] = True
    return table


def _per_class(right: Counts, extra: Counts, missed: Counts) -> Floats:
    """(L, 5): precision, recall, F1, support, predictions. A class without predictions has precision 0."""
    predicted, support = right + extra, right + missed
    precision = right / np.maximum(predicted, 1)
    recall = right / np.maximum(support, 1)
    f1 = 2 * right / np.maximum(predicted + support, 1)
    return np.stack([precision, recall, f1, support, predicted], axis=1).astype(np.float64)


def _averages(per_class: Floats) -> dict[str, float]:
    f1, support, predicted = per_class[:, 2], per_class[:, 3], per_class[:, 4]
    seen = (support + predicted) > 0
    return {
        "macro_f1": float(f1[seen].mean()) if seen.any() else 1.0,
        "weighted_f1": float((f1 * support).sum() / support.sum()) if support.any() else 0.0,
    }


def _table(order: Sequence[str], per_class: Floats) -> list[dict[str, Any]]:
    return [
        {"label": label, "precision": float(p), "recall": float(r), "f1": float(f), "support": int(s)}
        for label, (p, r, f, s, _) in zip(order, per_class, strict=True)
    ]
