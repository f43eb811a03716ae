"""Pairs: as many of one class as of two, every row in turn, and memory that grows with the rows alone."""

from __future__ import annotations

import tracemalloc
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertie.data.label_pairs import LabelPairs


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=2, max_size=40), st.integers(1, 200), st.integers(0, 3))
def test_what_a_pair_says_is_true_and_both_kinds_are_alike(classes: list[int], count: int, seed: int) -> None:
    if len(set(classes)) < 2:
        return
    pairs = LabelPairs(classes, count, seed)
    made = list(pairs)
    assert len(made) == len(pairs) == count
    alone = {name for name, rows in Counter(classes).items() if rows == 1}
    for one, other, same in made:
        assert same == (classes[one] == classes[other])
        assert one != other or classes[one] in alone
    whole = made[: count // (2 * len(classes)) * 2 * len(classes)]
    assert 2 * sum(pair.same for pair in whole) == len(whole)
    assert abs(2 * sum(pair.same for pair in made) - count) <= len(classes)
    firsts = Counter(pair.first for pair in made)
    assert max(firsts.values()) - min(firsts.get(row, 0) for row in range(len(classes))) <= 1


def test_a_row_meets_all_of_its_class_and_all_other_classes_before_one_comes_again() -> None:
    classes = [0] * 5 + [1] * 5 + [2] * 5
    made = list(LabelPairs(classes, 15 * 8, seed=1))
    for row in range(15):
        own = [pair.second for pair in made if pair.first == row and pair.same]
        others = [classes[pair.second] for pair in made if pair.first == row and not pair.same]
        assert len(own) == len(set(own)) == 4
        assert Counter(others) == dict.fromkeys({0, 1, 2} - {classes[row]}, 2)


def test_a_seed_says_which_pairs_and_there_are_no_more() -> None:
    classes = [0, 1] * 10
    assert list(LabelPairs(classes, 50, 1)) == list(LabelPairs(classes, 50, 1)) != list(LabelPairs(classes, 50, 2))
    assert LabelPairs(classes, 50, 1)[2:4] == list(LabelPairs(classes, 50, 1))[2:4]
    with pytest.raises(IndexError, match="pair 50 of 50"):
        LabelPairs(classes, 50, 1)[50]


def test_memory_grows_with_the_rows_not_with_the_pairs() -> None:
    """20,000 rows have 2e8 pairs; their classes and places are some megabytes."""
    tracemalloc.start()
    pairs = LabelPairs([i % 3 for i in range(20_000)], 10**9, seed=0)
    assert pairs[10**9 - 1].first in range(20_000)
    for k in range(0, 10**9, 10**6):
        assert pairs[k].same == (pairs[k].first % 3 == pairs[k].second % 3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12e6
