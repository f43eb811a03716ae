"""Troubles: what is odd about rows of every kind is found and named; what is not odd is left alone."""

from __future__ import annotations

import pytest

from bertie.data.health import check
from bertie.data.kinds import KINDS, LABELS
from bertie.data.rows import Row, Rows
from bertie.data.sources import Splits
from bertie.data.troubles import troubles

ODD: dict[str, tuple[Row, str]] = {
    "a word cut": (
        {"text": "Beijing 北京", "entities": [{"start": 0, "end": 3, "label": "X"}]},
        "entities that begin or end inside a word",
    ),
    "a word shared": (
        {
            "text": "北京大学",
            "entities": [{"start": 0, "end": 2, "label": "地"}, {"start": 0, "end": 4, "label": "机构"}],
        },
        "entities that share a word",
    ),
    "sides": (
        {"text": "北京大学", "head": {"start": 0, "end": 4}, "tail": {"start": 0, "end": 2}, "label": "属于"},
        "relations whose sides overlap",
    ),
    "an answer cut": (
        {"context": "It is London.", "question": "Where?", "answers": [{"text": "ondon", "start": 7}]},
        "answers that begin or end inside a word",
    ),
    "a long answer": (
        {"context": "北京是首都", "question": "？", "answers": [{"text": "北京是首都", "start": 0}]},
        "answers that are most of their passage",
    ),
    "choices": ({"question": "?", "choices": ["Yes", "yes", "否"], "answer": 0}, "choices that stand twice in a row"),
    "own positive": ({"query": "怎么退款", "positive": "怎么退款？"}, "queries that are their own positive"),
    "negative": ({"query": "q", "positive": "很好", "negative": "很好"}, "negatives that are the positive"),
}
FINE: list[Row] = [
    {"text": "Ada 在北京", "entities": [{"start": 0, "end": 3, "label": "X"}, {"start": 5, "end": 7, "label": "地"}]},
    {"text": "Ada 在北京", "head": {"start": 0, "end": 3}, "tail": {"start": 5, "end": 7}, "label": "在"},
    {"context": "It is 5 km, 北京很远。", "question": "?", "answers": [{"text": "5 km", "start": 6}]},
    {"context": "It is 5 km, 北京很远。", "question": "?", "answers": [{"text": "京", "start": 13}]},
    {"question": "?", "choices": ["a", "b"], "answer": 1},
    {"query": "怎么退款", "positive": "申请退款的步骤", "negative": ""},
    {"text": "很好", "label": "x"},
]


@pytest.mark.parametrize(("row", "sort"), ODD.values(), ids=ODD)
def test_an_odd_row_is_named(row: Row, sort: str) -> None:
    found = troubles({"train": Rows(FINE[:1]), "dev": Rows([row], "dev.jsonl", [7])}, 5)
    assert {name: finding.count for name, finding in found.items()} == {sort: 1}
    assert found[sort].examples[0]["where"] == "dev.jsonl:7"


def test_rows_without_a_fault_are_left_alone() -> None:
    assert troubles({"train": Rows(FINE)}, 5) == {}


def test_positives_that_come_again_are_counted_once_for_each_row() -> None:
    rows = Rows([{"query": f"问题{i}", "positive": "同样的答案" if i < 3 else f"答案{i}"} for i in range(5)])
    found = troubles({"train": rows}, 1)["positives that several queries have"]
    assert (found.count, len(found.examples)) == (2, 1)


def splits(kind: str, train: list[Row], test: list[Row]) -> Splits:
    dev = [dict(train[0])]
    return Splits(
        *(Rows(rows, f"{name}.jsonl", kind=kind) for name, rows in zip("abc", (train, dev, test), strict=True)), []
    )


def test_what_is_asked_makes_a_leak_and_the_passage_alone_is_shared() -> None:
    passage = "北京是中国的首都，人口众多。"
    made = [
        {"context": passage, "question": question, "answers": [{"text": text, "start": passage.index(text)}]}
        for question, text in (("首都？", "北京"), ("哪国？", "中国"), ("首都？", "中国"))
    ]
    health = check(splits("question_answering", made[:2], [made[2], {**made[1], "question": "新的？"}]))
    assert health.duplicates.count == 0  # two questions on one passage are two rows
    assert [found["where"] for found in health.leaks.examples] == ["b.jsonl:1", "c.jsonl:1"]
    assert [found["where"] for found in health.shared.examples] == ["c.jsonl:2"]
    assert health.conflicts.count == 1
    assert health.parts["train"].labels == {"answerable": 2}


def test_entities_are_counted_and_a_type_that_only_test_has_is_told() -> None:
    def row(text: str, label: str) -> Row:
        return {"text": text, "entities": [{"start": 0, "end": 1, "label": label}] * 2}

    health = check(splits("tagging", [row("好的", "人"), row("坏的", "地")], [row("新的", "only here")]))
    assert health.parts["train"].labels == {"人": 2, "地": 2}
    assert "test has 1 labels that train never shows: only here" in health.warnings


def test_a_query_may_have_several_positives() -> None:
    rows = [{"query": "怎么退款", "positive": text} for text in ("步骤一", "步骤二", "步骤二")]
    health = check(splits("embedding", rows, [{"query": "new", "positive": "x"}]))
    assert (health.conflicts.count, health.duplicates.count) == (0, 1)
    assert not any("labels" in warning for warning in health.warnings)


def test_positions_of_right_choices_are_counted() -> None:
    rows = [{"question": f"?{i}", "choices": ["a", "b"], "answer": i % 2} for i in range(4)]
    assert check(splits("multiple_choice", rows, rows[:1])).parts["train"].labels == {"choice 1": 2, "choice 2": 2}


@pytest.mark.parametrize("kind", [LABELS, *KINDS])
def test_a_kind_parts_what_is_asked_from_what_is_answered(kind: str) -> None:
    if kind == LABELS:
        return
    for columns in KINDS[kind].needed:
        row = dict.fromkeys(columns, "x")
        asked, told = KINDS[kind].asked_of(row), KINDS[kind].told_of(row)
        assert asked and not set(asked) & set(told)
        assert set(asked) | set(told) | set(KINDS[kind].may_have) >= set(columns)
