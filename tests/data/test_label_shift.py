"""Label shift: when it is seen, and what correcting it gives."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertie.data.label_shift import label_shift


def test_shares_that_differ_by_chance_are_no_shift() -> None:
    assert label_shift({"a": 500, "b": 500}, {"a": 53, "b": 47}) == {}
    assert label_shift({"a": 900, "b": 100}, {"a": 9, "b": 1}) == {}
    assert label_shift({"a": 3, "b": 3}, {}) == {}


def test_a_shift_is_the_ratio_of_the_shares_nearly() -> None:
    shift = label_shift({"known": 9900, "outside": 100}, {"known": 9000, "outside": 1000})
    assert shift["outside"] == pytest.approx(math.log(0.1 / 0.01), abs=0.01)
    assert shift["known"] == pytest.approx(math.log(0.9 / 0.99), abs=0.01)


def test_a_label_missing_in_use_becomes_rarer_not_impossible() -> None:
    shift = label_shift({"a": 500, "b": 500}, {"a": 200})
    assert -6.0 < shift["b"] < -4.0


def test_labels_that_training_never_saw_and_rare_ones_do_not_make_a_shift() -> None:
    assert label_shift({"a": 50, "b": 50}, {"a": 50, "b": 50, "new": 400}) == {}
    rare = {f"r{i}": 1 for i in range(50)}
    assert label_shift({"a": 5000, **rare}, {"a": 500, "r0": 1, "r7": 2}) == {}


def test_one_label_of_many_is_enough_and_the_others_keep_their_proportions() -> None:
    """150 intents and the questions that fit none of them, as in clinc150."""
    intents = {f"i{k}": 70 + k % 3 for k in range(150)}
    shift = label_shift({**intents, "oos": 100}, {**dict.fromkeys(intents, 20), "oos": 100})
    assert shift["oos"] == pytest.approx(math.log(100 / 3100 / (100 / 10750)), abs=0.1)
    assert len({round(shift[name], 12) for name in intents}) == 1 and -0.1 < shift["i0"] < 0.0


def test_the_corrected_posterior_is_that_of_bayes() -> None:
    """Two normal classes: with the shift added to the training's log-odds the right share of each class is answered."""
    generator = np.random.default_rng(0)
    shares = {"train": 0.02, "use": 0.3}
    shift = label_shift(
        {"no": 98_000, "yes": 2_000}, {"no": round(1e5 * (1 - shares["use"])), "yes": round(1e5 * shares["use"])}
    )
    gold = generator.random(20_000) < shares["use"]
    x = generator.normal(loc=gold.astype(float), scale=0.7)
    learned = (x - 0.5) / 0.49 + math.log(shares["train"] / (1 - shares["train"]))  # log-odds in training, exact
    corrected = learned + shift["yes"] - shift["no"]
    assert ((learned > 0) == gold).mean() + 0.04 < ((corrected > 0) == gold).mean()
    assert (1 / (1 + np.exp(-corrected))).mean() == pytest.approx(shares["use"], abs=0.01)


@given(
    st.dictionaries(st.text(max_size=3), st.integers(1, 10_000), min_size=1, max_size=20),
    st.dictionaries(st.text(max_size=3), st.integers(0, 10_000), max_size=20),
)
def test_any_counts_give_finite_numbers_for_the_labels_of_the_training(
    learned: dict[str, int], expected: dict[str, int]
) -> None:
    shift = label_shift(learned, expected)
    assert shift == {} or set(shift) == set(learned)
    assert all(math.isfinite(value) for value in shift.values())
    shares = {label: count / sum(learned.values()) for label, count in learned.items()}
    if shift:
        assert sum(shares[label] * math.exp(shift[label]) for label in learned) == pytest.approx(1.0, abs=1e-6)
