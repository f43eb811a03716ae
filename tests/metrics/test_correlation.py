"""Correlations are SciPy's, constants are 0, and intervals hold their value, their coverage and their time."""

from __future__ import annotations

import time
import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import pearsonr, rankdata, spearmanr

from bertie.core.errors import DataError
from bertie.metrics.correlation import (
    Kind,
    correlation_interval,
    paired_correlation_difference,
    pearson,
    spearman,
)

KINDS: list[Kind] = ["pearson", "spearman"]
any_number = st.floats(allow_nan=False, allow_infinity=False)
grades = st.sampled_from([0.0, 0.5, 1.0, 2.5, 5.0])


def columns(number: st.SearchStrategy[float], width: int = 2) -> st.SearchStrategy[list[tuple[float, ...]]]:
    return st.lists(st.tuples(*[number] * width), min_size=1, max_size=40)


def similar(rows: int, seed: int, noise: float = 1.0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    gold = rng.normal(size=rows)
    return gold, gold + noise * rng.normal(size=rows)


@settings(deadline=None)
@given(columns(grades))
def test_both_equal_scipy_with_ties(rows: list[tuple[float, ...]]) -> None:
    gold, predicted = np.array(rows).T
    if len(set(gold)) == 1 or len(set(predicted)) == 1:
        assert pearson(gold, predicted) == spearman(gold, predicted) == 0.0
    else:
        assert pearson(gold, predicted) == pytest.approx(pearsonr(gold, predicted).statistic, abs=1e-12)
        assert spearman(gold, predicted) == pytest.approx(spearmanr(gold, predicted).statistic, abs=1e-12)


@settings(deadline=None)
@given(columns(st.floats(-1e6, 1e6)))
def test_both_equal_scipy_without_ties(rows: list[tuple[float, ...]]) -> None:
    gold, predicted = np.array(rows).T
    assume(np.ptp(gold) > 1e-3 and np.ptp(predicted) > 1e-3)
    assert pearson(gold, predicted) == pytest.approx(pearsonr(gold, predicted).statistic, abs=1e-9)
    assert spearman(gold, predicted) == pytest.approx(spearmanr(gold, predicted).statistic, abs=1e-12)


@settings(deadline=None)
@given(columns(any_number, 3), st.sampled_from(KINDS))
def test_whatever_the_numbers_nothing_is_nan_or_warns(rows: list[tuple[float, ...]], kind: Kind) -> None:
    gold, a, b = np.array(rows).T
    with warnings.catch_warnings(), np.errstate(divide="raise", invalid="raise", over="raise"):
        warnings.simplefilter("error")
        value = {"pearson": pearson, "spearman": spearman}[kind](gold, a)
        one = correlation_interval(gold, a, kind, resamples=30)
        two = paired_correlation_difference(gold, a, b, kind, resamples=30)
    assert -1 <= one.low <= one.value <= one.high <= 1 and one.value == value
    assert -2 <= two.low <= two.value <= two.high <= 2
    assert one == correlation_interval(gold, a, kind, resamples=30)


@pytest.mark.parametrize("constant", [0.0, 0.1, 1e-300, -7e200])
def test_a_constant_prediction_is_no_correlation_and_no_warning(constant: float) -> None:
    gold, same = np.arange(30.0), np.full(30, constant)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert pearson(gold, same) == spearman(gold, same) == pearson(same, gold) == spearman(same, same) == 0.0
        for kind in KINDS:
            assert correlation_interval(gold, same, kind, resamples=50).value == 0.0


@settings(max_examples=30, deadline=None)
@given(columns(grades), st.sampled_from(KINDS), st.integers(0, 100))
def test_a_model_does_not_differ_from_itself(rows: list[tuple[float, ...]], kind: Kind, seed: int) -> None:
    gold, predicted = np.array(rows).T
    same = paired_correlation_difference(gold, predicted, predicted, kind, seed=seed, resamples=30)
    assert (same.low, same.value, same.high) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("kind", KINDS)
def test_ranks_and_correlations_are_those_within_each_draw(kind: Kind) -> None:
    rng = np.random.default_rng(5)
    gold = rng.integers(0, 6, 200).astype(float)
    a, b = gold + rng.normal(size=200), np.round(gold + 2 * rng.normal(size=200))
    reference = {"pearson": pearsonr, "spearman": spearmanr}[kind]
    places = np.random.default_rng(0).integers(0, 200, (300, 200))
    drawn = np.array([[reference(gold[i], x[i]).statistic for x in (a, b)] for i in places])
    one = correlation_interval(gold, a, kind, resamples=300)
    assert one.low <= np.quantile(drawn[:, 0], 0.025) + 1e-9 and one.high >= np.quantile(drawn[:, 0], 0.975) - 1e-9
    two = paired_correlation_difference(gold, a, b, kind, resamples=300)
    assert (two.low, two.high) == pytest.approx(tuple(np.quantile(drawn[:, 0] - drawn[:, 1], [0.025, 0.975])))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [10, 40])
def test_intervals_cover_the_truth(kind: Kind, rows: int) -> None:
    r = 1 / np.sqrt(2)
    truth = r if kind == "pearson" else 6 / np.pi * np.arcsin(r / 2)
    found = [correlation_interval(*similar(rows, trial), kind, resamples=200) for trial in range(300)]
    assert np.mean([interval.low <= truth <= interval.high for interval in found]) > 0.92


@pytest.mark.parametrize("kind", KINDS)
def test_pairing_tells_two_models_apart_that_single_intervals_do_not(kind: Kind) -> None:
    gold, better = similar(400, 0, noise=0.8)
    worse = better + 0.3 * np.random.default_rng(1).normal(size=400)
    both = paired_correlation_difference(gold, better, worse, kind)
    assert both.low > 0 and not both.holds_zero
    assert correlation_interval(gold, worse, kind).high > correlation_interval(gold, better, kind).low


@pytest.mark.parametrize(("changed", "told"), [(1, False), (4, False), (5, True)])
def test_few_rows_that_changed_prove_nothing(changed: int, told: bool) -> None:
    gold = np.arange(20.0)
    other = np.where(np.arange(20) < changed, 40.0, gold)
    assert paired_correlation_difference(gold, gold, other, "pearson").holds_zero != told


def test_four_rows_show_nothing() -> None:
    for kind in KINDS:
        few = correlation_interval([1, 2, 3, 4], [2, 4, 6, 8], kind)
        assert (few.low, few.high) == (-1.0, 1.0) and few.value == pytest.approx(1.0)


@settings(deadline=None)
@given(columns(grades))
def test_spearman_is_pearson_of_ranks_and_ignores_what_keeps_the_order(rows: list[tuple[float, ...]]) -> None:
    gold, predicted = np.array(rows).T
    assert spearman(gold, predicted) == pytest.approx(pearson(rankdata(gold), rankdata(predicted)), abs=1e-12)
    assert spearman(gold, predicted) == spearman(np.exp(gold), predicted * 3 - 1)
    assert spearman(gold, -predicted) == pytest.approx(-spearman(gold, predicted), abs=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_five_thousand_rows_take_about_a_second(kind: Kind) -> None:
    gold, a = similar(5000, 2)
    b = a + np.random.default_rng(3).normal(size=5000)
    began = time.process_time()
    correlation_interval(gold, a, kind)
    paired_correlation_difference(gold, a, b, kind)
    assert time.process_time() - began < 5.0


def test_no_rows_and_no_numbers_are_errors() -> None:
    for correlate in (pearson, spearman):
        with pytest.raises(DataError, match="no rows to score"):
            correlate([], [])
        with pytest.raises(DataError, match="row 2 of 3: found nan, expected a finite number"):
            correlate([1, 2, 3], [1, float("nan"), 3])
