"""Rows in memory are read as a file of the same columns is: names, kinds, problems, parts, fingerprints."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bertie.core.errors import DataError
from bertie.data.columns import Columns
from bertie.data.corpus_reader import open_rows
from bertie.data.given_rows import GivenRows, as_data, plain
from bertie.data.readers import is_folder, read_rows
from bertie.data.rows import Rows
from bertie.data.sources import ReadOptions, load_splits


class Frame:
    """A data frame as far as anybody looks at it."""

    def __init__(self, columns: list[Any], rows: list[list[Any]]) -> None:
        self.columns = columns
        self._rows = rows

    def to_dict(self, orient: str) -> list[dict[Any, Any]]:
        assert orient == "records"
        return [dict(zip(self.columns, row, strict=True)) for row in self._rows]


class Columnar(Frame):
    """One that gives columns alone, as polars does by this name."""

    def to_dict(self, *, as_series: bool = True) -> Any:  # type: ignore[override]
        return {}


class Polars(Columnar):
    """And has another name for rows."""

    def to_dicts(self) -> list[dict[Any, Any]]:
        return [dict(zip(self.columns, row, strict=True)) for row in self._rows]


def given(data: Any, argument: str = "data") -> GivenRows:
    found = as_data(data, argument)
    assert isinstance(found, GivenRows)
    return found


def read(data: Any, columns: Columns | None = None, **options: Any) -> Rows:
    return read_rows(given(data), columns, **options)


ROWS = [
    {"id": 1, "review": "好", "rating": 5},
    {"id": 2, "review": "坏", "rating": 1},
    {"id": 3, "review": "", "rating": 5},
]
SPANS = [{"text": "Ada", "entities": [{"start": 0, "end": 3, "label": "PER"}]}, {"text": "rain", "entities": []}]
CHOICES = [{"question": "q", "choices": ["a", "b"], "answer": 1}, {"question": "r", "choices": ["c", "d"], "answer": 2}]
DOCCANO = [{"text": "Ada", "label": [[0, 3, "PER"]]}, {"text": "rain", "label": []}]
SEVERAL = [{"text": "a", "label": "x|y"}, {"text": "b", "label": ["x"]}]
PAIRS = [{"query": "q", "positive": "p"}, {"query": "r", "positive": "s"}]


@pytest.mark.parametrize("rows", [ROWS, SPANS, CHOICES, DOCCANO, SEVERAL, PAIRS])
def test_rows_are_those_of_a_file(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    made, file = read(rows), read_rows(path)
    assert (list(made), made.kind, made.lines, made.first) == (list(file), file.kind, file.lines, file.first)
    assert made.fingerprint() == file.fingerprint()
    assert made.notes == [note.replace(str(path), "rows") for note in file.notes]
    assert (made.source, made.where(1)) == ("rows", "rows:2")


def test_named_columns_and_the_column_beside(tmp_path: Path) -> None:
    made = read(ROWS, Columns(text="review", label="rating", beside="id"))
    assert made.beside == ["1", "2", "3"] and made[1] == {"text": "坏", "label": "1"}
    with pytest.raises(DataError, match=r"rows:1: there is no column 'body'; found 'id', 'review', 'rating'"):
        read(ROWS, Columns(text="body"))


@pytest.mark.parametrize("make", [Frame, Polars])
def test_a_frame_is_its_rows(make: Callable[..., Any]) -> None:
    frame = make(["id", "review", "rating"], [list(row.values()) for row in ROWS])
    assert read(frame).fingerprint() == read(ROWS).fingerprint()
    frame = make(["text", "label"], [["a", 1.0], [math.nan, 2.0]])
    assert list(read(frame)) == [{"text": "a", "label": "1"}, {"text": "", "label": "2"}]


def test_frames_that_cannot_be_read() -> None:
    with pytest.raises(DataError, match=r"rows:1: found no rows, expected at least one"):
        read(Frame(["text", "label"], []))
    with pytest.raises(DataError, match=r"rows: two columns are called 'text', expected different names"):
        read(Frame(["text", "text"], [["a", "b"]]))
    with pytest.raises(DataError, match=r"rows: found a Columnar that gives no rows by to_dict\('records'\)"):
        read(Columnar(["text", "label"], [["a", "b"]]))
    with pytest.raises(DataError, match=r"rows:1: no column is the text; found '0', '1'"):
        read(Frame([0, 1], [["a", "b"]]))


def test_a_frame_of_pandas() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"when": pandas.to_datetime(["2026-01-02", "2026-01-03", None]), "n": [1, 2, None]})
    frame["text"] = pandas.Series(["a", None, "c"], dtype="string")
    frame["label"] = pandas.Categorical(["x", "y", "x"])
    made = read(frame, Columns(beside="when"), skip_bad_rows=True)
    assert list(made) == [{"text": "a", "label": "x"}, {"text": "", "label": "y"}]
    assert made.beside == ["2026-01-02 00:00:00", "2026-01-03 00:00:00"]
    assert "the first at line 3: there is no 'when'" in str(made.notes)
    numbers = pandas.DataFrame({"text": ["a", "b", "c"], "label": [1, 2, None]})
    with pytest.raises(DataError, match=r"rows:3: 'label' is empty"):
        read(numbers)
    assert read(numbers.iloc[:2]).column("label") == ["1", "2"]
    with pytest.raises(DataError, match=r"data: found a Series, expected the name of a file"):
        as_data(numbers["text"])


def test_every_bad_row_is_named() -> None:
    rows = [
        {"text": "a", "label": "x"},
        "b",
        {"text": 3, "label": "x"},
        ("c", "y"),
        {"text": "d"},
        {"text": "e", "label": "y"},
    ]
    with pytest.raises(DataError) as caught:
        read(rows)
    said = str(caught.value).splitlines()
    assert [line.partition(": ")[0] for line in said] == ["rows:2", "rows:3", "rows:4", "rows:5"]
    assert "found a str, expected a mapping such as" in said[0] and "found a tuple" in said[2]
    made = read(rows, skip_bad_rows=True)
    assert (made.lines, made.notes[0].partition(", the")[0]) == ([1, 6], "rows: 4 bad rows skipped")
    with pytest.raises(DataError, match=r"rows:1: found a str.*\n.*rows:2: found a str"):
        read(["a text", "another"])
    with pytest.raises(DataError, match="rows:1: found no rows, expected at least one"):
        read([])


@pytest.mark.parametrize("value", [None, 3, b"a.csv", {"text": ["a"]}, {"a.csv"}, (row for row in ROWS)])
def test_what_is_no_data_is_said_in_one_sentence(value: object) -> None:
    with pytest.raises(DataError, match=rf"^test: found a {type(value).__name__}, expected the name of a file.*$"):
        as_data(value, "test")


def test_names_stay_names() -> None:
    assert as_data("hub:some/set") == "hub:some/set" and as_data(Path("a") / "b.csv") == str(Path("a") / "b.csv")
    assert [str(given(ROWS, name)) for name in ("data", "dev", "test")] == ["rows", "dev rows", "test rows"]
    assert "review" not in repr(given(ROWS))


def test_values_become_those_of_a_file() -> None:
    value = {"a": (np.int64(3), np.float32(0.5)), "b": np.array([["x", "y"]]), 3: np.bool_(True), "c": float("nan")}
    assert plain(value) == {"a": [3, 0.5], "b": [["x", "y"]], "3": True, "c": None}
    assert type(plain(np.str_("x"))) is str and type(plain(np.int64(3))) is int


def test_parts_may_be_given_and_named(tmp_path: Path) -> None:
    rows = [{"text": f"text {i}", "label": "ab"[i % 2]} for i in range(40)]
    alone, path = load_splits(given(rows)), tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    file = load_splits(path)
    assert alone.test is not None and file.test is not None
    assert [part.fingerprint() for part in (alone.train, alone.dev, alone.test)] == [
        part.fingerprint() for part in (file.train, file.dev, file.test)
    ]
    mixed = load_splits(given(rows), given(rows[:4], "dev"), path)
    assert mixed.test is not None
    assert [part.source for part in (mixed.train, mixed.dev, mixed.test)] == ["rows", "dev rows", str(path)]
    with pytest.raises(DataError, match=r"dev rows:2: 'label' is empty"):
        load_splits(path, given([rows[0], {"text": "a", "label": ""}], "dev"))
    with pytest.raises(DataError, match=r"rows has labels, dev rows has embedding; expected files with the same"):
        load_splits(given(rows), given(PAIRS, "dev"))
    timed = load_splits(given([row | {"at": i} for i, row in enumerate(rows)]), options=TIMED)
    assert timed.test is not None and timed.test[0]["text"] == "text 36"


TIMED = ReadOptions(columns=Columns(beside="at"), by="time")


def test_the_texts_of_given_rows() -> None:
    source = open_rows(given([{"id": 1, "text": "a"}, {"id": 2, "text": None}]), None)
    assert (list(source.read()), source.note) == ([(1, "a"), (2, "")], "rows: column 'text' of 2 rows")
    assert list(open_rows(given([{"body": "a"}]), "body").read()) == [(1, "a")]
    for rows, words in (
        ([], "rows:1: found no rows"),
        ([{"text": 3}], "rows:1: 'text' is a int, expected a text"),
        ([{"text": "a"}, "b"], "rows:2: found a str"),
        ([{"no": "a"}], "no column is named text"),
    ):
        with pytest.raises(DataError, match=words):
            open_rows(given(rows), None)


def test_a_name_that_no_file_can_have() -> None:
    name = "text,label\n" + "good food,positive\n" * 30
    for look in (read_rows, lambda path: is_folder(Path(path)), load_splits):
        with pytest.raises(DataError) as caught:
            look(name)
        said = str(caught.value)
        assert said.startswith("text,label\ngood food,positive") and "...: cannot be read (File name too long)" in said
        assert len(said) < 100
