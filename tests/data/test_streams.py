"""Streams: what comes in on stdin is read as a file would be, and plain lines are texts."""

from __future__ import annotations

import io

import pytest

from bertie.core.errors import DataError
from bertie.data.readers import Columns, read_stream


def test_a_stream_is_lines_of_text_or_of_json() -> None:
    assert read_stream(io.BytesIO(b"a\n\nb, c\n")).column("text") == ["a", "", "b, c"]
    assert list(read_stream(io.BytesIO(b'{"text_a": "a", "text_b": "b"}\n'))) == [{"text_a": "a", "text_b": "b"}]
    with pytest.raises(DataError, match="stdin:1: found no rows"):
        read_stream(io.BytesIO(b""))
    skipped = read_stream(io.BytesIO(b"a\nb\0\nc\n"), skip_bad_rows=True)
    assert (skipped.column("text"), skipped.lines) == (["a", "c"], [1, 3])


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
