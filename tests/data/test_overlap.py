"""Rows that were seen before: those that `data check` calls exact leaks, counted in one pass, whatever a row asks."""

from __future__ import annotations

import pytest

from bertie.data import overlap
from bertie.data.kinds import KINDS, LABELS
from bertie.data.rows import Row, Rows

ANSWERS = [{"text": "北京", "start": 0}]
PAIR = {"text_a": "good food", "text_b": "bad food", "label": "x"}
CASES: dict[str, tuple[str, Row, Row, int]] = {
    "marks and case": (LABELS, {"text": "Good food!", "label": "a"}, {"text": "good  FOOD", "label": "b"}, 1),
    "a pair": (LABELS, PAIR, {**PAIR, "label": "y"}, 1),
    "one text of a pair": (LABELS, PAIR, {**PAIR, "text_b": "slow food"}, 0),
    "a scored pair": ("embedding", PAIR, {**PAIR, "label": "0.5"}, 1),
    "a query": ("embedding", {"query": "退款", "positive": "甲"}, {"query": "退款？", "positive": "乙"}, 1),
    "an answer": ("embedding", {"query": "退款", "positive": "甲"}, {"query": "换货", "positive": "甲"}, 0),
    "candidates": (
        "reranking",
        {"query": "退款", "candidates": ["甲", "乙"], "positives": ["甲"]},
        {"query": "退款", "candidates": ["甲", "丙"], "positives": ["甲"]},
        0,
    ),
    "a question": (
        "question_answering",
        {"context": "北京很大", "question": "哪里？", "answers": ANSWERS},
        {"context": "北京很大", "question": "哪里", "answers": []},
        1,
    ),
    "a passage": (
        "question_answering",
        {"context": "北京很大", "question": "哪里？", "answers": ANSWERS},
        {"context": "北京很大", "question": "多大？", "answers": []},
        0,
    ),
    "another target": (
        "target_sentiment",
        {"text": "the room and the food", "target": "room", "label": "a"},
        {"text": "the room and the food", "target": "food", "label": "a"},
        0,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_was_seen_is_what_data_check_calls_a_leak(case: str) -> None:
    kind, learned, judged, count = CASES[case]
    parts = {"test": Rows([judged], kind=kind), "train": Rows([learned], kind=kind)}
    assert overlap.seen(parts) == {"test": count}
    known = KINDS.get(kind)
    groups = overlap.group(parts, overlap.key_of(known)) if known else overlap.group(parts)
    assert overlap.leaks(groups, 1).count == count


def test_test_rows_are_seen_in_dev_too_and_each_is_counted() -> None:
    def rows(*texts: str) -> Rows:
        return Rows([{"text": text, "label": "a"} for text in texts])

    parts = {"train": rows("a", "b", "a"), "dev": rows("c", "c", "b"), "test": rows("c", "a", "a", "d", "d")}
    assert overlap.seen(parts) == {"dev": 1, "test": 3}
