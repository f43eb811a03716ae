"""Answer tables: columns of rows before those of answers, types by what stands in them, memory that does not grow."""

from __future__ import annotations

import csv
import tracemalloc
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from bertie.data.answer_table import ENDINGS, column, column_types, write_answers
from bertie.data.readers import read_rows
from bertie.data.rows import Row

ANSWERED: list[tuple[Row, Row]] = [
    ({"text": "a", "id": 1}, {"labels": ["x", "y"], "value": 1, "start": None}),
    ({"text": "\r很好,\n", "id": "b", "context": "c"}, {"labels": [], "value": 0.5, "start": 3, "note": "cut"}),
    ({"text": '"', "choices": ["一", "b"]}, {"labels": ["z"], "value": 2, "start": None, "right": True, "big": 2**70}),
]


def test_columns_stand_in_their_order_with_their_types(tmp_path: Path) -> None:
    write_answers(tmp_path / "a", ".parquet", ANSWERED)
    table = pq.read_table(tmp_path / "a")
    assert {field.name: str(field.type) for field in table.schema} == {
        **{"text": "string", "id": "string", "context": "string", "choices": "string"},
        **{"labels": "string", "value": "double", "start": "int64"},
        **{"note": "string", "right": "string", "big": "string"},
    }
    assert table.column_names[:5] == ["text", "id", "context", "choices", "labels"]
    assert table["id"].to_pylist() == ["1", "b", None]
    assert table["labels"].to_pylist() == ["x|y", "", "z"]
    assert table["value"].to_pylist() == [1.0, 0.5, 2.0]
    assert table["start"].to_pylist() == [None, 3, None]
    assert table["choices"].to_pylist() == [None, None, '["一", "b"]']
    assert table["right"].to_pylist() == [None, None, "true"] and table["big"].to_pylist()[2] == str(2**70)
    assert [one.name for one in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize(("ending", "dialect"), [(".csv", "excel"), (".tsv", "excel-tab")])
def test_cells_come_back_as_they_were(ending: str, dialect: str, tmp_path: Path) -> None:
    write_answers(tmp_path / "a", ending, iter(ANSWERED))
    with (tmp_path / "a").open(encoding="utf-8-sig", newline="") as file:
        found: list[dict[str, Any]] = list(csv.DictReader(file, dialect=dialect))
    assert [row["text"] for row in found] == [row["text"] for row, _ in ANSWERED]
    assert [row["start"] for row in found] == ["", "3", ""]
    assert (tmp_path / "a").read_bytes().startswith(b"\xef\xbb\xbftext")


def test_a_table_can_be_learned_from(tmp_path: Path) -> None:
    """What a teacher has answered is labelled data for the readers, with its byte order mark."""
    pairs: list[tuple[Row, Row]] = [({"text": text}, {"label": label}) for text, label in (("很好", "a"), ("x", "b"))]
    for ending in ENDINGS:
        path = tmp_path / f"rows{ending}"
        write_answers(path, ending, pairs)
        assert list(read_rows(path)) == [row | answer for row, answer in pairs]


@pytest.mark.parametrize("ending", ENDINGS)
def test_answers_are_written_as_they_come(ending: str, tmp_path: Path) -> None:
    answered = (({"text": f"{i} {'good' * 250}"}, {"label": "a", "score": 0.5}) for i in range(10_000))
    tracemalloc.start()
    write_answers(tmp_path / "a", ending, answered)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4_000_000


def test_half_a_character_harms_nothing_else(tmp_path: Path) -> None:
    for ending in ENDINGS:
        write_answers(tmp_path / "a", ending, [({"text": "a\ud800"}, {"label": "x"}), ({"text": "很"}, {"label": "y"})])
    assert pq.read_table(tmp_path / "a")["text"].to_pylist() == ["a?", "很"]


def test_columns_of_marks_have_the_type_that_holds_all_of_them() -> None:
    rows: list[Row] = [{"line": 1, "id": 7, "big": 2**70}, {"line": 2, "big": 1}, {"line": 3, "id": "b", "big": 2}]
    types = column_types(rows)
    assert {name: str(one) for name, one in types.items()} == {"line": "int64", "id": "string", "big": "string"}
    assert column([row.get("id") for row in rows], types["id"]).to_pylist() == ["7", None, "b"]
    assert column([row["big"] for row in rows], types["big"]).to_pylist() == [str(2**70), "1", "2"]
