"""Relevance: what is right for a query in whichever row it stands, and what only repeats it."""

from __future__ import annotations

from bertie.data.relevance import Relevance
from bertie.data.rows import Rows

ROWS = Rows(
    [
        {"query": "怎么退款", "positive": "在订单里申请"},
        {"query": "怎么退款？", "positive": "联系客服"},
        {"query": "联系客服", "positive": "怎么退款"},
        {"query": "Refund", "positive": "refund!"},
        {"query": "怎么退款", "positive": "联系客服"},
    ]
)


def test_a_query_has_the_positives_of_all_its_rows_each_once() -> None:
    found = Relevance.of(ROWS)
    assert found.texts == ["在订单里申请", "联系客服", "怎么退款", "refund!"]
    assert found.right("怎么退款") == found.right(" 怎么退款 ?") == ["在订单里申请", "联系客服"]
    assert found.right("联系客服") == ["怎么退款"] and found.right("?") == []
    assert found.firsts == [0, 2, 3]


def test_what_only_repeats_a_query_is_neither_right_nor_wrong() -> None:
    found = Relevance.of(ROWS)
    assert found.echoes("怎么退款？") == ["怎么退款"] and found.echoes("联系客服") == ["联系客服"]
    assert found.echoes("refund") == [], "it is what this query is to find"
    assert found.echoes("在哪里") == []
