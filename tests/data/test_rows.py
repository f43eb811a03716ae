"""Rows know where they stood and what they hold."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertie.data import rows as rows_module
from bertie.data.rows import Rows, blocks

ROWS = Rows([{"text": name, "label": name.upper()} for name in "abcd"], "file.csv", [2, 3, 5, 9], "gb18030", ["a note"])


def test_a_part_keeps_the_lines_of_its_rows() -> None:
    part = ROWS.take([3, 1])
    assert [row["text"] for row in part] == ["d", "b"]
    assert [part.where(i) for i in range(2)] == ["file.csv:9", "file.csv:3"]
    assert (part.source, part.encoding) == ("file.csv", "gb18030")


def test_slices_and_negative_indices() -> None:
    assert ROWS[1:3].lines == [3, 5]
    assert ROWS[::-1].column("text") == list("dcba")
    assert ROWS[-1]["text"] == "d"
    with pytest.raises(IndexError):
        ROWS[4]


def test_rows_made_in_python_are_numbered_from_one() -> None:
    assert Rows([{"text": "a"}, {"text": "b"}]).where(1) == "rows:2"


def test_a_missing_column_is_none() -> None:
    assert Rows([{"text": "a"}, {"label": "b"}]).column("label") == [None, "b"]


def test_notes_stay_with_the_whole_and_do_not_make_rows_differ() -> None:
    assert ROWS.take([0]).notes == []
    assert Rows(ROWS.rows, ROWS.source, ROWS.lines, ROWS.encoding) == ROWS


def test_the_fingerprint_is_of_the_content_alone() -> None:
    other = Rows([{"label": row["label"], "text": row["text"]} for row in ROWS], "other.jsonl")
    assert other.fingerprint() == ROWS.fingerprint()
    assert ROWS.take([1, 0, 2, 3]).fingerprint() != ROWS.fingerprint()
    assert ROWS.take([0, 1, 2]).fingerprint() != ROWS.fingerprint()


@given(st.lists(st.dictionaries(st.sampled_from(["text", "label"]), st.text()), max_size=8), st.data())
@settings(deadline=None)
def test_take_is_indexing(rows: list[dict[str, str]], data: st.DataObject) -> None:
    table = Rows(rows, lines=list(range(10, 10 + len(rows))))
    indices = data.draw(st.lists(st.sampled_from(range(len(rows))))) if rows else []
    part = table.take(indices)
    assert list(part) == [rows[i] for i in indices]
    assert [part.where(k) for k in range(len(part))] == [table.where(i) for i in indices]
    assert len(table.fingerprint()) == 64


def test_blocks_hold_all_rows_in_order_within_their_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["好", "b", "c", "d", "eeeee", "ffffff", "g" * 30, "", "h"]
    parted = [["好", "b", "c"], ["d", "eeeee"], ["ffffff"], ["g" * 30], ["", "h"]]
    assert list(blocks(texts, 3, 10)) == parted
    assert list(blocks(texts, characters=10)) == [["好", "b", "c", "d", "eeeee"], *parted[2:]]
    assert list(blocks(texts)) == [texts]
    monkeypatch.setattr(rows_module, "ROWS_PER_BLOCK", 3)
    monkeypatch.setattr(rows_module, "CHARACTERS_PER_BLOCK", 10)
    assert list(blocks(texts)) == parted
    rows = [{"question": "q", "choices": ["aaa", "bbb"], "answer": 1} for _ in range(3)]
    assert [len(block) for block in blocks(rows)] == [1, 1, 1]
    parts = list(ROWS.blocks())
    assert [row for part in parts for row in part] == list(ROWS)
    assert [part.where(0) for part in parts] == ["file.csv:2", "file.csv:9"]
    assert list(blocks([])) == []
