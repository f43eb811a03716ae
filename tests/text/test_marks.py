"""Marks agree with the words and the sentences of the text, whatever the pieces are."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertie.text.marks import SENTENCE, WORD, marks, word_starts
from bertie.text.sentences import sentences

PARTS = [
    "我们",
    "研究生命起源",
    "人工智能",
    " ",
    "\n",
    "hello",
    "World",
    "3.50",
    "don't",
    "T恤",
    "卡拉OK",
    "。",
    "! ",
    "“",
    "𠮷",
    "e\u0301",
    "한국",
]
PARTS += ["_", "-", "👨‍👩‍👧", "かな", "，", "iPhone15"]
TEXT = st.lists(st.sampled_from(PARTS), max_size=14).map("".join)


def cut(text: str, user_words: tuple[str, ...] = ()) -> list[str]:
    starts = np.flatnonzero(word_starts(text, user_words)).tolist()
    return [text[a:b].strip() for a, b in pairwise([*starts, len(text)])]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("我们研究生命的起源。", ["我们", "研究", "生命", "的", "起源", "。"]),
        ("你用iPhone15听music呢", ["你", "用", "iPhone15", "听", "music", "呢"]),
        ("我们，买T恤", ["我们", "，", "买", "T恤"]),
        ("It costs 3.50, don't_it?", ["It", "costs", "3", ".", "50", ",", "don", "'", "t", "_", "it", "?"]),
        ("cafe\u0301 ok", ["cafe\u0301", "ok"]),
        ("", []),
    ],
)
def test_words_of_mixed_text(text: str, words: list[str]) -> None:
    assert cut(text) == words


def test_words_of_the_user_stay_whole() -> None:
    assert "深度学习" not in cut("我们用深度学习写C++")
    assert cut("我们用深度学习写C++", ("深度学习", "C++")) == ["我们", "用", "深度学习", "写", "C++"]


def test_a_piece_that_straddles_is_a_beginning_and_bytes_begin_once() -> None:
    text = "我们研究。好"
    assert marks(text, [(0, 1), (1, 3), (3, 4), (4, 5), (5, 6), (5, 6), (5, 6)]).tolist() == [3, 1, 0, 1, 3, 0, 0]
    assert marks(" 好", [(1, 1), (1, 2)]).tolist() == [3, 0], "a lone metaspace is the beginning"
    assert marks("", []).tolist() == []


@settings(max_examples=200, deadline=None)
@given(TEXT, st.data())
def test_no_beginning_is_missing(text: str, data: st.DataObject) -> None:
    borders = sorted({0, len(text), *data.draw(st.lists(st.integers(0, len(text)), max_size=30))})
    offsets = [(a, b) for a, b in pairwise(borders) if text[a:b].strip()]
    found = marks(text, offsets)
    starts = word_starts(text)
    first = {start for start, _ in sentences(text)}
    for (start, end), mark in zip(offsets, found, strict=True):
        inside = [i for i in range(start, end) if starts[i] or i in first]
        assert bool(mark & WORD) == bool(inside)
        assert bool(mark & SENTENCE) == any(i in first for i in inside)
        assert mark & WORD or not mark & SENTENCE
    visible = [i for i, letter in enumerate(text) if not letter.isspace()]
    assert all(starts[i] or i in first for i in visible if i == 0 or text[i - 1].isspace())
