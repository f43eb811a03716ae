"""Folds: every row judged once, nothing that belongs together on two sides, classes in each, clear refusals."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertie.core.errors import DataError
from bertie.data.folds import grouped_folds, stratified_folds
from bertie.data.rows import Rows
from bertie.data.split import inseparable, stratified_split, text_key
from bertie.data.times import Fold


@st.composite
def tables(draw: st.DrawFn) -> Rows:
    """Rows with many duplicates, labels that may clash, and a group each."""
    made = st.tuples(st.integers(0, 30), st.sampled_from("abc"), st.integers(0, 7))
    drawn = draw(st.lists(made, min_size=1, max_size=60))
    rows = [{"text": f"Text {text}", "label": label} for text, label, _ in drawn]
    return Rows(rows, beside=[str(group) for _, _, group in drawn])


def sound(rows: Rows, folds: list[Fold]) -> None:
    """What holds of all folds that are not in the order of time."""
    assert sorted(i for fold in folds for i in fold.held) == list(range(len(rows)))
    for fold in folds:
        assert fold.held and fold.train
        assert sorted([*fold.train, *fold.held]) == list(range(len(rows)))
        assert not {text_key(rows[i]) for i in fold.train} & {text_key(rows[i]) for i in fold.held}


@given(tables(), st.integers(2, 5), st.integers(0, 9))
def test_groups_and_duplicates_are_never_on_both_sides(rows: Rows, count: int, seed: int) -> None:
    together = inseparable(rows, rows.beside)
    if len(together) < count:
        with pytest.raises(DataError, match=f"have {len(together)} groups.*fewer than the {count} folds"):
            grouped_folds(rows, count, seed)
        return
    folds = grouped_folds(rows, count, seed)
    sound(rows, folds)
    for fold in folds:
        assert not {rows.beside[i] for i in fold.train} & {rows.beside[i] for i in fold.held}
    assert folds == grouped_folds(rows, count, seed)


@given(tables(), st.integers(2, 5), st.integers(0, 9))
def test_every_class_is_in_every_fold_or_its_name_is_said(rows: Rows, count: int, seed: int) -> None:
    texts = {name: {text_key(row) for row in rows if row["label"] == name} for name in rows.column("label")}
    smallest = min(map(len, texts.values()))
    if smallest < count:
        with pytest.raises(DataError, match=f"has {smallest} different texts .* fewer than the {count} folds"):
            stratified_folds(rows, count, seed)
        return
    sound(rows, stratified_folds(rows, count, seed))


@given(st.lists(st.integers(5, 40), min_size=2, max_size=4), st.integers(2, 5), st.integers(0, 9))
def test_classes_are_divided_evenly(sizes: list[int], count: int, seed: int) -> None:
    rows = Rows([{"text": f"{c} {i}", "label": str(c)} for c, size in enumerate(sizes) for i in range(size)])
    for label in map(str, range(len(sizes))):
        held = [sum(rows[i]["label"] == label for i in fold.held) for fold in stratified_folds(rows, count, seed)]
        assert max(held) - min(held) <= 1
    totals = [len(fold.held) for fold in stratified_folds(rows, count, seed)]
    assert max(totals) - min(totals) <= 1


def test_a_text_that_two_groups_share_makes_one_of_them() -> None:
    texts = ["a", "b", "B ", "c", "d", "e"]
    rows = Rows([{"text": text, "label": "x"} for text in texts], beside=["1", "1", "2", "2", "3", "4"])
    assert inseparable(rows, rows.beside) == [[0, 1, 2, 3], [4], [5]]
    with pytest.raises(DataError, match=r"have 3 groups \(of 4, some of which share a text\), fewer than the 4 folds"):
        grouped_folds(rows, 4, 0)


def test_a_class_of_several_labels_and_kinds_without_labels() -> None:
    several = Rows([{"text": str(i), "label": ["all", *(["rare"] if i < 2 else [])]} for i in range(12)])
    with pytest.raises(DataError, match=r"label 'rare' has 2 .* --folds 2 or less, add rows of it"):
        stratified_folds(several, 3, 0)
    asked = Rows([{"context": f"passage {i // 2}", "question": str(i)} for i in range(12)], kind="answers")
    sound(asked, stratified_folds(asked, 6, 0))
    with pytest.raises(DataError, match="have 6 different texts, fewer than the 7 folds"):
        stratified_folds(asked, 7, 0)
    numbers = Rows([{"text": str(i), "label": str(i / 7)} for i in range(40)])
    sound(numbers, stratified_folds(numbers, 5, 0))


@given(tables(), st.integers(0, 9))
def test_a_split_respects_groups_too(rows: Rows, seed: int) -> None:
    parts = stratified_split(rows, (0.8, 0.1, 0.1), seed, rows.beside)
    assert sorted(i for part in parts for i in part) == list(range(len(rows)))
    sides = Counter(group for part in parts for group in {rows.beside[i] for i in part})
    assert all(count == 1 for count in sides.values())


def test_the_column_beside_goes_with_its_row() -> None:
    rows = Rows([{"text": str(i)} for i in range(4)], beside=["a", "b", "c", "d"])
    assert rows.take([2, 0]).beside == ["c", "a"]
    assert replace(rows, beside=[]).take([1]).beside == []
