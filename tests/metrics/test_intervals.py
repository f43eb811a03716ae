"""Intervals hold their value, their coverage, and their seed; pairs cancel what is hard for both."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertie.core.errors import DataError
from bertie.metrics.intervals import (
    f1_interval,
    mean_interval,
    paired_difference,
    paired_f1_difference,
    score_interval,
    wilson_interval,
)

shares = st.lists(st.floats(0, 1), min_size=1, max_size=80)
counts = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60)


@settings(max_examples=60, deadline=None)
@given(shares)
def test_a_mean_stands_inside_its_interval_and_the_interval_inside_the_values(values: list[float]) -> None:
    interval = mean_interval(values, resamples=200)
    assert interval.value == pytest.approx(np.mean(values))
    assert interval.low <= interval.value <= interval.high
    assert interval.low >= -1e-9 and interval.high <= 1 + 1e-9
    assert interval == mean_interval(values, resamples=200)


@settings(max_examples=60, deadline=None)
@given(counts)
def test_micro_f1_stands_inside_its_interval(rows: list[tuple[int, int, int]]) -> None:
    interval = f1_interval(rows, resamples=200)
    right, extra, missed = np.sum(rows, axis=0)
    expected = 2 * right / (2 * right + extra + missed) if right + extra + missed else 1.0
    assert interval.value == pytest.approx(expected)
    assert 0.0 <= interval.low <= interval.value <= interval.high <= 1.0


@settings(max_examples=40, deadline=None)
@given(counts, st.integers(0, 100))
def test_a_model_does_not_differ_from_itself(rows: list[tuple[int, int, int]], seed: int) -> None:
    same = paired_f1_difference(rows, rows, seed=seed, resamples=100)
    assert (same.low, same.value, same.high) == (0.0, 0.0, 0.0)
    assert same.holds_zero
    mean = paired_difference([row[0] for row in rows], [row[0] for row in rows], seed=seed, resamples=100)
    assert (mean.low, mean.value, mean.high) == (0.0, 0.0, 0.0)


def test_the_multinomial_draw_is_the_bootstrap_row_by_row() -> None:
    rng = np.random.default_rng(3)
    values = rng.choice([0.0, 0.3, 1.0], size=150)
    drawn = values[rng.integers(0, 150, (20_000, 150))].mean(axis=1)
    interval = mean_interval(values, resamples=20_000)
    assert (interval.low, interval.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=2e-3)


@pytest.mark.parametrize("rows", [20, 100, 400])
@pytest.mark.parametrize("share", [0.75, 0.97])
def test_accuracy_intervals_cover_the_truth_as_often_as_they_say(rows: int, share: float) -> None:
    rng = np.random.default_rng(rows)
    found = [wilson_interval(int(right), rows) for right in rng.binomial(rows, share, size=2000)]
    assert np.mean([i.low <= share <= i.high for i in found]) > 0.92


def test_mean_and_f1_intervals_cover_the_truth() -> None:
    rng = np.random.default_rng(0)
    truth_mean, truth_f1, inside = 2 / 3, 2 * 0.8 / (2 * 0.8 + 0.3 + 0.4), np.zeros((300, 2))
    for trial in range(300):
        values = rng.beta(2, 1, size=120)
        rows = np.stack([rng.poisson(rate, 200) for rate in (0.8, 0.3, 0.4)], axis=1)
        mean, f1 = mean_interval(values, seed=trial, resamples=400), f1_interval(rows, seed=trial, resamples=400)
        inside[trial] = mean.low <= truth_mean <= mean.high, f1.low <= truth_f1 <= f1.high
    assert (inside.mean(axis=0) > 0.90).all(), inside.mean(axis=0)


def test_a_paired_interval_is_narrower_than_two_single_ones() -> None:
    rng = np.random.default_rng(1)
    hard = rng.random(600) < 0.3
    a = (~hard).astype(float)
    b = np.where(rng.random(600) < 0.03, 0.0, a)
    both = paired_difference(a, b)
    assert both.value == pytest.approx(a.mean() - b.mean()) and both.low > 0 and not both.holds_zero
    single = mean_interval(a)
    assert both.high - both.low < (single.high - single.low) / 2


def test_perfect_on_few_rows_is_no_proof() -> None:
    assert mean_interval([1.0] * 10).low == pytest.approx(0.722, abs=1e-3)
    assert f1_interval([(1, 0, 0)] * 10).low == pytest.approx(0.722, abs=1e-3)
    assert f1_interval([(0, 1, 1)] * 10).high == pytest.approx(0.278, abs=1e-3)


def test_score_interval_takes_counts_where_there_are_some() -> None:
    rows = [(1, 0, 0), (0, 1, 2)]
    assert score_interval([1.0, 0.0], rows).value == pytest.approx(2 / 5)
    assert score_interval([1.0, 0.0]).value == 0.5


def test_a_million_rows_take_a_moment() -> None:
    interval = f1_interval(np.random.default_rng(0).integers(0, 3, (1_000_000, 3)))
    assert interval.high - interval.low < 0.002


def test_no_rows_and_unequal_rows_are_errors() -> None:
    for empty in (mean_interval, f1_interval):
        with pytest.raises(DataError, match="at least one scored row"):
            empty([])
    with pytest.raises(DataError, match="at least one scored row"):
        wilson_interval(0, 0)
    with pytest.raises(DataError, match="same rows"):
        paired_difference([1.0], [1.0, 0.0])
