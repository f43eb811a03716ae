"""Mining: what looks right and is not; nothing that may be an answer too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bertie.data import mining
from bertie.data.bm25 import Bm25Index
from bertie.data.mining import best_by_words, best_places, hard_negatives, query_blocks
from bertie.data.rows import Rows

ROWS = Rows(
    [
        {"query": "cheap flights", "positive": "cheap flights here"},
        {"query": "Cheap flights!", "positive": "fly for little"},
        {"query": "hotel", "positive": "cheap flights there"},
        {"query": "房间", "positive": "便宜的房间"},
        {"query": "机票", "positive": "cheap flights  here."},
    ]
)


def letters(texts: Sequence[str]) -> NDArray[np.float32]:
    """Vectors by which letters a text has."""
    counts = np.array([[text.lower().count(chr(c)) for c in range(97, 123)] + [0.1] for text in texts])
    return np.asarray(counts / np.linalg.norm(counts, axis=1, keepdims=True), dtype=np.float32)


def test_negatives_are_hard_and_no_answers() -> None:
    found = hard_negatives(ROWS, letters, 1, margin=0.01)
    assert found[0] != [ROWS[0]["positive"]]
    for row, negatives in zip(ROWS, hard_negatives(ROWS, letters, 4, margin=0.01), strict=True):
        assert row["positive"] not in negatives
    first = hard_negatives(ROWS, letters, 4, margin=0.01)[0]
    assert "fly for little" not in first, "the same query has it as its positive"
    assert "cheap flights  here." not in first, "the same text but for its marks"
    assert "cheap flights there" in first


def test_what_repeats_a_query_is_no_negative_and_no_candidate() -> None:
    both = Rows([{"query": "ab cd", "positive": "xy z"}, {"query": "xy z", "positive": "Ab, cd"}, *ROWS])
    for negatives in (hard_negatives(both, letters, 9, margin=0.0), best_by_words(both, 9)):
        assert "Ab, cd" not in negatives[0] and "xy z" not in negatives[1]
        assert all("Ab, cd" in one and "xy z" in one for one in negatives[2:])
    assert best_by_words(both, 1)[0] != [] and len(best_by_words(both, 9)[0]) == 6


def test_without_a_margin_only_what_is_known_is_left_out() -> None:
    assert "cheap flights  here." in hard_negatives(ROWS, letters, 4, margin=0.0)[0]


def test_the_same_seed_draws_the_same() -> None:
    rows = Rows([{"query": f"q {i}", "positive": f"text {i} {'ab'[i % 2]}"} for i in range(40)])
    one, again, other = (hard_negatives(rows, letters, 2, 0.0, seed) for seed in (0, 0, 1))
    assert one == again != other and all(len(negatives) == 2 for negatives in one)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=30), st.integers(1, 40))
def test_the_best_places_are_those_of_a_stable_sort(values: list[int], count: int) -> None:
    scores = np.array(values, dtype=np.float32)
    assert best_places(scores, count).tolist() == np.argsort(-scores, kind="stable")[:count].tolist()


def test_memory_does_not_grow_with_the_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = Rows([{"query": f"q {i}", "positive": f"text {i} {'ab'[i % 2]}"} for i in range(40)])
    negatives, best = hard_negatives(rows, numbers, 2, -1e9), best_by_words(rows, 5)
    held = list[int]()
    scores = Bm25Index.scores

    def counted(index: Bm25Index, queries: Sequence[str]) -> NDArray[np.float64]:
        held.append(len(queries) * index.texts)
        return scores(index, queries)

    monkeypatch.setattr(Bm25Index, "scores", counted)
    monkeypatch.setattr(mining, "CELLS", 130)
    assert hard_negatives(rows, numbers, 2, -1e9) == negatives and best_by_words(rows, 5) == best
    assert max(held) == 120 and sum(held) == 2 * 40 * 40
    assert [part.stop - part.start for part in query_blocks(3, 1000)] == [1, 1, 1]


def numbers(texts: Sequence[str]) -> NDArray[np.float32]:
    """The number in a text: whole ones, so that a product is the same however many are made at once."""
    return np.array([[int(text.split()[1])] for text in texts], dtype=np.float32)


def test_ranks_that_are_far_behind_are_all_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mining, "RANKED", 2)
    found = mining._reciprocal(np.array([[0.1, 0.9, 0.3, 0.5]]))
    assert found.tolist() == [[1 / 63, 1 / 61, 1 / 63, 1 / 62]]


def test_a_text_without_a_shared_word_has_no_rank_by_words() -> None:
    found = mining._reciprocal(np.array([[0.0, 0.0, 0.4]]), above=0.0)
    assert found[0, 0] == found[0, 1] < found[0, 2] == 1 / 61


def test_best_by_words() -> None:
    assert best_by_words(ROWS, 2)[0] == ["cheap flights here", "cheap flights there"]
    assert {len(texts) for texts in best_by_words(ROWS, 3)} == {3}


def test_what_shares_no_word_with_the_query_is_drawn_and_not_the_first_of_the_file() -> None:
    rows = Rows([{"query": f"问题{chr(0x4E00 + i)}", "positive": f"answer number {i}"} for i in range(60)])
    found = best_by_words(rows, 5)
    assert {len(set(texts)) for texts in found} == {5} and found == best_by_words(rows, 5)
    drawn = Counter(text for texts in found for text in texts)
    assert len(drawn) > 50 and max(drawn.values()) < 20
    both = best_by_words(Rows([*rows, {"query": "number 7", "positive": "机"}]), 3)[-1]
    assert both[0] == "answer number 7" and "机" not in both
