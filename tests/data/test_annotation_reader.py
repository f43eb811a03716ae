"""Annotations: records of every program give the same rows, and a file's remarks become one note each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from bertie.core.errors import DataError
from bertie.data.annotation_reader import doccano_row, program_of, read_annotations, spans_row
from bertie.data.cells import CellError
from bertie.data.columns import Columns
from bertie.data.given_rows import GivenRows
from bertie.data.label_studio_reader import SEVERAL, TOGETHER, UNDECIDED
from bertie.data.readers import read_rows
from bertie.data.table import Table
from tests.data.records import records
from tests.data.test_label_studio_reader import choice, region, task

ROW = {
    "text": "Bob 在北京",
    "entities": [{"start": 0, "end": 3, "label": "PER"}, {"start": 5, "end": 7, "label": "地名"}],
}
SPANS = [[5, 7, "地名"], [0, 3, "PER"]]
OBJECTS = [
    {"id": 41, "start_offset": 5, "end_offset": 7, "label": "地名"},
    {"id": 40, "start_offset": 0, "end_offset": 3, "label": "PER"},
]


@pytest.mark.parametrize(
    "record",
    [
        {"id": 1, "text": "Bob 在北京", "label": SPANS, "Comments": []},
        {"text": "Bob 在北京", "labels": SPANS},
        {"data": "Bob 在北京", "label": SPANS},
        {"doc_id": 1, "text": "Bob 在北京", "entities": SPANS, "username": "x"},
        {"text": "Bob 在北京", "entities": OBJECTS, "relations": []},
        {"text": "Bob 在北京", "entities": OBJECTS, "relations": None},
    ],
)
def test_every_version_of_doccano_gives_the_same_row(record: dict[str, Any]) -> None:
    assert doccano_row(record) == (ROW, [])
    assert program_of([record]) == "doccano"


def test_plain_spans_and_label_studio_give_it_too() -> None:
    plain = {"text": ROW["text"], "entities": list(reversed(ROW["entities"]))}
    assert spans_row(plain) == (ROW, [])
    assert program_of([plain]) == "spans"
    studio = task(ROW["text"], region(0, 3, "PER", "Bob"), region(5, 7, "地名", "北京"))
    assert program_of([studio]) == "label_studio"
    assert read_annotations(Table("a", records=[studio], lines=[1]), "label_studio")[0].records == [ROW]


def test_relations_point_at_the_sorted_entities() -> None:
    record = {"text": ROW["text"], "entities": OBJECTS, "relations": [{"from_id": 40, "to_id": 41, "type": "住"}]}
    assert doccano_row(record)[0] == ROW | {"relations": [{"head": 0, "tail": 1, "label": "住"}]}
    ours = {"text": ROW["text"], "entities": ROW["entities"], "relations": [{"head": 1, "tail": 0, "label": "has"}]}
    assert spans_row(ours)[0] == ours
    assert (program_of([record]), program_of([ours])) == ("doccano", "spans")


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"text": "Bob"}, "there is none of entities, label, labels, expected the entities; add them, [] for none"),
        ({"label": []}, "there is no 'text'"),
        ({"text": "Bob", "label": [[0, 4, "PER"]]}, "'label[0]' is [0, 4), expected 0 <= start < end <= 3"),
        ({"text": "鲍勃", "label": [[2, 2, "人名"]]}, "'label[0]' is [2, 2), expected 0 <= start < end <= 2"),
        ({"text": "Bob", "label": ["good"]}, "'label[0]' is the text 'good', expected"),
        ({"text": "Bob", "label": [[0, 3, ""]]}, "'label[0].label' is empty, expected a label"),
        ({"text": "Bob", "label": [[0, 3]]}, "'label[0]' has 2 parts"),
        ({"text": "Bob", "entities": OBJECTS[1:], "relations": [{"from_id": 40}]}, "'relations[0]' has no 'to_id'"),
        (
            {"text": "Bob", "entities": [], "relations": [{"from_id": 1, "to_id": 2, "type": "a"}]},
            "'relations[0].from_id' is the int 1, expected the id of an entity; correct it or delete the relation",
        ),
        (
            {"text": "鲍勃", "entities": [{"id": 1, "start_offset": 0, "end_offset": 2, "label": "人名"}] * 2},
            "'entities[1].id' is the int 1 again, expected one of its own",
        ),
        (
            {"text": "Bob", "entities": [{"id": 1, "start_offset": 0, "end_offset": 2, "label": "a"}], "relations": 5},
            "'relations' is the int 5, expected a list",
        ),
        (
            {
                "text": "Bob",
                "entities": [{"id": [], "start_offset": 0, "end_offset": 2, "label": "a"}],
                "relations": [{"from_id": [], "to_id": [], "type": "a"}],
            },
            "'relations[0].from_id' is a list, expected the id",
        ),
    ],
)
def test_what_is_no_annotation_is_named(record: dict[str, Any], expected: str) -> None:
    with pytest.raises(CellError) as caught:
        doccano_row(record)
    assert expected in str(caught.value)


def test_offsets_behind_an_emoji_are_characters_with_a_remark() -> None:
    record = {"text": "😀 Bob", "label": [[2, 5, "PER"]]}
    assert doccano_row(record) == (
        {"text": "😀 Bob", "entities": [{"start": 2, "end": 5, "label": "PER"}]},
        [UNDECIDED],
    )
    assert doccano_row({"text": "Bob 😀", "label": [[0, 3, "PER"]]})[1] == []
    assert spans_row({"text": "😀 Bob", "entities": [{"start": 2, "end": 5, "label": "PER"}]})[1] == []


@pytest.mark.parametrize(
    ("rows", "program"),
    [
        ([], None),
        ([{"text": "a", "label": "good"}], None),
        ([{"text": "a", "labels": []}, {"text": "a", "labels": ["x", "y"]}], None),
        ([{"text": "a", "entities": ["x"]}], None),
        ([{"tokens": ["a"], "tags": ["O"]}], None),
        ([{"text": "a", "head": {"start": 0, "end": 1}, "tail": {"start": 0, "end": 1}, "label": "x"}], None),
        ([{"text": "a", "entities": []}], "spans"),
        ([{"text": "a", "entities": []}, {"text": "a", "entities": [{"start_offset": 0}]}], "doccano"),
        ([{"text": "a", "label": []}, {"text": "a", "label": [[0, 9, "x"]]}], "doccano"),
        ([{"data": {"text": "a"}, "annotations": "broken"}], "label_studio"),
    ],
)
def test_the_program_is_found_by_its_keys(rows: list[dict[str, Any]], program: str | None) -> None:
    assert program_of(rows) == program


def test_a_file_keeps_its_lines_and_problems_and_says_each_remark_once() -> None:
    several = task("Bob", region(0, 3, "PER"))
    several["annotations"] *= 2
    unfinished = {"data": {"text": "Bob"}, "annotations": []}
    rows = [several, task("鲍勃", region(0, 3, "人名")), unfinished, task("Ann"), several]
    table = Table("a.json", records=rows, lines=[2, 5, 9, 11, 14], problems=[(7, "broken")])
    made, notes = read_annotations(table, "label_studio")
    assert made.lines == [2, 11, 14]
    assert [line for line, _ in made.problems] == [5, 7]
    assert made.header == ["text", "entities"]
    assert notes == [
        "a.json: 1 tasks have no finished annotation and were left out",
        f"a.json: 2 rows, the first at line 2: {SEVERAL}",
    ]


def test_texts_that_were_classified_in_label_studio_are_rows_of_a_text_and_its_label(tmp_path: Path) -> None:
    tasks = [task(f"text {i}", choice("good" if i % 2 else "bad")) for i in range(4)]
    path = tmp_path / "export.json"
    path.write_text(json.dumps(tasks), encoding="utf-8")
    rows = read_rows(path)
    assert (rows.kind, rows[1], rows.notes) == ("labels", {"text": "text 1", "label": "good"}, [])
    path.write_text(json.dumps([*tasks, task("Bob")]), encoding="utf-8")
    with pytest.raises(DataError, match=r"export.json:1: there is no 'label', expected a label"):
        read_rows(path)
    path.write_text(json.dumps([*tasks, task("Bob", region(0, 3, "PER"))]), encoding="utf-8")
    tagged = read_rows(path)
    assert (tagged.kind, tagged[0]) == ("tagging", {"text": "text 0", "entities": []})
    assert tagged.notes == [f"{path}: 4 rows, the first at line 1: {TOGETHER}"]


def test_if_any_row_has_relations_every_row_has_the_column() -> None:
    related = {"text": ROW["text"], "entities": OBJECTS, "relations": [{"from_id": 40, "to_id": 41, "type": "住"}]}
    table = Table("a.jsonl", records=[{"text": "a", "entities": [], "relations": []}, related], lines=[1, 2])
    made, notes = read_annotations(table, "doccano")
    assert [record["relations"] for record in made.records] == [[], [{"head": 0, "tail": 1, "label": "住"}]]
    assert (made.header, notes) == (["text", "entities", "relations"], [])


def test_rows_that_say_that_they_have_no_relations_are_rows_of_extraction_where_it_is_asked_for(tmp_path: Path) -> None:
    """By themselves they are rows of tagging; a null, as in tables, says nothing."""
    plain = {"text": ROW["text"], "entities": ROW["entities"]}
    path = tmp_path / "dev.jsonl"
    for record in (plain, {"text": ROW["text"], "entities": OBJECTS}):
        path.write_text(json.dumps({**record, "relations": []}) + "\n", encoding="utf-8")
        rows = read_rows(path, kind="extraction")
        assert (rows.kind, list(rows)) == ("extraction", [{**ROW, "relations": []}])
        assert read_rows(path).kind == "tagging"
        path.write_text(json.dumps({**record, "relations": None}) + "\n", encoding="utf-8")
        with pytest.raises(DataError, match="found 'text', 'entities', expected text,entities,relations"):
            read_rows(path, kind="extraction")


@given(records("text", "data", "label", "entities", "relations"))
@settings(max_examples=60, deadline=None)
def test_any_record_is_a_row_or_a_cell_error(record: dict[str, Any]) -> None:
    program_of([record])
    for read in (doccano_row, spans_row):
        for candidate in (record, {"text": "😀Bob met", **record, "entities": [record, [0, 2, "a"]]}):
            try:
                row, _ = read(candidate)
            except CellError as error:
                str(error).encode()
            else:
                assert all(0 <= part["start"] < part["end"] <= len(row["text"]) for part in row["entities"])


FRIENDS = {
    "text": "Bob knows Ann.",
    "head": {"start": 0, "end": 3},
    "tail": {"start": 10, "end": 13},
    "label": "friend",
}
PEOPLE = [{"start": 0, "end": 3, "label": "PER"}, {"start": 10, "end": 13, "label": "PER"}]
FOOD = {"text": "甲公司涨，乙公司跌", "target": "乙公司", "label": "负面"}


def written(folder: Path, *records: dict[str, Any]) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("kind", "record", "entities"),
    [
        ("relation", FRIENDS, PEOPLE),
        ("relation", FRIENDS, []),
        ("target_sentiment", FOOD, [{"start": 0, "end": 3, "label": "ORG"}]),
        ("multiple_choice", {"question": "1 + 1?", "choices": ["2", "3"], "answer": 0}, [{"name": "one", "type": "N"}]),
    ],
)
def test_entities_beside_what_other_columns_show_are_not_read(
    kind: str, record: dict[str, Any], entities: list[dict[str, Any]], tmp_path: Path
) -> None:
    path = written(tmp_path, {**record, "entities": entities}, {**record, "entities": entities})
    for asked in (None, kind):
        rows = read_rows(path, kind=asked)
        assert (rows.kind, list(rows)) == (kind, [record, record])
        assert f"{path}: not used: 'entities'" in rows.notes
    assert read_rows(GivenRows("rows", [{**record, "entities": entities}])).kind == kind


@pytest.mark.parametrize("beside", [{"entities": [{"name": "Bob", "type": "PER"}]}, {"entities": []}, {"labels": [{}]}])
def test_what_is_named_or_asked_for_decides(beside: dict[str, Any], tmp_path: Path) -> None:
    path = written(tmp_path, *({"text": f"Bob {i}", "category": "ab"[i % 2], **beside} for i in range(4)))
    for columns, kind in ((Columns(label="category"), None), (Columns(label="category"), "labels")):
        rows = read_rows(path, columns, kind=kind)
        assert (rows.kind, rows[1]) == ("labels", {"text": "Bob 1", "label": "b"})
    assert read_rows(path, Columns(label="category", text="text")).kind == "labels"


def test_columns_beside_entities_stay_and_may_be_named(tmp_path: Path) -> None:
    plain = {"text": "book Rome", "entities": [{"start": 5, "end": 9, "label": "city"}], "wish": "book"}
    doccano = {"id": 7, "text": "book Rome", "label": [[5, 9, "city"]], "wish": "book", "tokens": ["book", "Rome"]}
    expected = {"text": "book Rome", "entities": plain["entities"], "label": "book"}
    for record in (plain, doccano):
        path = written(tmp_path, record, {**record, "wish": "fly"})
        rows = read_rows(path, Columns(label="wish"), kind="intent_slots")
        assert list(rows) == [expected, {**expected, "label": "fly"}]
        assert read_rows(path).kind == "tagging"
    assert "rows.jsonl: not used: 'id', 'wish'" in read_rows(path).notes[-1]


def test_what_was_chosen_in_label_studio_is_a_label_also_where_labels_are_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path, *(task(f"text {i}", choice("good" if i % 2 else "bad")) for i in range(4)))
    rows = read_rows(path, kind="labels")
    assert rows.column("label") == ["bad", "good", "bad", "good"]


def test_entities_in_the_place_of_the_label_are_doccanos_whatever_stands_beside_them(tmp_path: Path) -> None:
    path = written(tmp_path, {"text": "Bob met Ann", "label": [[0, 3, "PER"]], "entity": "Ann"})
    assert (read_rows(path).kind, read_rows(path)[0]["entities"]) == ("tagging", [PEOPLE[0]])
