"""Expected F1: by brute force, and a span between others has the best to expect."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from bertie.metrics.expected_f1 import expected_f1


def test_as_by_brute_force() -> None:
    places, chances = np.array([[0, 4], [2, 4], [6, 7], [1, 9]]), np.array([0.4, 0.1, 0.2, 0.2])
    for (start, end), found in zip(places, expected_f1(places, chances), strict=True):
        mine = set(range(start, end))
        f1 = [2 * len(mine & set(range(a, b))) / (len(mine) + b - a) for a, b in places]
        assert found == pytest.approx(np.dot(f1, chances))


def test_one_that_is_sure_expects_its_chance() -> None:
    assert expected_f1(np.array([[3, 9]]), np.array([0.7])) == pytest.approx([0.7])


def test_what_others_share_is_the_safest() -> None:
    """in 1998, 1998, June 1998 of `in June 1998`."""
    places = np.array([[0, 12], [8, 12], [3, 12]])
    assert expected_f1(places, np.full(3, 1 / 3)).argmax() == 2


def test_thousands_of_places_need_no_memory_for_their_pairs() -> None:
    starts = np.random.default_rng(0).integers(0, 100_000, 3000)
    places, chances = np.stack([starts, starts + 1 + starts % 50], axis=1), np.full(3000, 1 / 3000)
    tracemalloc.start()
    found = expected_f1(places, chances)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60e6, "the pairs alone are 72 MB"
    few = [0, 1499, 2999]
    alone = [expected_f1(np.concatenate([places[i : i + 1], places]), np.array([0.0, *chances]))[0] for i in few]
    assert found[few] == pytest.approx(alone)
    assert len(expected_f1(places[:0], chances[:0])) == 0
