"""Labels in cells: one or several, and what a stray `|` is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from bertie.core.errors import DataError
from bertie.data.cells import json_of
from bertie.data.readers import read_rows


def write(folder: Path, name: str, content: str) -> Path:
    (folder / name).write_text(content, encoding="utf-8")
    return folder / name


def test_the_rows_with_several_labels_are_counted_in_a_note(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "text,label\na,x\nb,x|y\nc,y\n")
    assert read_rows(path).notes == [
        f"{path}: 1 of 3 rows have several labels, the first at {path}:3; every label is a list"
    ]
    lines = '{"text": "a", "label": ["x"]}\n{"text": "b", "label": ["y"]}\n'
    assert "0 of 2 rows have several labels; every" in read_rows(write(tmp_path, "a.jsonl", lines)).notes[0]


@pytest.mark.parametrize("label", ["sport|", "|sport", "sport | ", "sport|sport", " | |sport"])
def test_a_stray_line_between_nothing_is_no_second_label(label: str, tmp_path: Path) -> None:
    rows = read_rows(write(tmp_path, "a.csv", f"text,label\na,{label}\nb,politics\n"))
    assert (rows.column("label"), rows.notes) == (["sport", "politics"], [])
    with pytest.raises(DataError, match="is empty, expected a label"):
        read_rows(write(tmp_path, "b.csv", "text,label\na,\u3000|\n"))


def test_json_in_a_cell_is_read_and_anything_else_is_what_was_asked_for() -> None:
    assert json_of('["a", 1]') == ["a", 1] and json_of("null", "other") is None and json_of("好") is None
    assert json_of("[1", "other") == "other" == json_of("[" * 100_000, "other")
