"""Han characters stand alone, words stay whole, and English is cut as rouge-score cuts it."""

from __future__ import annotations

import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from rouge_score.tokenizers import DefaultTokenizer

from bertie.metrics.tokens import fold_width, words


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("我用BERT做NLP。", ["我", "用", "bert", "做", "nlp"]),
        ("２０２４年，ＧＤＰ增长５％", ["2024", "年", "gdp", "增", "长", "5"]),
        ("𠮷野家 㐂 〇", ["𠮷", "野", "家", "㐂", "〇"]),
        ("Café déjà-vu", ["café", "déjà", "vu"]),
        ("snake_case, don't", ["snake", "case", "don", "t"]),
        ("！！？", ["!", "!", "?"]),
        (" \u3000\n", []),
        ("", []),
    ],
)
def test_words(text: str, tokens: list[str]) -> None:
    assert words(text) == tokens


@given(st.text(string.printable))
def test_ascii_words_are_those_of_rouge_score(text: str) -> None:
    expected = DefaultTokenizer().tokenize(text)
    assume(expected)
    assert words(text) == expected


@given(st.text())
def test_only_white_space_has_no_tokens(text: str) -> None:
    assert (words(text) == []) == (not text.strip())
    assert not any(character.isspace() for token in words(text) for character in token)


def test_full_width_forms_become_ascii_in_place() -> None:
    ascii_marks = "".join(map(chr, range(0x21, 0x7F)))
    assert fold_width("".join(chr(ord(mark) + 0xFEE0) for mark in ascii_marks)) == ascii_marks
    assert fold_width("Ａ\u3000。「」￥") == "A 。「」￥"
