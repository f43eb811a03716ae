"""Entity checks: what is wrong with the entities of a row stands beside its file and line."""

from __future__ import annotations

import pytest

from bertie.core.errors import DataError
from bertie.data.entity_checks import (
    accepted_entities,
    checked_entities,
    count_misaligned,
    learnable_entities,
    misaligned,
    sharing,
)
from bertie.data.rows import Rows


def rows(*texts: tuple[str, list[object]]) -> Rows:
    return Rows([{"text": text, "entities": entities} for text, entities in texts], "新闻.jsonl", [4, 7, 9])


def test_in_order_and_each_once() -> None:
    (text,) = checked_entities(
        rows(("北京和上海", [[3, 5, "地"], {"start": 0, "end": 2, "label": "地"}, [3, 5, "地"]]))
    )
    assert [(one["start"], one["end"]) for one in text.entities] == [(0, 2), (3, 5)] and text.where == "新闻.jsonl:4"
    assert text.offsets == [(i, i + 1) for i in range(5)]


def test_what_is_no_entity_is_named() -> None:
    bad = rows(("Paris", [[0, 9, "LOC"]]), ("Paris", [{"start": 0, "end": 5}]))
    with pytest.raises(DataError) as raised:
        checked_entities(Rows([*bad, {"text": "北京"}], "新闻.jsonl", [4, 7, 9]))
    first, second, third = str(raised.value).splitlines()
    assert first.startswith("新闻.jsonl:4: 'entities[0]' is [0, 9), expected 0 <= start < end <= 5")
    assert second.startswith("新闻.jsonl:7: 'entities[0].label' is empty, expected a label")
    assert third == "新闻.jsonl:9: there is no 'entities', expected one; add it or delete the row"


def test_an_entity_that_ends_in_what_no_model_sees_is_told_and_may_be_learned() -> None:
    some = rows(
        ("李安\u200b去了", [[0, 3, "人"]]), ("李安\u200b去了", [[0, 2, "人"]]), ("im\u00adpo 👩\u200d🔬", [[6, 9, "x"]])
    )
    accepted = accepted_entities(some)
    assert accepted.notes == [
        "1 entities begin or end with an invisible character such as U+200B; most models do not see it, and then no "
        "answer matches them"
    ]
    assert len(learnable_entities(some, widen=False, advice="")) == 3


def test_an_entity_that_cuts_a_word() -> None:
    texts = checked_entities(
        rows(("in iPhone5S", [[3, 10, "产品"]]), ("北京 大学", [[0, 3, "地"]]), ("a 上海", [[1, 2, "x"], [2, 4, "地"]]))
    )
    first, second, third = misaligned(texts, widen=False)
    assert first == (
        "新闻.jsonl:4: the entity 'iPhone5' (产品) at [3, 10) cuts a word or has a space at its edge, expected whole "
        "words, as 'iPhone5S' at [3, 11); correct its place, or take --set task.misaligned=widen, which learns it so"
    )
    assert second.startswith("新闻.jsonl:7: the entity '北京 ' (地) at [0, 3) ") and "as '北京' at [0, 2)" in second
    assert third == (
        "新闻.jsonl:9: the entity ' ' (x) at [1, 2) holds no word, Han character or mark, expected one at least; "
        "correct its place or delete it"
    )
    assert misaligned(texts, widen=True) == [third]
    assert count_misaligned(texts) == 3


def test_entities_that_share_a_word() -> None:
    texts = checked_entities(
        rows(
            ("New York University", [[0, 19, "ORG"], [0, 8, "LOC"], [4, 8, "NAME"]]),
            ("北京大学", [[0, 2, "地"], [2, 4, "校"]]),
            ("北京大学", [[0, 4, "校"], [2, 4, "名"]]),
        )
    )
    found = sharing(texts)
    assert len(found) == 3
    assert found[0].startswith("新闻.jsonl:4: the entities 'New York' (LOC) at [0, 8) and 'New York University' (ORG)")
    assert found[2].startswith(
        "新闻.jsonl:9: the entities '北京大学' (校) at [0, 4) and '大学' (名) at [2, 4) share a word"
    )


def test_rows_to_learn_from_and_rows_to_judge() -> None:
    good, cut = ("北京大学", [[0, 2, "地"]]), ("in iPhone5S", [[3, 10, "产品"]])
    assert len(learnable_entities(rows(good, cut), widen=True, advice="")) == 2
    with pytest.raises(DataError, match=r"^新闻.jsonl:7: the entity 'iPhone5'"):
        learnable_entities(rows(good, cut), widen=False, advice="")
    with pytest.raises(DataError, match=r"^新闻.jsonl:4: .* share a word, .*, expected one; split them"):
        learnable_entities(rows(("北京大学", [[0, 4, "校"], [0, 2, "地"]])), widen=False, advice="split them")
    with pytest.raises(DataError, match="found no entity in 1 rows; give rows with some"):
        learnable_entities(rows(("北京", [])), widen=False, advice="")
    accepted = accepted_entities(rows(("北京大学", [[0, 2, "地"], [0, 2, "地"]]), cut))
    assert len(accepted[0]["entities"]) == 1 and accepted.notes[0].startswith("1 entities begin or end inside a word")
    assert accepted_entities(rows(good)).notes == []
