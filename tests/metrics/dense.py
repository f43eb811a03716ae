"""The figures of labels from whole tables, a cell for each label of each kind of rows: sparse ones must equal them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bertie.metrics.intervals import LEVEL, Interval, cautious, percentile_interval, wilson_interval
from bertie.metrics.labels import Outcomes, f1_of_counts, macro_f1, micro_f1, per_class, weighted_f1

Kinds = NDArray[np.int64]
"""(U, 3, L)."""
Average = Callable[[Any], Any]


def single(gold: Sequence[str], predicted: Sequence[str], order: Sequence[str]) -> tuple[dict[str, Any], Kinds]:
    """Figures, table of confusion among them, and the kinds of rows, of one label a row."""
    place = {label: i for i, label in enumerate(order)}
    cells = np.array([place[g] * len(order) + place[p] for g, p in zip(gold, predicted, strict=True)])
    pairs = np.unique(cells)
    one = np.eye(len(order), dtype=np.bool_)
    confusion = np.bincount(cells, minlength=len(order) ** 2).reshape(len(order), len(order))
    right = np.diag(confusion)
    total = np.stack([right, confusion.sum(0) - right, confusion.sum(1) - right])
    return {
        "accuracy": float(right.sum() / len(gold)),
        "macro_f1": float(macro_f1(total)),
        "weighted_f1": float(weighted_f1(total)),
        "per_class": per_class(order, total),
        "confusion": confusion.tolist(),
    }, compared(one[pairs // len(order)], one[pairs % len(order)])


def several(
    gold: Sequence[Collection[str]], predicted: Sequence[Collection[str]], order: Sequence[str]
) -> tuple[dict[str, Any], Kinds]:
    """Figures and the kinds of rows, of several labels a row."""
    truth, guess = (np.array([[label in row for label in order] for row in rows]) for rows in (gold, predicted))
    both, of_row = np.unique(np.concatenate([truth, guess], axis=1), axis=0, return_inverse=True)
    kinds = compared(both[:, : len(order)], both[:, len(order) :])
    total = kinds[of_row.reshape(-1)].sum(0)
    row_f1 = f1_of_counts(kinds.sum(-1))[of_row.reshape(-1)]
    return {
        "micro_f1": float(micro_f1(total)),
        "macro_f1": float(macro_f1(total)),
        "weighted_f1": float(weighted_f1(total)),
        "samples_f1": float(row_f1.mean()),
        "subset_accuracy": float((truth == guess).all(axis=1).mean()),
        "per_class": per_class(order, total),
        "rows": row_f1.tolist(),
    }, kinds


def compared(truth: NDArray[np.bool_], guess: NDArray[np.bool_]) -> Kinds:
    """(U, L) each, to what is right, extra and missed."""
    return np.stack([truth & guess, guess & ~truth, truth & ~guess], axis=1).astype(np.int64)


def kinds_of(outcomes: Outcomes) -> Kinds:
    """The same kinds of rows, with a cell for every label."""
    table = outcomes.kinds.toarray()
    return table.reshape(len(table), -1, 3).transpose(0, 2, 1).astype(np.int64)  # type: ignore[no-any-return]


def interval(outcomes: Outcomes, average: Average, resamples: int) -> Interval:
    """`f1_interval`, from a whole table."""
    kinds, of_row = np.ascontiguousarray(kinds_of(outcomes)), outcomes.of_row
    found = percentile_interval(*_drawn(kinds, np.bincount(of_row, minlength=len(kinds)), average, resamples))
    alike = found.value in (0.0, 1.0)
    return wilson_interval(round(found.value * len(of_row)), len(of_row)) if alike else found


def difference(a: Outcomes, b: Outcomes, average: Average, resamples: int) -> Interval:
    """`paired_f1_difference`, from whole tables."""
    pairs, times = np.unique(np.stack([a.of_row, b.of_row], axis=1), axis=0, return_counts=True)
    tables = [kinds_of(one)[pairs[:, side]] for side, one in enumerate((a, b))]
    widest = max(table.shape[2] for table in tables)
    left, right = (np.pad(table, ((0, 0), (0, 0), (0, widest - table.shape[2]))) for table in tables)

    def ahead(sums: Any) -> Any:
        return average(sums[..., 0, :, :]) - average(sums[..., 1, :, :])

    changed = int(times[(left != right).any(axis=(1, 2))].sum())
    drawn = _drawn(np.stack([left, right], axis=1), times, ahead, resamples)
    return cautious(percentile_interval(*drawn), changed, LEVEL)


def _drawn(kinds: Kinds, times: Kinds, statistic: Average, resamples: int) -> tuple[float, NDArray[np.float64]]:
    rows, flat = int(times.sum()), kinds.reshape(len(kinds), -1).astype(np.float64)
    weights = np.random.default_rng(0).multinomial(rows, times / rows, size=resamples)
    drawn = statistic((weights.astype(np.float64) @ flat).reshape(resamples, *kinds.shape[1:]))
    return float(statistic((times @ flat).reshape(kinds.shape[1:]))), drawn
