"""Correlation: how far predicted numbers rise and fall with the gold ones.

In:  gold and predicted numbers of the same rows, of one model or of two
Out: Pearson's r and Spearman's rho, -1 to 1; their intervals, and that of a difference between two models
Knows nothing of what the numbers measure or in what units: both correlations ignore scale and offset.

A correlation is no mean over rows, so rows are drawn again and the correlation is taken of each draw. Spearman's ranks
are those within the draw; of values numbered by size they can be counted instead of sorted, for all draws at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bertie.core.errors import DataError
from bertie.metrics.intervals import LEVEL, RESAMPLES, Interval, cautious, percentile_interval
from bertie.metrics.rows import check_rows

# N rows, R resamples, V distinct values
Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Column = NDArray[Any]
Kind = Literal["pearson", "spearman"]
CELLS_AT_ONCE = 1_000_000
FEWEST = 5
"""Rows from which a correlation can show anything: four fall into order, one way or the other, 2 times in 4! = 8 %."""


def pearson(gold: ArrayLike, predicted: ArrayLike) -> float:
    """Pearson's r of two columns (N,), -1 to 1; 0.0 where either is constant, as it then foretells nothing.

    DataError: no rows, or a value that is not finite.
    """
    return _value("pearson", *_columns("pearson", gold, predicted))


def spearman(gold: ArrayLike, predicted: ArrayLike) -> float:
    """Spearman's rho of two columns (N,), -1 to 1: Pearson's r of their ranks, equal values sharing the mean rank.

    0.0 where either is constant. DataError: no rows, or a value that is not finite.
    """
    return _value("spearman", *_columns("spearman", gold, predicted))


def correlation_interval(
    gold: ArrayLike, predicted: ArrayLike, kind: Kind, seed: int = 0, resamples: int = RESAMPLES
) -> Interval:
    """95 % interval of a correlation: percentile bootstrap over rows.

    With few rows that is too narrow, so it is never narrower than Fisher's z interval (Fisher 1921; for Spearman with
    the variance of Bonett & Wright 2000), and with fewer than five rows it is [-1, 1].
    """
    columns = _columns(kind, gold, predicted)
    value, rows = _value(kind, *columns), len(columns[0])
    if rows < FEWEST:
        return Interval(value, -1.0, 1.0)
    drawn = _draws(lambda x, y: _correlated(kind, x, y), columns, seed, resamples)
    bootstrap, fisher = percentile_interval(value, drawn), _fisher_interval(value, rows, kind)
    return Interval(value, min(bootstrap.low, fisher.low), max(bootstrap.high, fisher.high))


def paired_correlation_difference(
    gold: ArrayLike, a: ArrayLike, b: ArrayLike, kind: Kind, seed: int = 0, resamples: int = RESAMPLES
) -> Interval:
    """95 % interval of the correlation of `a` minus that of `b`, two models on the same rows, -2 to 2.

    Bootstrap over rows, both models on the same draws; zero is inside where they differ in four rows or fewer.
    """
    columns = _columns(kind, gold, a, b)
    value = _value(kind, columns[0], columns[1]) - _value(kind, columns[0], columns[2])
    drawn = _draws(lambda g, x, y: _correlated(kind, g, x) - _correlated(kind, g, y), columns, seed, resamples)
    changed = int((np.asarray(a) != np.asarray(b)).sum())
    return cautious(percentile_interval(value, drawn), changed, LEVEL)


def _columns(kind: Kind, *columns: ArrayLike) -> list[Column]:
    """Columns (N,) checked; for Pearson scaled below 1, for Spearman each value as its number by size."""
    found = [np.asarray(column, dtype=np.float64) for column in columns]
    for column in found:
        check_rows(found[0], column)
        if not (finite := np.isfinite(column)).all():
            row = int(np.argmin(finite))
            raise DataError(
                f"row {row + 1} of {len(column)}: found {column[row]}, expected a finite number; fix the row"
            )
    if kind == "spearman":
        return [np.unique(column, return_inverse=True)[1] for column in found]
    # By a power of two, which loses nothing: the squares of values such as 1e200 would be infinite.
    return [np.ldexp(column, -int(np.frexp(np.abs(column).max())[1])) for column in found]


def _draws(statistic: Callable[..., Floats], columns: list[Column], seed: int, resamples: int) -> Floats:
    """The statistic (R,) of as many draws of the rows, with replacement; it is given each column's draws (R, N)."""
    rng = np.random.default_rng(seed)
    rows = len(columns[0])
    chunk = max(1, CELLS_AT_ONCE // rows)
    drawn = []
    for start in range(0, resamples, chunk):
        places = rng.integers(0, rows, (min(chunk, resamples - start), rows))
        drawn.append(statistic(*(column[places] for column in columns)))
    return np.concatenate(drawn)


def _value(kind: Kind, gold: Column, predicted: Column) -> float:
    return float(_correlated(kind, gold[None], predicted[None])[0])


def _correlated(kind: Kind, x: Column, y: Column) -> Floats:
    """Correlations (R,) of prepared columns (R, N)."""
    if kind == "spearman":
        x, y = _mean_ranks(x), _mean_ranks(y)
    return np.asarray(np.einsum("rn,rn->r", _direction(x), _direction(y)).clip(-1.0, 1.0))


def _mean_ranks(numbers: Counts) -> Floats:
    """Ranks (R, N) within each row of values numbered by size; equal ones share the mean of theirs."""
    resamples, distinct = len(numbers), int(numbers.max()) + 1
    cells = numbers + distinct * np.arange(resamples)[:, None]
    times = np.bincount(cells.ravel(), minlength=resamples * distinct).reshape(resamples, distinct)  # (R, V)
    ranks = times.cumsum(axis=1) - (times - 1) / 2  # (R, V)
    return np.asarray(ranks.ravel()[cells])


def _direction(values: Floats) -> Floats:
    """Each row of (R, N) centred and of length 1; zeros where it is constant.

    Set to 0..1 first: whether a row is constant is then exact, where the sum of rounded squares of 0.1 - mean is not.
    """
    low = values.min(axis=1, keepdims=True)
    spread = values.max(axis=1, keepdims=True) - low
    scaled = (values - low) / np.where(spread > 0, spread, 1.0)
    centred = scaled - scaled.mean(axis=1, keepdims=True)
    length = np.sqrt(np.einsum("rn,rn->r", centred, centred))[:, None]
    return np.asarray(centred / np.where(length > 0, length, 1.0))


def _fisher_interval(value: float, rows: int, kind: Kind) -> Interval:
    variance = 1 + value * value / 2 if kind == "spearman" else 1.0
    half = NormalDist().inv_cdf(0.5 + LEVEL / 2) * math.sqrt(variance / (rows - 3))
    centre = math.atanh(max(-1 + 1e-15, min(1 - 1e-15, value)))
    return Interval(value, min(value, math.tanh(centre - half)), max(value, math.tanh(centre + half)))
