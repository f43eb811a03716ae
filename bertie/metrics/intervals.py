"""Intervals: how far a figure could move had other rows of the same kind been drawn.

In:  each row's share of a metric (or its counts of right, extra and missed), of one model or of two on the same rows
Out: `Interval`: value, low, high, at 95 % unless told
Knows nothing of what the metric means.

Percentile bootstrap (Efron & Tibshirani 1993) over rows. Rows with equal values are interchangeable, so a resample is
one multinomial draw over the distinct values: the same distribution as drawing row by row, and thousands of times less
work where there are few distinct values (right or wrong).

Means of zeros and ones take Wilson's interval (1927) instead, at every size: with few rows the bootstrap is too narrow,
and for a model without an error it says [1, 1]; from about a thousand rows on the two agree to a tenth of a point.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bertie.core.errors import DataError
from bertie.metrics.labels import f1_of_counts

# N rows, K columns of each row, U distinct rows, R resamples
Floats = NDArray[np.float64]
RESAMPLES = 1000
LEVEL = 0.95
CELLS_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class Interval:
    """A figure and the interval it stands in, `low <= value <= high`."""

    value: float
    low: float
    high: float

    @property
    def holds_zero(self) -> bool:
        """For a difference: the two cannot be told apart on these rows."""
        return self.low <= 0.0 <= self.high


def mean_interval(per_row: ArrayLike, seed: int = 0, resamples: int = RESAMPLES, level: float = LEVEL) -> Interval:
    """Interval of the mean of per-row values; Wilson's where every value is 0 or 1."""
    values = _rows(per_row)
    if np.isin(values, (0.0, 1.0)).all():
        return wilson_interval(int(values.sum()), len(values), level)
    return _bootstrap(values[:, None], lambda sums: sums[:, 0] / len(values), seed, resamples, level)


def f1_interval(row_counts: ArrayLike, seed: int = 0, resamples: int = RESAMPLES, level: float = LEVEL) -> Interval:
    """Interval of micro F1 from the (N, 3) counts (tp, fp, fn) of each row: F1 is no mean, the sums are resampled.

    All right or all wrong, no resample differs; then Wilson's interval over rows says how little that proves.
    """
    counts = _rows(row_counts)
    interval = _bootstrap(counts, f1_of_counts, seed, resamples, level)
    if interval.value in (0.0, 1.0):
        return wilson_interval(round(interval.value * len(counts)), len(counts), level)
    return interval


def score_interval(per_row: ArrayLike, row_counts: ArrayLike | None = None, seed: int = 0) -> Interval:
    """The interval of a task's primary metric: over counts where the task gives them, else over per-row values."""
    return mean_interval(per_row, seed) if row_counts is None else f1_interval(row_counts, seed)


def wilson_interval(right: int, rows: int, level: float = LEVEL) -> Interval:
    """Wilson's score interval of `right` out of `rows`; needs no resampling and is sound from one row on."""
    if rows <= 0:
        raise DataError("an interval needs at least one scored row; give a file with labels")
    z = NormalDist().inv_cdf(0.5 + level / 2)
    p = right / rows
    centre = (p + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z * math.sqrt(p * (1 - p) / rows + z * z / (4 * rows * rows)) / (1 + z * z / rows)
    return Interval(p, max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half)))


def paired_difference(
    a: ArrayLike, b: ArrayLike, seed: int = 0, resamples: int = RESAMPLES, level: float = LEVEL
) -> Interval:
    """Interval of mean(a) - mean(b) for two models on the same rows; pairing removes what both find hard."""
    first, second = _pair(a, b)
    change = first - second
    return _bootstrap(change[:, None], lambda sums: sums[:, 0] / len(change), seed, resamples, level)


def paired_f1_difference(
    a: ArrayLike, b: ArrayLike, seed: int = 0, resamples: int = RESAMPLES, level: float = LEVEL
) -> Interval:
    """Interval of micro F1 of `a` minus that of `b`, each (N, 3) counts of the same rows."""
    first, second = _pair(a, b)

    def difference(sums: Floats) -> Floats:
        return f1_of_counts(sums[:, :3]) - f1_of_counts(sums[:, 3:])

    return _bootstrap(np.concatenate([first, second], axis=1), difference, seed, resamples, level)


def _bootstrap(
    rows: Floats, statistic: Callable[[Floats], Floats], seed: int, resamples: int, level: float
) -> Interval:
    """`statistic` takes column sums (R, K) and gives (R,)."""
    rng = np.random.default_rng(seed)
    distinct, times = np.unique(rows, axis=0, return_counts=True)  # (U, K), (U,)
    share = times / times.sum()
    chunk = max(1, CELLS_AT_ONCE // len(distinct))
    drawn: list[Floats] = []
    for start in range(0, resamples, chunk):
        weights = rng.multinomial(len(rows), share, size=min(chunk, resamples - start))  # (R, U)
        drawn.append(statistic(weights @ distinct))
    value = float(statistic(rows.sum(0, keepdims=True))[0])
    low, high = np.quantile(np.concatenate(drawn), [0.5 - level / 2, 0.5 + level / 2])
    # A skewed metric can leave the percentile interval beside its own value; the value is always inside what we print.
    return Interval(value, min(float(low), value), max(float(high), value))


def _rows(values: ArrayLike) -> Floats:
    rows = np.asarray(values, dtype=np.float64)
    if len(rows) == 0:
        raise DataError("an interval needs at least one scored row; give a file with labels")
    return rows


def _pair(a: ArrayLike, b: ArrayLike) -> tuple[Floats, Floats]:
    first, second = _rows(a), _rows(b)
    if first.shape != second.shape:
        raise DataError(f"paired values must be of the same rows: {len(first)} rows against {len(second)}")
    return first, second
