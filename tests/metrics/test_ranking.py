"""Ranking metrics are scikit-learn's where it has them, and with ties the mean over every order of the tied."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, ndcg_score

from bertie.core.errors import DataError, UsageError
from bertie.metrics.intervals import mean_interval, paired_difference
from bertie.metrics.ranking import CandidateScores, Ranked, Relevant, average_precision, ndcg, recall, reciprocal_rank

Metric = Callable[..., list[float]]


def whole(ranked: Ranked, relevant: Relevant, k: int, scores: CandidateScores = None) -> list[float]:
    """Average precision has no k."""
    return average_precision(ranked, relevant, scores)


METRICS: list[Metric] = [ndcg, reciprocal_rank, recall, whole]

graded = st.lists(st.integers(0, 3), min_size=1, max_size=6).filter(any)
cutoff = st.integers(1, 8)


@st.composite
def tied_queries(draw: st.DrawFn) -> tuple[list[int], list[float]]:
    """Gains of up to six candidates, and scores with ties."""
    gains = draw(graded)
    return gains, draw(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=len(gains), max_size=len(gains)))


def test_by_hand() -> None:
    ranked, relevant = [["d3", "d1", "d7", "d2"]], [["d1", "d2"]]
    assert reciprocal_rank(ranked, relevant, 10) == [1 / 2]
    assert reciprocal_rank(ranked, relevant, 1) == [0.0]
    assert recall(ranked, relevant, 2) == [1 / 2]
    assert recall(ranked, relevant, 4) == [1.0]
    assert average_precision(ranked, relevant) == [pytest.approx((1 / 2 + 2 / 4) / 2)]
    ideal = 1 + 1 / math.log2(3)
    assert ndcg(ranked, relevant, 10) == [pytest.approx((1 / math.log2(3) + 1 / math.log2(5)) / ideal)]
    assert ndcg(ranked, relevant, 1) == [0.0]


def test_graded_by_hand() -> None:
    gains = {"甲": 3, "乙": 1, "丙": 0}
    found = ndcg([["乙", "丙", "甲"]], [gains], 3)
    assert found == [pytest.approx((1 + 3 / math.log2(4)) / (3 + 1 / math.log2(3)))]
    assert recall([["丙", "乙", "甲"]], [gains], 1) == [0.0], "a gain of 0 is not relevant"
    assert reciprocal_rank([["丙", "乙", "甲"]], [gains], 3) == [1 / 2]


def test_relevant_documents_that_are_no_candidates_are_missed() -> None:
    ranked, relevant = [["a", "b"], [], ["x"]], [["a", "absent"], ["absent"], {"x": 1.0, "absent": 2.0}]
    assert recall(ranked, relevant, 5) == [0.5, 0.0, 0.5]
    assert average_precision(ranked, relevant) == [0.5, 0.0, 0.5]
    assert reciprocal_rank(ranked, relevant, 5) == [1.0, 0.0, 1.0]
    assert ndcg(ranked, relevant, 5)[1] == 0.0
    assert ndcg(ranked, relevant, 5)[2] == pytest.approx(1 / (2 + 1 / math.log2(3)))


@settings(deadline=None)
@given(tied_queries(), cutoff)
def test_ndcg_equals_scikit_learn_with_ties(query: tuple[list[int], list[float]], k: int) -> None:
    gains, scores = query
    assume(len(gains) > 1)
    found = ndcg([range(len(gains))], [dict(enumerate(gains))], k, [scores])
    assert found == [pytest.approx(ndcg_score([gains], [scores], k=k))]


@given(graded, st.randoms(use_true_random=False))
def test_average_precision_equals_scikit_learn_without_ties(gains: list[int], random: st.DataObject) -> None:
    order = list(range(len(gains)))
    random.shuffle(order)  # type: ignore[attr-defined]
    found = average_precision([order], [dict(enumerate(gains))])
    scores = [-order.index(i) for i in range(len(gains))]
    assert found == [pytest.approx(average_precision_score([gain > 0 for gain in gains], scores))]


@settings(deadline=None, max_examples=60)
@given(tied_queries(), cutoff, st.sampled_from(METRICS))
def test_ties_are_the_mean_over_their_orders(query: tuple[list[int], list[float]], k: int, metric: Metric) -> None:
    gains, scores = query
    relevant = [{**dict(enumerate(gains)), -1: 1}]  # -1 is no candidate
    orders = [
        order
        for order in permutations(range(len(gains)))
        if all(a >= b for a, b in pairwise([scores[i] for i in order]))
    ]
    expected = np.mean([metric([order], relevant, k)[0] for order in orders])
    assert metric([range(len(gains))], relevant, k, [scores]) == [pytest.approx(expected)]


@settings(deadline=None)
@given(tied_queries(), cutoff, st.sampled_from(METRICS), st.randoms(use_true_random=False))
def test_between_0_and_1_and_whatever_the_order_of_the_file(
    query: tuple[list[int], list[float]], k: int, metric: Metric, random: st.DataObject
) -> None:
    gains, scores = query
    order = list(range(len(gains)))
    random.shuffle(order)  # type: ignore[attr-defined]
    one = metric([range(len(gains))], [dict(enumerate(gains))], k, [scores])
    two = metric([order], [dict(enumerate(gains))], k, [[scores[i] for i in order]])
    assert one == [pytest.approx(two[0])]
    assert 0.0 <= one[0] <= 1.0
    best = sorted(range(len(gains)), key=lambda i: -gains[i])
    if metric is not recall:
        assert metric([best], [dict(enumerate(gains))], k) == [pytest.approx(1.0)]


@pytest.mark.parametrize("metric", METRICS)
def test_equal_scores_gain_nothing_from_standing_first(metric: Metric) -> None:
    found = [metric([ids], [["gold"]], 2, [[0.5] * 4])[0] for ids in (["gold", *"abc"], [*"abc", "gold"])]
    assert found[0] == pytest.approx(found[1]) and found[0] < 0.6


def test_the_lists_are_what_intervals_take() -> None:
    ranked, relevant = [["a", "b"], ["b", "a"], ["a", "c"]], [["a"], ["a"], ["c"]]
    values = reciprocal_rank(ranked, relevant, 10)
    interval = mean_interval(values)
    assert interval.value == pytest.approx(2 / 3)
    assert paired_difference(values, ndcg(ranked, relevant, 1)).holds_zero


@pytest.mark.parametrize("metric", METRICS)
def test_a_query_without_a_relevant_document_is_named(metric: Metric) -> None:
    with pytest.raises(DataError, match="query 2 of 3: found no relevant document") as caught:
        metric([["a"], ["a"], ["a"]], [["a"], [], {"a": 0.0}], 5)
    assert len(caught.value.problems) == 2


def test_what_cannot_be_scored_is_named() -> None:
    with pytest.raises(DataError, match="query 1 of 1: found the candidate 'a' twice"):
        ndcg([["a", "b", "a"]], [["a"]], 5)
    for gain in (-1.0, math.nan, math.inf):
        with pytest.raises(DataError, match=f"found the gain {gain} of 'a'"):
            ndcg([["a"]], [{"a": gain}], 5)
    with pytest.raises(DataError, match="found 1 scores for 2 candidates"):
        ndcg([["a", "b"]], [["a"]], 5, [[1.0]])
    with pytest.raises(DataError, match="no number"):
        ndcg([["a"]], [["a"]], 5, [[math.nan]])
    with pytest.raises(DataError, match=r"found the id 'd1' where a query has several.*write \['d1'\]"):
        ndcg([["d1"]], ["d1"], 5)
    with pytest.raises(DataError, match="no queries"):
        average_precision([], [])
    with pytest.raises(UsageError, match="found k = 0"):
        recall([["a"]], [["a"]], 0)
