"""BM25 prefers rare terms and short texts, in words and in Han characters."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer

from bertie.data.bm25 import Bm25Index, terms


@pytest.mark.parametrize(
    ("query", "texts"),
    [
        ("cheap flights", ["cheap", "cheap cheap food and a room", "a room"]),
        ("便宜机票", ["便宜", "便宜的东西和一个好的房间", "好的房间"]),
    ],
)
def test_the_shorter_text_with_the_word_is_first(query: str, texts: list[str]) -> None:
    assert np.argsort(-Bm25Index.of(texts).scores([query])[0]).tolist() == [0, 1, 2]


def test_a_rare_word_weighs_more() -> None:
    scores = Bm25Index.of(["common one", "common two", "rare six"]).scores(["common rare"])[0]
    assert scores[2] > scores[0] == scores[1]


def test_the_formula() -> None:
    """One term, twice in a text of 2 of a mean length of 1.5, held by one of two texts."""
    rarity, norm = np.log(1 + 1.5 / 1.5), 1.2 * (0.25 + 0.75 * 2 / 1.5)
    scores = Bm25Index.of(["a1 a1", "b2"]).scores(["a1"])
    assert scores[0, 0] == pytest.approx(rarity * 2 * 2.2 / (2 + norm)) and scores[0, 1] == 0.0


def test_texts_without_a_word() -> None:
    assert Bm25Index.of(["", " "]).scores(["a", "b"]).tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_a_file_of_two_languages_is_searched_in_both() -> None:
    texts = [
        "Click on settings to change your password",
        "We are open from nine to five",
        "Returns are free within 30 days",
        "请在“设置”里修改密码",
        "营业时间是9点到17点",
    ]
    queries = ["如何修改密码？", "change the password", "几点营业", "iPhone的Settings怎么开"]
    scores = Bm25Index.of(texts).scores(queries)
    assert scores.argmax(axis=1).tolist() == [3, 0, 4, 0]
    assert (scores[0] > 0).tolist() == [False, False, False, True, False]


def test_english_is_cut_into_words_and_chinese_into_characters_and_pairs() -> None:
    english = "It's a 2nd-hand café_bar, OK?  Naïve 5G"
    assert terms(english) == re.findall(r"(?u)\w+", english.lower())
    pairs = CountVectorizer(analyzer="char", ngram_range=(1, 2)).build_analyzer()
    assert sorted(terms("如何修改密码")) == sorted(pairs("如何修改密码"))
    assert terms("用ＡＢ1改密码！好") == ["用", "ab1", "改", "密", "码", "改密", "密码", "好"]


@pytest.mark.parametrize("text", ["हिन्दी", "ภาษาไทย", "ひらがな", "한국어"])
def test_of_other_scripts_no_sentence_is_one_word(text: str) -> None:
    assert terms(text) == [*text, *(a + b for a, b in pairwise(text))]
