"""Folds in the order of time only learn from the past."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertie.core.errors import DataError
from bertie.data.readers import Columns, read_rows
from bertie.data.rows import Rows
from bertie.data.split import text_key
from bertie.data.times import time_folds, time_split, times_of


@st.composite
def tables(draw: st.DrawFn) -> Rows:
    drawn = draw(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 40)), min_size=1, max_size=60))
    return Rows([{"text": f"text {text}"} for text, _ in drawn], beside=[str(time) for _, time in drawn])


def in_order(rows: Rows, parts: list[list[int]]) -> None:
    times, texts = times_of(rows), [text_key(row) for row in rows]
    assert all(parts)
    for earlier, later in itertools.pairwise(parts):
        assert max(times[i] for i in earlier) < min(times[i] for i in later)
    for number, part in enumerate(parts):
        before = {texts[i] for one in parts[:number] for i in one}
        assert not before & {texts[i] for i in part}


@given(tables(), st.integers(2, 5))
def test_a_fold_is_judged_later_than_it_learned(rows: Rows, count: int) -> None:
    try:
        folds = time_folds(rows, count)
    except DataError as error:
        assert "take fewer --folds" in str(error)
        return
    assert len(folds) == count
    for fold in folds:
        assert fold.dev is not None
        in_order(rows, [fold.train, fold.dev, fold.held])
    learned = [len(fold.train) for fold in folds]
    assert learned == sorted(learned)


@given(tables())
def test_a_split_judges_by_the_latest(rows: Rows) -> None:
    try:
        in_order(rows, time_split(rows, (0.8, 0.1, 0.1)))
    except DataError as error:
        assert "take fewer --folds" in str(error)


def test_folds_are_of_even_size_where_times_differ() -> None:
    rows = Rows([{"text": str(i)} for i in range(60)], beside=[f"2026-01-01T00:{i:02}" for i in range(60)])
    assert [len(fold.held) for fold in time_folds(rows, 5)] == [10] * 5
    assert [len(part) for part in time_split(rows, (0.8, 0.1, 0.1))] == [48, 6, 6]
    with pytest.raises(DataError, match="1 different times cannot be divided into 3 parts"):
        time_split(Rows(rows.rows, beside=["7"] * 60), (0.8, 0.1, 0.1))


def test_times_are_numbers_or_dates() -> None:
    rows = Rows([{"text": "a"}, {"text": "b"}], "t.csv", [2, 3], beside=["2026-03-01", "2026-03-01T01:00+01:00"])
    assert times_of(rows)[0] == times_of(rows)[1]
    assert times_of(Rows(rows.rows, beside=["10", "9.5"])) == [10.0, 9.5]
    with pytest.raises(DataError, match=r"t.csv:3: the time is 'May', expected a number, or a date such as"):
        times_of(Rows(rows.rows, "t.csv", [2, 3], beside=["2026-03-01", "May"]))


@pytest.mark.parametrize("time", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_a_number_that_has_no_place_in_an_order_is_no_time(ending: str, time: float, tmp_path: Path) -> None:
    path, times = tmp_path / f"t.{ending}", [float(i) for i in range(20)]
    times[4] = time
    table = [{"text": f"text {i}", "label": "ab"[i % 2], "day": value} for i, value in enumerate(times)]
    if ending == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in table), encoding="utf-8")
    elif ending == "csv":
        path.write_text("text,label,day\n" + "".join(f"{','.join(map(str, row.values()))}\n" for row in table))
    else:
        pq.write_table(pa.Table.from_pylist(table), path)
    rows = read_rows(path, Columns(beside="day"))
    with pytest.raises(DataError) as caught:
        time_folds(rows, 2)
    line = 6 if ending == "csv" else 5
    assert caught.value.problems == [
        f"{path}:{line}: the time is '{time}', expected a number, or a date such as 2026-03-01 or 2026-03-01T12:30; "
        "correct the row"
    ]
