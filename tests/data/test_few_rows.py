"""A few rows of each class: as many as were asked for, always the same ones, and never a text on both sides."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertie.core.errors import DataError, UsageError
from bertie.data.few_rows import draw_few
from bertie.data.rows import Rows
from bertie.data.split import text_key


def table(*labels: str, texts: tuple[str, ...] = ()) -> Rows:
    given = texts or tuple(f"text {i}" for i in range(len(labels)))
    pairs = zip(given, labels, strict=True)
    return Rows([{"text": text, "label": label} for text, label in pairs], "rows.csv", list(range(2, len(labels) + 2)))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 30)), min_size=12, max_size=60),
    st.integers(1, 4),
    st.integers(0, 5),
)
def test_each_class_gives_as_many_and_no_text_stands_on_both_sides(
    drawn: list[tuple[str, int]], each: int, seed: int
) -> None:
    rows = Rows([{"text": f"text {number}", "label": label} for label, number in drawn])
    different = {label: {number for name, number in drawn if name == label} for label in {name for name, _ in drawn}}
    if len(different) < 2 or min(map(len, different.values())) < each:
        with pytest.raises((DataError, UsageError)):
            draw_few(rows, each, seed)
        return
    few, rest = draw_few(rows, each, seed)
    assert Counter(few.column("label")) == dict.fromkeys(different, each)
    assert not {text_key(row) for row in few} & {text_key(row) for row in rest}
    assert draw_few(rows, each, seed)[0] == few
    gone = [row for row in rows if row not in rest.rows]
    assert {text_key(row) for row in gone} == {text_key(row) for row in few}


def test_another_seed_draws_others_and_lines_are_kept() -> None:
    rows = table(*"ab" * 30)
    few, rest = draw_few(rows, 5, 0)
    assert draw_few(rows, 5, 1)[0] != few
    assert sorted(few.lines + rest.lines) == rows.lines
    assert few.where(0) == f"rows.csv:{few.lines[0]}"


def test_more_than_the_smallest_class_has_is_refused_with_what_to_do() -> None:
    # The third b is the first one in capitals.
    rows = table(*"aaaabbb", texts=("1", "2", "3", "4", "good", "bad", "Good"))
    with pytest.raises(UsageError, match=r"rows.csv: the smallest class, 'b', has 2 .*take --examples 2 or fewer"):
        draw_few(rows, 3, 0)


def test_one_class_and_several_labels_are_refused() -> None:
    with pytest.raises(DataError, match=r"found 1 label \('a'\), expected at least two"):
        draw_few(table(*"aaa"), 1, 0)
    with pytest.raises(DataError, match=r"rows.csv:3: found a list of labels, expected one"):
        draw_few(Rows([{"text": "x", "label": "a"}, {"text": "y", "label": ["a"]}], "rows.csv", [2, 3]), 1, 0)
