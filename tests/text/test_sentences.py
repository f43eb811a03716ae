"""Sentences: Chinese and English ends, and what has a dot and is no end."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertie.text.sentences import sentences


def cut(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It rained. They left! Why? Nobody knows.", ["It rained.", "They left!", "Why?", "Nobody knows."]),
        ("今天下雨。他们走了！为什么？不知道……", ["今天下雨。", "他们走了！", "为什么？", "不知道……"]),
        ("他说：“走吧。”大家走了。", ["他说：“走吧。”", "大家走了。"]),
        ('He said "go." They went.', ['He said "go."', "They went."]),
        ("多少?三个.很好", ["多少?", "三个.", "很好"]),
        ("no mark at all", ["no mark at all"]),
        ("first line\n\n  second line  ", ["first line", "second line"]),
        ("一行\n二行", ["一行", "二行"]),
        ("", []),
        (" \n ", []),
    ],
)
def test_where_sentences_end(text: str, expected: list[str]) -> None:
    assert cut(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "It costs 3.14 at example.com today",
        "J. K. Rowling wrote it",
        "Dr. Smith met Mr. Jones",
        "It is approx. ten",
        "总投资11.42亿元",
    ],
)
def test_dots_that_end_nothing(text: str) -> None:
    assert cut(text) == [text]


@given(st.text(st.sampled_from('ab A.。！?\n ”"Dr好\ud800'), max_size=40))
def test_nothing_but_white_space_is_lost(text: str) -> None:
    places = sentences(text)
    assert all(before[1] <= after[0] for before, after in pairwise(places))
    assert "".join("".join(cut(text)).split()) == "".join(text.split())
