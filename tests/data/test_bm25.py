"""BM25 prefers rare terms and short texts, in words and in Han characters."""

from __future__ import annotations

import numpy as np
import pytest

from bertie.data.bm25 import Bm25Index


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
