"""Labels: predicted against gold, one label a row or several.

In:  gold and predicted labels of the same rows; the labels known from training
Out: `LabelScores`: metrics, each row's share, the table per class, the confusion matrix, all as plain values; and
     `Outcomes`, from which averages of F1 can be taken again over other draws of the rows
Knows nothing of texts, tasks or models.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bertie.metrics.rows import check_collections, check_rows

# N rows, L labels, U kinds of rows
Counts = NDArray[np.int64]
Kinds = NDArray[np.signedinteger[Any]]
Floats = NDArray[np.float64]
Table = NDArray[np.floating[Any]]
THRESHOLDS = np.arange(5, 96, 5) / 100
"""Candidates for the probability from which one of several labels is given."""


@dataclass(frozen=True)
class Outcomes:
    """What was right, extra and missed in each row. Rows of which all that is equal are one kind, held once."""

    kinds: Kinds
    """(U, 3, L): how often this label was right, extra and missed; 0 or 1 where a row names a label once at most."""
    of_row: Counts
    """(N,): the kind of each row."""


@dataclass(frozen=True)
class LabelScores:
    """What `single_label`, `multi_label` and `span_scores` give; every value but `outcomes` is plain JSON."""

    metrics: dict[str, float]
    """Metrics by name, 0 to 1; larger is better, except `unseen_labels`, a count."""
    per_row: dict[str, list[float]]
    """Each row's share of the metrics that are a mean over rows, 0 to 1; the others are `AVERAGES` of outcomes.

    `samples_f1` is the row's own F1: 1.0 where nothing was asked and nothing said.
    """
    outcomes: Outcomes
    details: dict[str, Any]
    """`per_class`, `unseen_labels`; one label: `confusion`."""


def single_label(gold: Sequence[str], predicted: Sequence[str], labels: Sequence[str]) -> LabelScores:
    """Accuracy, macro and weighted F1. A gold label that is not in `labels` (training) is counted and scored wrong.

    The macro average runs over the labels that occur in gold or predictions, as in scikit-learn: a label of the
    training that this file never mentions says nothing about the model.
    """
    check_rows(gold, predicted)
    known = set(labels)
    order = [*labels, *sorted(set(gold) - known), *sorted(set(predicted) - known - set(gold))]
    place = {label: i for i, label in enumerate(order)}
    cells = np.array([place[g] * len(order) + place[p] for g, p in zip(gold, predicted, strict=True)])
    pairs, of_row = np.unique(cells, return_inverse=True)
    one = np.eye(len(order), dtype=np.bool_)  # (L, L)
    truth, guess = one[pairs // len(order)], one[pairs % len(order)]  # (U, L)
    confusion = np.bincount(cells, minlength=len(order) ** 2).reshape(len(order), len(order))  # (L gold, L predicted)
    right = np.diag(confusion)
    total = np.stack([right, confusion.sum(0) - right, confusion.sum(1) - right])  # (3, L)
    unseen = sum(label not in known for label in gold)
    # A model can never name an unseen label, so the diagonal is empty there and the row counts as wrong by itself,
    # unless somebody's predictions do name it (a rule, an older model): then right is right.
    return LabelScores(
        metrics={
            "accuracy": float(right.sum() / len(gold)),
            "macro_f1": float(macro_f1(total)),
            "weighted_f1": float(weighted_f1(total)),
            "unseen_labels": float(unseen),
        },
        per_row={"accuracy": [float(g == p) for g, p in zip(gold, predicted, strict=True)]},
        outcomes=Outcomes(_compared(truth, guess), of_row),
        details={
            "per_class": per_class(order, total),
            "confusion": {"labels": order, "counts": confusion.tolist()},
            "unseen_labels": unseen,
        },
    )


def multi_label(
    gold: Sequence[Collection[str]], predicted: Sequence[Collection[str]], labels: Sequence[str]
) -> LabelScores:
    """Micro, macro, weighted and samples F1, subset accuracy, for rows that each have any number of labels."""
    check_rows(gold, predicted)
    check_collections([*gold, *predicted], "label")
    known = set(labels)
    named = set().union(*gold, *predicted)
    order = [*labels, *sorted(named - known)]
    truth, guess = _indicators(gold, order), _indicators(predicted, order)  # (N, L)
    both, of_row = np.unique(np.concatenate([truth, guess], axis=1), axis=0, return_inverse=True)  # (U, 2L), (N,)
    outcomes = Outcomes(_compared(both[:, : len(order)], both[:, len(order) :]), of_row.reshape(-1))
    total = np.einsum("u,ukl->kl", np.bincount(outcomes.of_row), outcomes.kinds)  # (3, L)
    row_f1 = f1_of_counts(outcomes.kinds.sum(-1))[outcomes.of_row]  # (N,)
    exact = (truth == guess).all(axis=1)  # (N,)
    unseen = sum(label not in known for row in gold for label in set(row))
    return LabelScores(
        metrics={
            "micro_f1": float(micro_f1(total)),
            "macro_f1": float(macro_f1(total)),
            "weighted_f1": float(weighted_f1(total)),
            "samples_f1": float(row_f1.mean()),
            "subset_accuracy": float(exact.mean()),
            "unseen_labels": float(unseen),
        },
        per_row={"samples_f1": row_f1.tolist(), "subset_accuracy": exact.astype(np.float64).tolist()},
        outcomes=outcomes,
        details={"per_class": per_class(order, total), "unseen_labels": unseen},
    )


def f1_of_counts(counts: Counts | Floats) -> Floats:
    """F1 of (..., 3) counts (tp, fp, fn); 1.0 where all three are 0: nothing to find and nothing claimed."""
    right, extra, missed = counts[..., 0], counts[..., 1], counts[..., 2]
    total = 2 * right + extra + missed
    return np.where(total > 0, 2 * right / np.maximum(total, 1), 1.0)


def best_threshold(scores: Table, truth: NDArray[np.bool_], metric: str = "micro_f1") -> float:
    """The probability from which labels are given that is best on scores (N, L) of which those of `truth` (N, L) are
    right; of equally good ones that nearest to 0.5. `metric` is one of `multi_label`."""

    def quality(threshold: float) -> tuple[float, float]:
        return _several_quality(truth, scores >= threshold, metric), -abs(threshold - 0.5)

    return float(max(THRESHOLDS.tolist(), key=quality))


def _several_quality(truth: NDArray[np.bool_], guess: NDArray[np.bool_], metric: str) -> float:
    """A metric of `multi_label` of indicators (N, L), without the rest of it."""
    if metric == "subset_accuracy":
        return float((truth == guess).all(axis=1).mean())
    outcomes = (truth & guess, guess & ~truth, truth & ~guess)
    if metric == "samples_f1":
        return float(f1_of_counts(np.stack([one.sum(axis=1) for one in outcomes], axis=-1)).mean())
    return float(AVERAGES[metric](np.stack([one.sum(axis=0) for one in outcomes])))


def micro_f1(counts: Counts | Floats) -> Floats:
    """F1 of all labels together, of (..., 3, L) counts."""
    return f1_of_counts(counts.sum(-1))


def macro_f1(counts: Counts | Floats) -> Floats:
    """Mean F1 of the labels that occur in gold or predictions, of (..., 3, L) counts."""
    occurs = counts.sum(-2) > 0  # (..., L)
    f1 = np.where(occurs, f1_of_counts(np.moveaxis(counts, -2, -1)), 0.0)
    return np.where(occurs.any(-1), f1.sum(-1) / np.maximum(occurs.sum(-1), 1), 1.0)


def weighted_f1(counts: Counts | Floats) -> Floats:
    """Mean F1 of the labels, each weighing as its gold rows, of (..., 3, L) counts; 0.0 without gold labels."""
    support = counts[..., 0, :] + counts[..., 2, :]  # (..., L)
    f1 = f1_of_counts(np.moveaxis(counts, -2, -1))
    return np.asarray((f1 * support).sum(-1) / np.maximum(support.sum(-1), 1))


AVERAGES: dict[str, Callable[[Counts | Floats], Floats]] = {
    "micro_f1": micro_f1,
    "macro_f1": macro_f1,
    "weighted_f1": weighted_f1,
}
"""Metrics that are no mean over rows, from summed outcomes (..., 3, L) to (...)."""


def per_class(order: Sequence[str], counts: Counts) -> list[dict[str, Any]]:
    """The table per label of (3, L) counts, as plain JSON: precision, recall, F1, support (how often it is gold).

    A label without predictions has precision 0, one without gold recall 0.
    """
    right, extra, missed = counts
    predicted, support = right + extra, right + missed
    precision, recall = right / np.maximum(predicted, 1), right / np.maximum(support, 1)
    f1 = 2 * right / np.maximum(predicted + support, 1)
    return [
        {"label": label, "precision": float(p), "recall": float(r), "f1": float(f), "support": int(s)}
        for label, p, r, f, s in zip(order, precision, recall, f1, support, strict=True)
    ]


def confused_pairs(confusion: dict[str, Any], most: int = 20) -> list[tuple[str, str, int]]:
    """(gold, predicted, rows) of the most frequent errors; what to show of a matrix too large to look at."""
    counts = np.array(confusion["counts"])
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:most]
    names = confusion["labels"]
    cells = [divmod(int(cell), len(names)) for cell in order]
    return [(names[g], names[p], int(counts[g, p])) for g, p in cells if counts[g, p]]


def _indicators(rows: Sequence[Collection[str]], order: Sequence[str]) -> NDArray[np.bool_]:
    place = {label: i for i, label in enumerate(order)}
    table = np.zeros((len(rows), len(order)), dtype=np.bool_)
    for i, row in enumerate(rows):
        for label in row:
            table[i, place[label]] = True
    return table


def _compared(truth: NDArray[np.bool_], guess: NDArray[np.bool_]) -> Kinds:
    """(U, L) each, to what is right, extra and missed (U, 3, L)."""
    return np.stack([truth & guess, guess & ~truth, truth & ~guess], axis=1).astype(np.int8)
