"""Masking: the rate, whole words, what is shown; in Chinese, English and mixed text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertie.data.masking import Unit, Vocabulary, choose, hidden, shown

VOCABULARY = Vocabulary(size=1000, mask=4, specials=(0, 1, 2, 3, 4))
UNITS: list[Unit] = ["token", "word", "span", "mixed"]


def words(lengths: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Beginnings and askable places of words of so many pieces, between two specials."""
    begins = [False, *(i == 0 for length in lengths for i in range(length)), False]
    askable = [False, *([True] * sum(lengths)), False]
    return np.array(begins), np.array(askable)


lengths = st.lists(st.integers(1, 6), max_size=40)
rates = st.floats(0.01, 0.6)


@given(lengths, rates, st.sampled_from(UNITS), st.integers(0, 1000))
def test_specials_are_never_asked_for_and_words_never_cut(sizes: list[int], rate: float, unit: Unit, seed: int) -> None:
    begins, askable = words(sizes)
    places = choose(begins, askable, rate, unit, np.random.default_rng(seed))
    assert list(places) == sorted(set(places.tolist()))
    assert askable[places].all()
    if unit in ("word", "span"):
        of_word = np.cumsum(begins)
        taken = set(of_word[places].tolist())
        assert len(places) == sum(sizes[word - 1] for word in taken)
    again = choose(begins, askable, rate, unit, np.random.default_rng(seed))
    assert places.tolist() == again.tolist()


@pytest.mark.parametrize("unit", UNITS)
def test_the_rate_is_met_within_a_point_over_ten_thousand_sentences(unit: Unit) -> None:
    random = np.random.default_rng(0)
    asked = total = 0
    for _ in range(10_000):
        begins, askable = words(random.integers(1, 4, size=random.integers(1, 30)).tolist())
        asked += len(choose(begins, askable, 0.15, unit, random))
        total += int(askable.sum())
    assert asked / total == pytest.approx(0.15, abs=0.01)


def test_mixed_cuts_words_in_about_half_of_the_texts() -> None:
    begins, askable = words([4] * 40)
    of_word, cut = np.cumsum(begins), 0
    for seed in range(400):
        places = choose(begins, askable, 0.3, "mixed", np.random.default_rng(seed))
        cut += len(places) != 4 * len(set(of_word[places].tolist()))
    assert 150 < cut < 250


def test_spans_hold_neighbouring_words() -> None:
    begins, askable = words([1] * 400)
    runs = {}
    for unit in UNITS:
        places = choose(begins, askable, 0.15, unit, np.random.default_rng(1))
        runs[unit] = 1 + int((np.diff(places) > 1).sum())
    assert runs["span"] < 0.5 * runs["word"]


def test_eighty_ten_ten_and_no_special_at_random() -> None:
    ids = np.full(20_000, 7)
    places = np.arange(0, 20_000, 2)
    seen = shown(ids, places, VOCABULARY, np.random.default_rng(0))
    assert (seen[1::2] == 7).all()
    asked = seen[places]
    assert (asked == VOCABULARY.mask).mean() == pytest.approx(0.8, abs=0.02)
    assert (asked == 7).mean() == pytest.approx(0.1, abs=0.02)
    others = asked[(asked != 7) & (asked != VOCABULARY.mask)]
    assert len(others) / len(asked) == pytest.approx(0.1, abs=0.02)
    assert not set(others.tolist()) & set(VOCABULARY.specials)
    assert (ids == 7).all()


def test_judged_every_place_is_the_mask() -> None:
    ids = np.arange(5, 25)
    seen = hidden(ids, np.array([0, 3, 19]), VOCABULARY)
    assert seen[[0, 3, 19]].tolist() == [4, 4, 4]
    assert np.delete(seen, [0, 3, 19]).tolist() == np.delete(ids, [0, 3, 19]).tolist()
