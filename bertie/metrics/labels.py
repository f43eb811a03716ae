"""Labels: predicted against gold, one label a row or several.

In:  gold and predicted labels of the same rows; the labels known from training
Out: `LabelScores`: metrics, each row's share, the table per class, what is taken for what, all as plain values; and
     `Outcomes`, from which averages of F1 can be taken again over other draws of the rows
Knows nothing of texts, tasks or models.

What is held grows with the rows, and with the labels once: never with one label times another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from bertie.metrics.rows import check_collections, check_rows

# N rows, L labels, U kinds of rows
Counts = NDArray[np.int64]
Floats = NDArray[np.float64]
Table = NDArray[np.floating[Any]]
THRESHOLDS = np.arange(5, 96, 5) / 100
"""Candidates for the probability from which one of several labels is given."""
Kind = tuple[Set[int], Set[int]]
"""Which labels are right in a row, and which were said of it, by their places."""
Cell = tuple[int, int, int, int]
"""The number of a kind of rows, the place of a label, 0 right or 1 extra or 2 missed, how often."""


@dataclass(frozen=True)
class Outcomes:
    """What was right, extra and missed in each row. Rows of which all that is equal are one kind, held once."""

    kinds: csr_array
    """(U, 3 L): how often a label was right, extra and missed, in three columns beside each other; sparse, as a row
    names a few labels of many. 0 or 1 where a row names a label once at most."""
    of_row: Counts
    """(N,): the kind of each row."""

    @classmethod
    def of(cls, cells: Iterable[Cell], labels: int, of_row: Counts) -> Outcomes:
        """Outcomes of what is not 0 in the kinds of rows."""
        found = np.fromiter(cells, dtype="4i8")  # (cells, 4)
        kind, label, part, times = found.T
        shape = (int(of_row.max(initial=-1)) + 1, 3 * labels)
        return cls(csr_array((times, (kind, 3 * label + part)), shape=shape), of_row)

    def total(self) -> Counts:
        """(3, L): right, extra and missed over all rows."""
        times = np.bincount(self.of_row, minlength=self.kinds.shape[0])
        summed: Counts = self.kinds.T @ times
        return summed.reshape(-1, 3).T

    def of_kinds(self) -> Counts:
        """(U, 3): right, extra and missed in a row of each kind, whatever the label."""
        sums = np.zeros((self.kinds.shape[0], 3), dtype=np.int64)
        kind = np.repeat(np.arange(len(sums)), np.diff(self.kinds.indptr))
        np.add.at(sums, (kind, self.kinds.indices % 3), self.kinds.data)
        return sums


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
    """`per_class`, `unseen_labels`, `unseen` (each of those labels, how often it is gold); one label: `confusion`, its
    `labels`, and `cells` of [gold, predicted, rows] by their places, without those of no row."""


def single_label(gold: Sequence[str], predicted: Sequence[str], labels: Sequence[str]) -> LabelScores:
    """Accuracy, macro and weighted F1. A gold label that is not in `labels` (training) is counted and scored wrong.

    The macro average runs over the labels that occur in gold or predictions, as in scikit-learn: a label of the
    training that this file never mentions says nothing about the model.
    """
    check_rows(gold, predicted)
    known = set(labels)
    order = [*labels, *sorted(set(gold) - known), *sorted(set(predicted) - known - set(gold))]
    place = {label: i for i, label in enumerate(order)}
    pairs, of_row, times = np.unique(
        [place[g] * len(order) + place[p] for g, p in zip(gold, predicted, strict=True)],
        return_inverse=True,
        return_counts=True,
    )
    both = [divmod(pair, len(order)) for pair in pairs.tolist()]  # (U, 2)
    outcomes = Outcomes.of(_compared(({g}, {p}) for g, p in both), len(order), of_row)
    total = outcomes.total()
    unseen = unseen_of(Counter(gold), known)
    # A model can never name an unseen label, so it is never right there and the row counts as wrong by itself,
    # unless somebody's predictions do name it (a rule, an older model): then right is right.
    return LabelScores(
        metrics={
            "accuracy": float(total[0].sum() / len(gold)),
            "macro_f1": float(macro_f1(total)),
            "weighted_f1": float(weighted_f1(total)),
            "unseen_labels": float(sum(unseen.values())),
        },
        per_row={"accuracy": [float(g == p) for g, p in zip(gold, predicted, strict=True)]},
        outcomes=outcomes,
        details={
            "per_class": per_class(order, total),
            "confusion": {"labels": order, "cells": [[*one, n] for one, n in zip(both, times.tolist(), strict=True)]},
            **told_unseen(unseen),
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
    kinds, of_row = _kinds(gold, predicted, order)
    outcomes = Outcomes.of(_compared(kinds), len(order), of_row)
    total, sums = outcomes.total(), outcomes.of_kinds()  # (3, L), (U, 3)
    row_f1 = f1_of_counts(sums)[of_row]  # (N,)
    exact = (sums[:, 1:] == 0).all(axis=1)[of_row]  # (N,)
    unseen = unseen_of(Counter(label for row in gold for label in set(row)), known)
    return LabelScores(
        metrics={
            "micro_f1": float(micro_f1(total)),
            "macro_f1": float(macro_f1(total)),
            "weighted_f1": float(weighted_f1(total)),
            "samples_f1": float(row_f1.mean()),
            "subset_accuracy": float(exact.mean()),
            "unseen_labels": float(sum(unseen.values())),
        },
        per_row={"samples_f1": row_f1.tolist(), "subset_accuracy": exact.astype(np.float64).tolist()},
        outcomes=outcomes,
        details={"per_class": per_class(order, total), **told_unseen(unseen)},
    )


def unseen_of(gold: Mapping[str, int], known: Collection[str]) -> dict[str, int]:
    """Of gold labels, with how often each stands, those that training never saw."""
    return {label: count for label, count in gold.items() if label not in known}


def told_unseen(unseen: Mapping[str, int]) -> dict[str, Any]:
    """What `details` say of such labels: how often they stand in all, and each of them."""
    return {"unseen_labels": sum(unseen.values()), "unseen": dict(unseen)}


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


Average = Callable[[Counts | Floats], Floats]
"""From summed outcomes (..., 3, L) to a figure for each (...)."""
AVERAGES: dict[str, Average] = {
    "micro_f1": micro_f1,
    "macro_f1": macro_f1,
    "weighted_f1": weighted_f1,
}
"""Metrics that are no mean over rows."""


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


def confusion_table(confusion: Mapping[str, Any]) -> list[list[int]]:
    """(L gold, L predicted) rows: what to show of few labels, as it grows with their square."""
    table = [[0] * len(confusion["labels"]) for _ in confusion["labels"]]
    for gold, predicted, rows in confusion["cells"]:
        table[gold][predicted] = rows
    return table


def confused_pairs(confusion: Mapping[str, Any], most: int = 20) -> list[tuple[str, str, int]]:
    """(gold, predicted, rows) of the most frequent errors; what to show of a matrix too large to look at."""
    wrong = [cell for cell in confusion["cells"] if cell[0] != cell[1]]
    names = confusion["labels"]
    return [(names[gold], names[said], rows) for gold, said, rows in sorted(wrong, key=lambda cell: -cell[2])[:most]]


def _kinds(
    gold: Sequence[Collection[str]], predicted: Sequence[Collection[str]], order: Sequence[str]
) -> tuple[Sequence[Kind], Counts]:
    """The kinds of rows, (U,), and that of each row, (N,).

    In the order of their indicators of all labels, the right ones and then those that were said: intervals draw by it.
    """
    place = {label: i for i, label in enumerate(order)}
    pairs = zip(gold, predicted, strict=True)
    rows = ((frozenset(place[one] for one in truth), frozenset(place[one] for one in said)) for truth, said in pairs)
    numbers: dict[tuple[frozenset[int], frozenset[int]], int] = {}
    of_row = np.array([numbers.setdefault(row, len(numbers)) for row in rows])
    kinds = sorted(numbers, key=lambda kind: [[-one for one in sorted(part)] + [-len(order)] for part in kind])
    rank = np.empty(len(kinds), dtype=np.int64)
    rank[[numbers[kind] for kind in kinds]] = np.arange(len(kinds))
    return kinds, rank[of_row]


def _compared(kinds: Iterable[Kind]) -> Iterator[Cell]:
    """What is right, extra and missed in each kind of rows."""
    for number, (truth, said) in enumerate(kinds):
        for part, places in enumerate((truth & said, said - truth, truth - said)):
            yield from ((number, place, part, 1) for place in places)
