"""Unlabelled rows: streams are read as files are, plain lines are texts, and nothing is held of rows that are given."""

from __future__ import annotations

import io
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bertie.core.errors import DataError
from bertie.data.columns import Columns
from bertie.data.readers import read_rows
from bertie.data.rows import Rows
from bertie.data.sources import ReadOptions
from bertie.data.unlabelled import unlabelled_rows, unlabelled_stream


def read_stream(binary: io.BytesIO, columns: Columns | None = None, **options: Any) -> Rows:
    """All rows of a stream, and its notes."""
    with unlabelled_stream(binary, ReadOptions(columns=columns or Columns(), **options)) as rows:
        return Rows(list(rows), notes=rows.notes)


def test_a_stream_is_lines_of_text_or_of_json() -> None:
    assert read_stream(io.BytesIO(b"a\n\nb, c\n")).column("text") == ["a", "", "b, c"]
    assert list(read_stream(io.BytesIO(b'{"text_a": "a", "text_b": "b"}\n'))) == [{"text_a": "a", "text_b": "b"}]
    with pytest.raises(DataError, match="stdin:1: found no rows"):
        read_stream(io.BytesIO(b""))
    skipped = read_stream(io.BytesIO(b"a\nb\0\nc\n"), skip_bad_rows=True)
    assert skipped.column("text") == ["a", "c"]
    assert "stdin: 1 bad rows skipped, the first at line 2: the line holds a NUL" in skipped.notes[0]


@pytest.mark.parametrize("indent", [None, 2])
def test_a_stream_may_be_a_json_list(indent: int | None) -> None:
    listed = json.dumps([{"text": "好"}, {"text": "bad"}], indent=indent).encode()
    assert read_stream(io.BytesIO(listed)).column("text") == ["好", "bad"]
    assert read_stream(io.BytesIO(b"[1] a list\n[a] b\n")).column("text") == ["[1] a list", "[a] b"]
    with pytest.raises(DataError, match="stdin:1: this is not valid JSON"):
        read_stream(io.BytesIO(b'[{"text": "a"\n'))


def test_a_stream_may_be_in_any_encoding_that_a_file_may() -> None:
    text = "这家酒店的服务非常好，早餐也不错\n"
    for encoding in ("utf-8", "utf-8-sig", "gb18030", "utf-16"):
        assert read_stream(io.BytesIO(text.encode(encoding))).column("text") == [text.strip()]
    assert read_stream(io.BytesIO("café".encode("latin-1")), encoding="latin-1").column("text") == ["café"]
    with pytest.raises(DataError, match=r"stdin:1: byte 0 .* is neither UTF-8"):
        read_stream(io.BytesIO(b"\xff"))


def test_a_column_of_a_stream_can_be_named() -> None:
    lines = b'{"text": "wrong", "Body Text": "right"}\n{"Body Text": "too"}\n'
    assert read_stream(io.BytesIO(lines), Columns(text="body_text")).column("text") == ["right", "too"]
    with pytest.raises(
        DataError, match="stdin:1: there is no column 'nope'; found 'text', 'Body Text'; give one to --text-column"
    ):
        read_stream(io.BytesIO(lines), Columns(text="nope"))
    table = b'id,body\n1,right\n2,"too, here"\n'
    assert read_stream(io.BytesIO(table), Columns(text="body")).column("text") == ["right", "too, here"]


def test_plain_lines_of_a_stream_are_texts_whatever_column_is_named() -> None:
    rows = read_stream(io.BytesIO(b"a body of text\nb\n"), Columns(text="body"))
    assert rows.column("text") == ["a body of text", "b"]
    assert "stdin: plain lines have no column 'body', each is read as one text" in rows.notes[0]


@pytest.mark.parametrize("ending", ["csv", "jsonl", "json", "conll", "txt", "parquet"])
def test_rows_are_given_again_and_never_held(ending: str, tmp_path: Path) -> None:
    """A JSON list is one text, which is held; its objects are not."""
    path = tmp_path / f"rows.{ending}"
    write(path, 3000)
    text = path.stat().st_size * 4 if ending == "json" else 0
    tracemalloc.start()
    rows = unlabelled_rows(path, ReadOptions())
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()  # the encoding is recognised by whole megabytes
    assert sum(1 for _ in rows) == sum(1 for _ in rows) == 3000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 500_000
    assert peak < 1_500_000 + text


def write(path: Path, size: int) -> None:
    """Rows of 1,000 characters, English and Chinese."""
    texts = [f"{i} {'good' * 250}" if i % 2 else f"{i} {'很好' * 500}" for i in range(size)]
    if path.suffix == ".parquet":
        pq.write_table(pa.table({"text": texts}), path)
        return
    contents = {
        ".csv": lambda: "text\n" + "".join(f'"{text}"\n' for text in texts),
        ".jsonl": lambda: "".join(json.dumps({"text": text}) + "\n" for text in texts),
        ".json": lambda: json.dumps([{"text": text} for text in texts], ensure_ascii=False),
        ".conll": lambda: "\n".join("".join(f"{word}\n" for word in text.split()) for text in texts),
        ".txt": lambda: "".join(f"{text}\n" for text in texts),
    }
    path.write_text(contents[path.suffix](), encoding="utf-8")


def test_a_mistake_at_the_end_is_told_before_the_first_row(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "很好"}\n{"text": ["a"]}\n{"text": ""}\n{broken\n', encoding="utf-8")
    with pytest.raises(DataError) as refused:
        unlabelled_rows(path, ReadOptions())
    assert [problem.split(": ")[0] for problem in str(refused.value).splitlines()] == [f"{path}:2", f"{path}:4"]
    rows = unlabelled_rows(path, ReadOptions(skip_bad_rows=True))
    assert list(rows) == [{"text": "很好"}, {"text": ""}]
    assert rows.notes[0].startswith(f"{path}: 2 bad rows skipped, the first at line 2: 'text' is a list")
    assert rows.notes[1] == f"{path}: 1 rows have an empty text, the first at {path}:3; they are kept"


def test_a_name_that_comes_late_in_json_lines_is_found(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"id": 1}\n{"id": 2, "review": "good"}\n', encoding="utf-8")
    assert list(unlabelled_rows(path, ReadOptions(columns=Columns(text="review")))) == [{"text": ""}, {"text": "good"}]


def test_sentences_of_conll_need_no_tags(tmp_path: Path) -> None:
    path = tmp_path / "rows.conll"
    for lines in (
        "我\n在\n北\n京\n\nAda\nis\nhere\n#1\n",
        "我 O\n在 nonsense\n北 B-LOC\n京 B-\n\n-DOCSTART- O\n# a comment on it\nAda O\nis O\nhere O\n#1 O\n",
    ):
        path.write_text(lines, encoding="utf-8")
        rows = unlabelled_rows(path, ReadOptions(kind="tagging"))
        assert list(rows) == [{"text": "我在北京"}, {"text": "Ada is here #1"}]
    path.write_text("我\n在 O\n\n好\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"rows.conll:2: 2 columns, expected 1 as on line 1"):
        unlabelled_rows(path, ReadOptions(kind="tagging"))


def test_rows_come_with_their_lines_and_ids(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("ID,text\n7,good\nonly one cell\n,很好\n", encoding="utf-8")
    rows = unlabelled_rows(path, ReadOptions(skip_bad_rows=True))
    assert list(rows) == [{"text": "good"}, {"text": "很好"}]
    assert list(rows.placed()) == [(2, {"id": "7", "text": "good"}), (4, {"text": "很好"})]


@pytest.mark.parametrize(
    ("value", "identity"),
    [(7, 7), (7.0, 7), ("a", "a"), ("", None), (None, None), (True, None), (0.5, None), ({"$oid": "1"}, None)],
)
def test_an_id_is_a_text_or_a_whole_number(value: Any, identity: Any, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"text": "good", "id": value}) + "\n", encoding="utf-8")
    ((line, row),) = unlabelled_rows(path, ReadOptions()).placed()
    assert (line, row.get("id")) == (1, identity)
    assert ("id" in row) == (identity is not None)


def test_a_text_in_the_place_of_a_file_is_told_where_it_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for text in ("Works well.", "Broke after 3.5 days", "质量很好。", "good"):
        with pytest.raises(DataError, match=r": there is no such file; .*; a text is given with --text$"):
            unlabelled_rows(text, ReadOptions())
    with pytest.raises(DataError, match=r"\.\.\.: cannot be read \(.*\); a text is given with --text$"):
        unlabelled_rows("good food " * 30, ReadOptions())
    with pytest.raises(DataError, match=r"there is no such file; \. holds nothing$"):
        unlabelled_rows("rows.csv", ReadOptions())
    for text in ("Works well.", "good food " * 30):
        with pytest.raises(DataError) as caught:
            read_rows(text)
        assert "--text" not in str(caught.value), "no training takes a text"
