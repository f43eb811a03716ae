"""Text files to predict: the first line is a text, unless it is surely a header or JSON."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.data.records import unlabelled


def write(folder: Path, name: str, content: str) -> Path:
    (folder / name).write_text(content, encoding="utf-8")
    return folder / name


@pytest.mark.parametrize("first", ["news", "标题", "{not json}", "{name}, hello", '{"text": broken'])
def test_the_first_line_of_a_text_file_is_a_text_unless_it_is_surely_more(first: str, tmp_path: Path) -> None:
    rows = unlabelled(write(tmp_path, "a.txt", f"\n{first}\nsecond\n"))
    assert rows.column("text") == ["", first, "second"]


def test_a_text_file_of_json_lines_is_read_as_such_however_long_the_first_is(tmp_path: Path) -> None:
    text = "long " * 30_000
    rows = unlabelled(write(tmp_path, "a.txt", f'{{"text": "{text}"}}\n{{"text": "b"}}\n'))
    assert rows.column("text") == [text, "b"]
