"""Intervals: how far a figure could move had other rows of the same kind been drawn.

In:  each row's share of a metric (or its right, extra and missed labels), of one model or of two on the same rows
Out: `Interval`: value, low, high, at 95 % unless told
Knows nothing of what the metric means.

Percentile bootstrap (Efron & Tibshirani 1993) over rows. Rows with equal values are interchangeable, so a resample is
one multinomial draw over the distinct values: the same distribution as drawing row by row, and thousands of times less
work where there are few distinct values (right or wrong).

Means of zeros and ones take Wilson's interval (1927) instead, at every size: with few rows the bootstrap is too narrow,
and for a model without an error it says [1, 1]; from about a thousand rows on the two agree to a tenth of a point.

Two models that differ in few rows are a small sample, however many rows there are: there the bootstrap is too narrow as
well, and an exact test of those rows has the last word (`sign_interval`, `cautious`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.sparse import csr_array, hstack
from scipy.special import betainc
from scipy.stats import t as student

from bertie.core.errors import DataError
from bertie.metrics.labels import AVERAGES, Average, Outcomes

# N rows, K columns of each row, U distinct rows, L labels, R resamples
Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
RESAMPLES = 1000
LEVEL = 0.95
ANY = (-math.inf, math.inf)
"""Of a figure that has no limits."""
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
    return _of_means(values, seed, resamples, level)


def f1_interval(
    outcomes: Outcomes,
    average: str | Average = "micro_f1",
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Interval:
    """Interval of an average of F1, one of `AVERAGES` or another: it is no mean over rows, so what it is computed from
    is resampled.

    All right or all wrong, no resample differs; then Wilson's interval over rows says how little that proves.
    """
    of_row = _rows(outcomes.of_row).astype(np.int64)
    times = np.bincount(of_row, minlength=outcomes.kinds.shape[0])
    interval = _bootstrap(outcomes.kinds, times, _averaged(average), seed, resamples, level)
    if interval.value in (0.0, 1.0):
        return wilson_interval(round(interval.value * len(of_row)), len(of_row), level)
    return interval


def wilson_interval(right: int, rows: int, level: float = LEVEL) -> Interval:
    """Wilson's score interval of `right` out of `rows`; needs no resampling and is sound from one row on."""
    if rows <= 0:
        raise DataError("an interval needs at least one scored row; give a file with labels")
    z = NormalDist().inv_cdf(0.5 + level / 2)
    p = right / rows
    centre = (p + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z * math.sqrt(p * (1 - p) / rows + z * z / (4 * rows * rows)) / (1 + z * z / rows)
    return Interval(p, max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half)))


def fold_interval(values: ArrayLike, held: float, level: float = LEVEL, within: tuple[float, float] = ANY) -> Interval:
    """Interval of the mean of one figure a fold; `held`: rows judged in a fold by rows learned from, `within`: the
    least and the largest value that the figure can have.

    Models of two folds share most of what they learned from, so their scores are no independent draws: the variance of
    the mean is (1/k + held) of theirs and not 1/k (Nadeau & Bengio 2003, section 3).
    """
    scores = _rows(values)
    mean, count = float(scores.mean()), len(scores)
    if count < 2:
        raise DataError("an interval over folds needs at least two; take more --folds")
    error = float(scores.std(ddof=1)) * math.sqrt(1 / count + held)
    half = float(student.ppf(0.5 + level / 2, count - 1)) * error
    return Interval(mean, max(mean - half, within[0]), min(mean + half, within[1]))


def paired_difference(
    a: ArrayLike, b: ArrayLike, seed: int = 0, resamples: int = RESAMPLES, level: float = LEVEL
) -> Interval:
    """Interval of mean(a) - mean(b) for two models on the same rows; pairing removes what both find hard."""
    first, second = _pair(a, b)
    change = first - second
    interval = _of_means(change, seed, resamples, level)
    if not np.isin(change, (-1.0, 0.0, 1.0)).all():
        return cautious(interval, int((change != 0).sum()), level)
    exact = sign_interval(int((change > 0).sum()), int((change < 0).sum()), len(change), level)
    return Interval(interval.value, min(interval.low, exact.low), max(interval.high, exact.high))


def paired_f1_difference(
    a: Outcomes,
    b: Outcomes,
    average: str | Average = "micro_f1",
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Interval:
    """Interval of an average of F1 of `a` minus that of `b`, two models on the same rows and labels."""
    first, second = _pair(a.of_row, b.of_row)
    pairs, times = np.unique(np.stack([first, second], axis=1).astype(np.int64), axis=0, return_counts=True)  # (U, 2)
    own, statistic = max(a.kinds.shape[1], b.kinds.shape[1]), _averaged(average)
    left, right = _widened(a.kinds, own)[pairs[:, 0]], _widened(b.kinds, own)[pairs[:, 1]]  # (U, 3L) each

    def difference(sums: Floats) -> Floats:
        return statistic(sums[:, :own]) - statistic(sums[:, own:])

    changed = int(times[(left != right).sum(axis=1) > 0].sum())
    kinds = hstack([left, right], format="csr")  # (U, 6L)
    return cautious(_bootstrap(kinds, times, difference, seed, resamples, level), changed, level)


def sign_interval(gains: int, losses: int, rows: int, level: float = LEVEL) -> Interval:
    """Interval of (gains - losses) / rows, from the part of gains among the rows that changed, by the exact binomial.

    Mid-p: of what happened only half is counted among the unlikely (Fagerland, Lydersen & Laake 2013). It holds zero
    exactly where the mid-p McNemar test finds nothing; four gains and no loss are nothing, five are something.
    """
    changed = gains + losses
    low, high = _least_share(gains, changed, level), 1.0 - _least_share(losses, changed, level)
    scale = changed / rows
    return Interval((gains - losses) / rows, scale * (2 * low - 1), scale * (2 * high - 1))


def ratio_interval(
    parts: ArrayLike, wholes: ArrayLike, seed: int = 0, resamples: int = RESAMPLES, level: float = LEVEL
) -> Interval:
    """Interval of sum(parts) / sum(wholes) over rows that weigh differently; DataError where the wholes are all 0."""
    first, second = _pair(parts, wholes)
    if not second.sum() > 0:
        raise DataError("a ratio needs a row that weighs something; give rows with something to be answered")
    distinct, times = np.unique(np.stack([first, second], axis=1), axis=0, return_counts=True)
    return _bootstrap(distinct, times, lambda sums: sums[:, 0] / np.maximum(sums[:, 1], 1e-12), seed, resamples, level)


def percentile_interval(value: float, drawn: Floats, level: float = LEVEL) -> Interval:
    """Interval of a figure from its values (R,) in as many resamples.

    A skewed metric can leave the percentiles beside its own value; the value is always inside what we print.
    """
    low, high = np.quantile(drawn, [0.5 - level / 2, 0.5 + level / 2])
    return Interval(value, min(float(low), value), max(float(high), value))


def cautious(interval: Interval, changed: int, level: float) -> Interval:
    """A difference with zero inside where so few rows changed that all could have changed one way by chance."""
    if 0.5**changed <= 1 - level:
        return interval
    return Interval(interval.value, min(interval.low, 0.0), max(interval.high, 0.0))


def _least_share(gains: int, changed: int, level: float) -> float:
    """The smallest chance of a gain that makes so many of them no surprise."""
    if gains == 0:
        return 0.0

    def surprise(chance: float) -> float:
        as_many = betainc(gains, changed - gains + 1, chance)  # P(at least so many)
        more = betainc(gains + 1, changed - gains, chance) if changed > gains else 0.0
        return float(as_many + more) / 2 - (1 - level) / 2

    return float(brentq(surprise, 0.0, 1.0))


def _widened(kinds: csr_array, columns: int) -> csr_array:
    """With columns of zeros for each label that only the other model named: one that neither training nor gold has."""
    return csr_array((kinds.data, kinds.indices, kinds.indptr), shape=(kinds.shape[0], columns))


def _averaged(average: str | Average) -> Callable[[Floats], Floats]:
    """Summed outcomes (R, 3L) to an average of F1 (R,)."""
    of_counts = AVERAGES[average] if isinstance(average, str) else average
    return lambda sums: of_counts(np.moveaxis(sums.reshape(len(sums), -1, 3), -1, -2))


def _of_means(values: Floats, seed: int, resamples: int, level: float) -> Interval:
    distinct, times = np.unique(values, return_counts=True)
    return _bootstrap(distinct[:, None], times, lambda sums: sums[:, 0] / len(values), seed, resamples, level)


def _bootstrap(
    distinct: Floats | csr_array,
    times: Counts,
    statistic: Callable[[Floats], Floats],
    seed: int,
    resamples: int,
    level: float,
) -> Interval:
    """Rows as the distinct ones (U, K) and how often each is there (U,); `statistic`: column sums (R, K) to (R,).

    Of counts the sums are whole numbers, so that sparse and dense rows give the same figures to the last bit.
    """
    rng = np.random.default_rng(seed)
    rows, distinct = int(times.sum()), distinct.astype(np.float64)
    chunk = max(1, CELLS_AT_ONCE // max(distinct.shape))
    drawn: list[Floats] = []
    for start in range(0, resamples, chunk):
        weights = rng.multinomial(rows, times / rows, size=min(chunk, resamples - start))  # (R, U)
        drawn.append(statistic(np.ascontiguousarray(weights.astype(np.float64) @ distinct)))
    value = float(statistic((times @ distinct)[None])[0])
    return percentile_interval(value, np.concatenate(drawn), level)


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
