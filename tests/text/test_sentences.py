"""Sentences: Chinese and English ends, and what has a dot and is no end."""

from __future__ import annotations

import re
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertie.text import sentences as module
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


@given(st.text(st.sampled_from("aB.!? \n)。中"), max_size=30) | st.text(st.sampled_from("APr. \nof)x"), max_size=30))
def test_as_by_marks_that_are_tried_one_by_one(text: str) -> None:
    """The same places as where every number of marks is tried and every sentence searched from its beginning."""
    slow = re.compile(module._END.pattern.replace("++", "+").replace("*+", "*").replace("(?<![.!?])", ""))
    places, start = [], 0
    for match in slow.finditer(text):
        if not module._SHORT.search(text, start, match.end()):
            places.append((start, match.end()))
            start = match.end()
    places.append((start, len(text)))
    assert cut(text) == [inside for start, end in places if (inside := text[start:end].strip())]


@pytest.mark.parametrize(
    "text", ["." * 100_000 + "x", "A. " * 33_000, ".)" * 50_000 + "x", ". " * 50_000 + "x", "." + " " * 100_000 + "x"]
)
def test_no_text_takes_long(text: str) -> None:
    began = time.process_time()
    assert "".join("".join(cut(text)).split()) == "".join(text.split())
    assert time.process_time() - began < 1.0
