"""Splits: every row once, duplicates together, every class on both sides where there is enough of it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertie.data.split import as_numbers, inseparable, strata_of, stratified_split, text_key

LABELS = st.sampled_from(["a", "b", "c", "很少"])
TABLES = st.lists(
    st.builds(lambda n, label: {"text": f"text {n}", "label": label}, st.integers(0, 30), LABELS), max_size=60
)
FRACTIONS = st.sampled_from([(0.8, 0.1, 0.1), (0.9, 0.1), (0.5, 0.5), (0.7, 0.3)])


@given(TABLES, FRACTIONS, st.integers(0, 5))
@settings(deadline=None)
def test_every_row_exactly_once_and_duplicates_on_one_side(
    rows: list[dict[str, str]], fractions: tuple[float, ...], seed: int
) -> None:
    parts = stratified_split(rows, fractions, seed)
    assert len(parts) == len(fractions)
    assert sorted(i for part in parts for i in part) == list(range(len(rows)))
    assert all(part == sorted(part) for part in parts)
    keys = [{text_key(rows[i]) for i in part} for part in parts]
    assert all(not one & other for k, one in enumerate(keys) for other in keys[k + 1 :])


@given(TABLES, FRACTIONS, st.integers(0, 5))
@settings(deadline=None)
def test_the_same_seed_gives_the_same_split(
    rows: list[dict[str, str]], fractions: tuple[float, ...], seed: int
) -> None:
    assert stratified_split(rows, fractions, seed) == stratified_split(rows, fractions, seed)


@given(st.lists(LABELS, min_size=1, max_size=80), st.integers(0, 5))
@settings(deadline=None)
def test_distinct_rows_a_class_of_two_is_on_both_sides_and_one_of_one_is_in_train(labels: list[str], seed: int) -> None:
    rows = [{"text": f"text {i}", "label": label} for i, label in enumerate(labels)]
    train, dev = stratified_split(rows, (0.9, 0.1), seed)
    counts = Counter(labels)
    for label, count in counts.items():
        learned = sum(labels[i] == label for i in train)
        judged = sum(labels[i] == label for i in dev)
        assert learned >= judged
        assert (judged >= 1) == (count >= 2)


def test_the_shares_hold_in_every_class() -> None:
    rows = [{"text": f"text {i}", "label": "ab"[i % 4 == 0]} for i in range(4000)]
    parts = stratified_split(rows, (0.8, 0.1, 0.1), 0)
    assert [len(part) for part in parts] == [3200, 400, 400]
    assert [sum(rows[i]["label"] == "b" for i in part) for part in parts] == [800, 100, 100]


def test_another_seed_gives_another_split() -> None:
    rows = [{"text": f"text {i}", "label": "ab"[i % 2]} for i in range(100)]
    assert stratified_split(rows, (0.9, 0.1), 0) != stratified_split(rows, (0.9, 0.1), 1)


def test_duplicates_are_found_past_case_width_and_punctuation() -> None:
    rows = [{"text": text, "label": "a"} for text in ["Good hotel!", "good  hotel", "ＧＯＯＤ hotel。", "bad hotel"]]
    train, dev = stratified_split(rows, (0.5, 0.5), 0)
    assert [3] in (train, dev)


def test_pairs_are_duplicates_only_with_both_sides_equal() -> None:
    assert text_key({"text_a": "a", "text_b": "b"}) != text_key({"text_a": "a", "text_b": "c"})
    assert text_key({"text_a": "ab", "text_b": ""}) != text_key({"text_a": "a", "text_b": "b"})


@pytest.mark.parametrize("sides", [("text_a", "text_b"), ("query", "positive")])
def test_a_pair_is_the_same_both_ways_round(sides: tuple[str, str]) -> None:
    turned = [dict(zip(sides, pair, strict=True)) for pair in (("a", "b"), ("c", "d"), ("B!", "A"), ("a", "c"))]
    together = [[0, 2], [1], [3]] if sides[0] == "text_a" else [[0, 2, 3], [1]]  # one query, two positives
    assert inseparable(turned) == together


def test_a_big_group_of_duplicates_goes_to_train() -> None:
    rows = [{"text": "same", "label": "a"}] * 50 + [{"text": f"text {i}", "label": "a"} for i in range(50)]
    train, dev = stratified_split(rows, (0.9, 0.1), 0)
    assert set(range(50)) <= set(train)
    assert len(dev) == 10


def test_several_labels_are_split_by_the_rarest() -> None:
    rows = [{"text": f"t{i}", "label": ["common", "rare"] if i % 10 == 0 else ["common"]} for i in range(100)]
    assert set(strata_of(rows)) == {"common", "rare"}
    _, dev = stratified_split(rows, (0.9, 0.1), 0)
    assert sum("rare" in rows[i]["label"] for i in dev) == 1


def found(name: str, label: str | None, *relations: str) -> dict[str, Any]:
    entities = [{"start": 0, "end": 1, "label": label}] if label else []
    links = [{"head": 0, "tail": 0, "label": one} for one in relations]
    return {"text": name, "entities": entities} | ({"relations": links} if relations else {})


@pytest.mark.parametrize("seed", range(10))
def test_what_is_to_be_found_is_in_every_part(seed: int) -> None:
    """Nine sentences of a hundred have an entity, and four an entity that is rare."""
    rows = [found(f"t{i}", "rare" if i % 25 == 1 else "PER" if i % 12 == 0 else None) for i in range(100)]
    parts = stratified_split(rows, (0.8, 0.1, 0.1), seed)
    for part in parts:
        assert {one["label"] for i in part for one in rows[i]["entities"]} == {"PER", "rare"}
    assert len(parts[0]) > 75


def test_rows_without_a_label_are_split_by_relations_then_by_entities_and_others_as_before() -> None:
    rows = [found("a", None), found("b", "PER"), found("c", "PER", "owns"), found("d", "ORG", "owns", "knows")]
    assert strata_of(rows) == ["", "PER", "owns", "knows"]
    assert strata_of([row | {"relations": []} for row in rows[:2]]) == ["", "PER"]
    assert strata_of([row | {"label": "x"} for row in rows]) == ["x"] * 4, "an intent beside its slots"
    assert strata_of([{"query": "a", "positive": "b"}, {"text": "a"}]) == ["", ""]


def test_numbers_with_many_values_are_split_by_range() -> None:
    rows = [{"text": f"t{i}", "label": str(i / 10)} for i in range(100)]
    assert Counter(strata_of(rows)) == {str(k): 20 for k in range(5)}
    _, dev = stratified_split(rows, (0.9, 0.1), 0)
    assert len(dev) == pytest.approx(10, abs=1)


@pytest.mark.parametrize("step", [1, 10])
def test_whole_numbers_that_come_back_are_classes(step: int) -> None:
    rows = [{"text": f"t{i}", "label": str(i % 30 * step)} for i in range(300)]
    assert as_numbers([row["label"] for row in rows]) is None
    _, dev = stratified_split(rows, (0.9, 0.1), 0)
    assert Counter(rows[i]["label"] for i in dev) == {str(k * step): 1 for k in range(30)}


def test_many_decimals_and_numbers_that_never_come_back_are_measured() -> None:
    assert as_numbers([str(i / 10) for i in range(100)]) == [i / 10 for i in range(100)]
    assert as_numbers([str(1000 + 7 * i) for i in range(100)]) is not None
    assert as_numbers([str(i % 9 / 2) for i in range(100)]) is None
