"""Intervals hold their value, their coverage, and their seed; pairs cancel what is hard for both."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import binom, ttest_1samp

from bertie.core.errors import DataError
from bertie.metrics import intervals
from bertie.metrics.intervals import (
    f1_interval,
    fold_interval,
    mean_interval,
    paired_difference,
    paired_f1_difference,
    sign_interval,
    wilson_interval,
)
from bertie.metrics.labels import AVERAGES, Outcomes, multi_label, single_label

from . import dense


def outcomes(rows: Sequence[Sequence[int]]) -> Outcomes:
    """Rows of (right, extra, missed) of one label."""
    cells = ((i, 0, part, times) for i, row in enumerate(rows) for part, times in enumerate(row) if times)
    return Outcomes.of(cells, 1, np.arange(len(rows)))


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
    interval = f1_interval(outcomes(rows), resamples=200)
    right, extra, missed = np.sum(rows, axis=0)
    expected = 2 * right / (2 * right + extra + missed) if right + extra + missed else 1.0
    assert interval.value == pytest.approx(expected)
    assert 0.0 <= interval.low <= interval.value <= interval.high <= 1.0


@settings(max_examples=40, deadline=None)
@given(counts, st.integers(0, 100))
def test_a_model_does_not_differ_from_itself(rows: list[tuple[int, int, int]], seed: int) -> None:
    same = paired_f1_difference(outcomes(rows), outcomes(rows), seed=seed, resamples=100)
    assert (same.low, same.value, same.high) == (0.0, 0.0, 0.0)
    assert same.holds_zero
    mean = paired_difference([row[0] for row in rows], [row[0] for row in rows], seed=seed, resamples=100)
    assert (mean.low, mean.value, mean.high) == (0.0, 0.0, 0.0)


def test_a_model_may_name_a_label_that_the_other_does_not_know() -> None:
    gold = [["a"], ["b"], ["a"]]
    a, b = multi_label(gold, gold, "ab"), multi_label(gold, [["a"], ["other"], ["b"]], "ab")
    for average in AVERAGES:
        both = paired_f1_difference(a.outcomes, b.outcomes, average)
        assert both.value == pytest.approx(a.metrics[average] - b.metrics[average])
        assert paired_f1_difference(b.outcomes, a.outcomes, average).value == pytest.approx(-both.value)


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
        mean = mean_interval(values, seed=trial, resamples=400)
        f1 = f1_interval(outcomes(rows.tolist()), seed=trial, resamples=400)
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
    assert f1_interval(outcomes([(1, 0, 0)] * 10)).low == pytest.approx(0.722, abs=1e-3)
    assert f1_interval(outcomes([(0, 1, 1)] * 10)).high == pytest.approx(0.278, abs=1e-3)


def guesses(rows: int, seed: int) -> tuple[list[str], list[str]]:
    rng = np.random.default_rng(seed)
    gold = rng.choice(["a", "b", "c"], size=rows, p=[0.7, 0.2, 0.1])
    return gold.tolist(), np.where(rng.random(rows) < 0.7, gold, rng.choice(["a", "b", "c"], size=rows)).tolist()


@pytest.mark.parametrize("average", ["macro_f1", "weighted_f1"])
def test_an_average_of_f1_is_resampled_as_the_rows_would_be(average: str) -> None:
    gold, predicted = guesses(120, 0)
    judged = single_label(gold, predicted, ["a", "b", "c"])
    interval = f1_interval(judged.outcomes, average, resamples=4000)
    assert interval.value == pytest.approx(judged.metrics[average])
    rng = np.random.default_rng(1)
    drawn = []
    for places in rng.integers(0, 120, (2000, 120)):
        one = single_label([gold[i] for i in places], [predicted[i] for i in places], ["a", "b", "c"])
        drawn.append(one.metrics[average])
    assert (interval.low, interval.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=0.015)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(*[st.frozensets(st.sampled_from("abc"), max_size=3)] * 3), min_size=1, max_size=30))
def test_differences_of_averages_are_those_of_the_metrics(rows: list[tuple[frozenset[str], ...]]) -> None:
    gold, first, second = (list(column) for column in zip(*rows, strict=True))
    a, b = multi_label(gold, first, "abc"), multi_label(gold, second, "abc")
    for average in AVERAGES:
        alone = f1_interval(a.outcomes, average, resamples=50)
        assert alone.value == pytest.approx(a.metrics[average]) and 0 <= alone.low <= alone.value <= alone.high <= 1
        both = paired_f1_difference(a.outcomes, b.outcomes, average, resamples=50)
        assert both.value == pytest.approx(a.metrics[average] - b.metrics[average])
        assert both.low <= both.value <= both.high
        assert both == paired_f1_difference(a.outcomes, b.outcomes, average, resamples=50)


@pytest.mark.parametrize(("changed", "better"), [(1, False), (4, False), (5, True)])
def test_few_rows_that_changed_prove_nothing(changed: int, better: bool) -> None:
    right = np.ones(20)
    other = np.where(np.arange(20) < changed, 0.0, 1.0)
    assert (paired_difference(right, other).low > 0) == better == (paired_difference(other, right).high < 0)
    assert (paired_difference(right / 2, other / 2).low > 0) == better
    gold = [["a"]] * 20
    model, floor = multi_label(gold, gold, "ab"), multi_label(gold, [["b"]] * changed + gold[changed:], "ab")
    for average in AVERAGES:
        assert (paired_f1_difference(model.outcomes, floor.outcomes, average).low > 0) == better


@settings(deadline=None)
@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 500))
def test_the_sign_interval_is_the_mid_p_mcnemar_test(gains: int, losses: int, others: int) -> None:
    changed, fewer = gains + losses, min(gains, losses)
    p = 2 * binom.cdf(fewer, changed, 0.5) - binom.pmf(fewer, changed, 0.5)
    assume(abs(p - 0.05) > 1e-6)
    interval = sign_interval(gains, losses, changed + others)
    assert interval.holds_zero == (p > 0.05)
    assert interval.low <= interval.value <= interval.high


def test_equal_models_are_seldom_told_apart() -> None:
    rng = np.random.default_rng(2)
    found = []
    for _ in range(400):
        change = rng.choice([-1.0, 0.0, 1.0], size=30, p=[0.1, 0.8, 0.1])
        found.append(
            paired_difference((change > 0).astype(float), (change < 0).astype(float), resamples=200).holds_zero
        )
    assert np.mean(found) > 0.95


def test_the_work_grows_with_the_kinds_of_rows_not_with_the_rows() -> None:
    kinds = outcomes([(r, e, m) for r in range(3) for e in range(3) for m in range(3)]).kinds
    of_row = np.random.default_rng(0).integers(0, 27, 1_000_000)
    began = time.process_time()
    interval = f1_interval(Outcomes(kinds, of_row))
    assert time.process_time() - began < 2.0, "drawing a thousand times from a million rows takes minutes"
    assert interval.high - interval.low < 0.002


@pytest.mark.parametrize("count", [1, 2, 12, 200])
@pytest.mark.parametrize("average", AVERAGES)
def test_intervals_are_to_the_last_bit_those_of_a_whole_table(count: int, average: str) -> None:
    rng = np.random.default_rng(count)
    names = [f"label {i}" for i in range(count)]
    gold = [set(rng.choice(names, rng.integers(3)).tolist()) for _ in range(150)]
    first, second = (
        [row if rng.random() < 0.7 else set(rng.choice([*names, "strange"], 2).tolist()) for row in gold]
        for _ in range(2)
    )
    a, b = (multi_label(gold, said, names).outcomes for said in (first, second))
    assert f1_interval(a, average, resamples=200) == dense.interval(a, AVERAGES[average], 200)
    assert paired_f1_difference(a, b, average, resamples=200) == dense.difference(a, b, AVERAGES[average], 200)


def test_the_figures_do_not_hang_on_how_many_resamples_are_drawn_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    gold, predicted = guesses(300, 5)
    judged = single_label(gold, predicted, ["a", "b", "c"]).outcomes
    whole = f1_interval(judged, "macro_f1", resamples=100)
    monkeypatch.setattr(intervals, "CELLS_AT_ONCE", 30)
    assert f1_interval(judged, "macro_f1", resamples=100) == whole


def test_memory_of_an_interval_is_bounded_whatever_the_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "CELLS_AT_ONCE", 100_000)
    labels = [str(i) for i in range(3000)]
    a, b = (single_label(labels, labels[:k] + labels[k - 1 : -1], labels).outcomes for k in (1500, 2900))
    tracemalloc.start()
    paired_f1_difference(a, b, "macro_f1", resamples=20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000, "right, extra and missed labels of each kind of rows are 54 million cells"


def test_no_rows_and_unequal_rows_are_errors() -> None:
    with pytest.raises(DataError, match="at least one scored row"):
        mean_interval([])
    with pytest.raises(DataError, match="at least one scored row"):
        f1_interval(outcomes([]))
    with pytest.raises(DataError, match="at least one scored row"):
        wilson_interval(0, 0)
    with pytest.raises(DataError, match="same rows"):
        paired_difference([1.0], [1.0, 0.0])


def test_folds_are_no_independent_draws() -> None:
    values = [0.80, 0.84, 0.82, 0.86, 0.78]
    plain = ttest_1samp(values, 0.0).confidence_interval()
    independent = fold_interval(values, 0.0)
    assert (independent.low, independent.high) == pytest.approx((plain.low, plain.high))
    corrected = fold_interval(values, 1 / 4)
    assert corrected.value == pytest.approx(0.82)
    wider = (corrected.high - corrected.low) / (independent.high - independent.low)
    assert wider == pytest.approx(((1 / 5 + 1 / 4) / (1 / 5)) ** 0.5)
    with pytest.raises(DataError, match="at least two; take more --folds"):
        fold_interval([0.8], 1.0)


def test_an_interval_over_folds_ends_where_the_metric_does() -> None:
    assert fold_interval([0.98, 0.99], 1.0).high > 1.09
    share = fold_interval([0.98, 0.99], 1.0, within=(0.0, 1.0))
    assert (share.value, share.high) == (pytest.approx(0.985), 1.0) and share.low == pytest.approx(0.875, abs=1e-3)
    assert fold_interval([-0.9, 0.1], 1.0, within=(-1.0, 1.0)).low == -1.0
