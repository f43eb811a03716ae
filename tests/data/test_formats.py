"""Formats: every kind of rows comes back from every format that can hold it, and what would not is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bertie.core.errors import DataError, UsageError
from bertie.data.formats import FORMATS, Format, format_of, format_to_write, write_rows
from bertie.data.readers import read_rows
from bertie.data.rows import Row, Rows

TABLES = ("csv", "tsv", "jsonl", "parquet")
TAGGED = ("conll", "iob1", "bioes", "bmes", "bilou", "spans", "doccano", "label_studio")
KINDS: dict[str, list[Row]] = {
    "labels": [
        {"text": 'He said "no", twice', "label": "正面"},
        {"text": "很好，很满意", "label": "b"},
        {"text": "", "label": "b"},
    ],
    "tagging": [
        {"text": "Ada met 李白 .", "entities": [{"start": 0, "end": 3, "label": "PER"}]},
        {
            "text": "王小明在北京",
            "entities": [{"start": 0, "end": 3, "label": "人"}, {"start": 4, "end": 6, "label": "地"}],
        },
        {"text": "nothing", "entities": []},
    ],
    "relation": [
        {"text": "Ada knows 李白", "head": {"start": 0, "end": 3}, "tail": {"start": 10, "end": 12}, "label": "knows"},
        {"text": "李白在长安", "head": {"start": 0, "end": 2}, "tail": {"start": 3, "end": 5}, "label": "位于"},
    ],
    "extraction": [
        {
            "text": "Bob met 李白",
            "entities": [{"start": 0, "end": 3, "label": "PER"}, {"start": 8, "end": 10, "label": "PER"}],
            "relations": [{"head": 0, "tail": 1, "label": "met"}],
        },
        {"text": "没有", "entities": [], "relations": []},
    ],
    "question_answering": [
        {
            "context": "Ada, it is said, lived in London.",
            "question": "Where?",
            "answers": [{"text": "London", "start": 26}],
        },
        {"context": "北京是首都", "question": "上海呢？", "answers": []},
    ],
    "multiple_choice": [
        {"question": "1 + 1?", "choices": ["two", "三, maybe"], "answer": 0},
        {"question": "首都？", "choices": ["上海", "北京", "广州"], "answer": 1, "context": "中国"},
    ],
    "embedding": [{"query": "how?", "positive": "like, this"}, {"query": "怎么改密码", "positive": "重置密码的方法"}],
}
BOTH = st.text(alphabet=st.sampled_from("ab 1|\"',\t\r\n李白好。😀é#{[]}\\"), min_size=1, max_size=12)


def back(rows: Rows, chosen: Format, folder: Path) -> Rows:
    path = folder / "rows"
    write_rows(rows, path, chosen)
    return read_rows(path, kind=rows.kind, read_as=chosen.read)


def plain(row: Row) -> Row:
    return {name: value for name, value in row.items() if value not in ("", None, [])}


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_table_holds_every_kind(kind: str, name: str, tmp_path: Path) -> None:
    rows = Rows(KINDS[kind], kind=kind)
    again = back(rows, FORMATS[name], tmp_path)
    assert list(map(plain, again)) == list(map(plain, rows))
    path = tmp_path / f"rows{FORMATS[name].endings[0]}"
    write_rows(rows, path, format_to_write(path, None))
    assert read_rows(path).kind == kind  # by the names of its columns, without any option


@pytest.mark.parametrize("name", TAGGED)
def test_entities_come_back_from_every_annotation_format(name: str, tmp_path: Path) -> None:
    rows = Rows(KINDS["tagging"], kind="tagging")
    assert list(back(rows, FORMATS[name], tmp_path)) == list(rows)


def entities(text: str, cuts: list[int]) -> list[dict[str, Any]]:
    """Between every two cuts, which stand in order, an entity."""
    places = sorted({cut % (len(text) + 1) for cut in cuts})
    pairs = zip(places[::2], places[1::2], strict=False)
    return [{"start": start, "end": end, "label": f"人{start % 2}"} for start, end in pairs]


@given(st.lists(st.tuples(BOTH, st.lists(st.integers(0, 30), max_size=6)), min_size=1, max_size=4), st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_any_entities_come_back_or_are_refused_by_row(
    tmp_path: Path, drawn: list[tuple[str, list[int]]], data: st.DataObject
) -> None:
    rows = Rows([{"text": text, "entities": entities(text, cuts)} for text, cuts in drawn], "in.jsonl", kind="tagging")
    name = data.draw(st.sampled_from((*TABLES, *TAGGED)))
    try:
        again = back(rows, FORMATS[name], tmp_path)
    except DataError as error:
        assert "in.jsonl" in str(error)
        assert name not in ("jsonl", "parquet", "spans")
        return
    if not FORMATS[name].changes_texts:
        assert list(again) == list(rows)
        return
    told = [[(row["text"][one["start"] : one["end"]], one["label"]) for one in row["entities"]] for row in rows]
    found = [[(row["text"][one["start"] : one["end"]], one["label"]) for one in row["entities"]] for row in again]
    assert [[("".join(text.split()), label) for text, label in row] for row in told] == [
        [("".join(text.split()), label) for text, label in row] for row in found
    ]


@given(st.lists(st.tuples(BOTH, BOTH, BOTH), min_size=2, max_size=4), st.sampled_from(TABLES))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_any_texts_come_back_or_are_refused(tmp_path: Path, drawn: list[tuple[str, str, str]], name: str) -> None:
    made = {
        "labels": [{"text": a, "label": f"x{b}".replace("|", "").strip()} for a, b, _ in drawn],
        "embedding": [{"query": f"x{a}", "positive": f"y{b}"} for a, b, _ in drawn],
        "multiple_choice": [
            {"question": f"?{a}", "choices": [f"{b}1", f"{c}2"], "answer": i % 2} for i, (a, b, c) in enumerate(drawn)
        ],
    }
    for kind, records in made.items():
        rows = Rows(records, "in.jsonl", kind=kind)
        try:
            assert list(map(plain, back(rows, FORMATS[name], tmp_path))) == list(map(plain, rows))
        except DataError as error:
            assert "in.jsonl" in str(error) and name in ("csv", "tsv")


def test_what_a_format_cannot_hold_is_named(tmp_path: Path) -> None:
    def refused(kind: str, name: str, *records: Row) -> str:
        with pytest.raises(DataError) as error:
            write_rows(Rows(list(records), "in.jsonl", kind=kind), tmp_path / "out", FORMATS[name])
        return str(error.value)

    cut = {"text": "北京大学 is here", "entities": [{"start": 6, "end": 8, "label": "X"}]}
    assert "in.jsonl:2: the entity 's ' (X) at [6, 8) cuts token" in refused(
        "tagging", "conll", KINDS["tagging"][0], cut
    )
    nested = {
        "text": "北京大学",
        "entities": [{"start": 0, "end": 4, "label": "O"}, {"start": 0, "end": 2, "label": "L"}],
    }
    assert "in.jsonl:1: " in refused("tagging", "bioes", nested)
    assert "in.jsonl:1: the row has relations" in refused("extraction", "conll", *KINDS["extraction"])
    assert "in.jsonl:1: the row has no 'entities'" in refused("labels", "doccano", *KINDS["labels"])
    for end in ("\n", "\r", "\r\n"):
        assert "in.jsonl:1: 'text' holds a line end" in refused("labels", "tsv", {"text": f"a{end}b", "label": "x"})
    assert "there is no label" in refused(
        "labels", "csv", {"text": "a", "label": []}, {"text": "b", "label": ["x", "y"]}
    )
    named = {"text": "好吃", "target": "吃", "label": "good"}
    placed = {**named, "target": {"start": 0, "end": 1}}
    assert "in.jsonl: parquet cannot hold the column 'target' (" in refused(
        "target_sentiment", "parquet", named, placed
    )
    assert "in.jsonl:1: csv would give another row back" in refused("labels", "csv", {"text": "a", "label": ["x"]})


def test_formats_by_name_and_by_ending() -> None:
    assert format_of("bio") is FORMATS["conll"]
    assert format_to_write(Path("a.TSV"), None) is FORMATS["tsv"]
    tagged = {"train.char.bmes": "bmes", "a.bilou": "bilou", "a.iob": "iob1", "a.iob1": "iob1", "a.iob2": "conll"}
    assert {name: format_to_write(Path(name), None).name for name in tagged} == tagged
    assert format_to_write(Path("a.json"), "label-studio") is FORMATS["label_studio"]
    with pytest.raises(
        UsageError, match=r"a.json: the ending '.json' tells no format to write; name one with --to: csv"
    ):
        format_to_write(Path("a.json"), None)
    with pytest.raises(UsageError, match="squad is only read, not written"):
        format_to_write(Path("a.json"), "squad")
    with pytest.raises(UsageError, match="there is no format 'xml'; there are csv, tsv"):
        format_of("xml")
