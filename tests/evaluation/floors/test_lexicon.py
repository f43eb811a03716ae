"""The lexicon: longest match, strings that are more often nothing, entities inside each other, kept in a bundle."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bertie.data.rows import Rows
from bertie.evaluation.floors import lexicon
from bertie.evaluation.floors.base import Ground, State
from bertie.evaluation.floors.lexicon import LexiconFloor
from bertie.nn import checkpoint
from bertie.tasks.tagging import Tagging
from bertie.text.tokenizer import Tokenizer

On = Callable[[Rows], Ground]


def row(text: str, *entities: tuple[int, int, str]) -> dict[str, Any]:
    return {"text": text, "entities": [{"start": start, "end": end, "label": label} for start, end, label in entities]}


TRAIN = Rows(
    [
        row("Bank of England said", (0, 15, "ORG")),
        row("England won in  May", (0, 7, "LOC")),
        row("England lost", (0, 7, "LOC")),
        row("May met Ann May", (0, 3, "PER"), (8, 15, "PER")),
        row("in May, in May"),
        row("England says no", (0, 7, "ORG")),
        row("北京大学在北京", (0, 4, "校"), (5, 7, "地")),
        row("他在北京，大学生", (2, 4, "地")),
    ]
)
NESTED = Rows(
    [row("北京大学在北京", (0, 4, "校"), (0, 2, "地"), (5, 7, "地")), row("大学在北京", (3, 5, "地"), (3, 5, "首都"))]
)


@pytest.fixture
def on(tiny_model: Path) -> On:
    encoder, tokenizer = checkpoint.load(tiny_model).encoder, Tokenizer.from_folder(tiny_model)
    return lambda rows: Ground(Tagging.from_rows(rows, {}), encoder, tokenizer, 32)


def found(floor: LexiconFloor, text: str, ground: Ground) -> list[tuple[str, str, int]]:
    (answer,) = floor.predict(Rows([{"text": text}]), ground)
    assert all(text[one["start"] : one["end"]] == one["text"] for one in answer["entities"])
    return [(one["text"], one["label"], one["start"]) for one in answer["entities"]]


def test_the_longest_match_and_the_most_frequent_label(on: On) -> None:
    ground = on(TRAIN)
    floor = LexiconFloor.fit(TRAIN, ground)
    assert found(floor, "the Bank  of England, England", ground) == [
        ("Bank  of England", "ORG", 4),
        ("England", "LOC", 22),
    ]
    assert found(floor, "北京大学，上海和北京", ground) == [("北京大学", "校", 0), ("北京", "地", 8)]
    assert found(floor, "england, Englands", ground) == found(floor, "", ground) == []


def test_what_is_more_often_no_entity_is_left_out(on: On) -> None:
    """May stands four times, once as an entity; inside Ann May it is not asked."""
    ground = on(TRAIN)
    floor = LexiconFloor.fit(TRAIN, ground)
    assert ("May",) not in floor.entries
    assert found(floor, "May and Ann May", ground) == [("Ann May", "PER", 8)]


def test_the_score_is_how_often_it_was_so(on: On) -> None:
    ground = on(TRAIN)
    (answer,) = LexiconFloor.fit(TRAIN, ground).predict(Rows([{"text": "England"}]), ground)
    assert answer["entities"][0]["score"] == pytest.approx(2 / 3)


def test_answers_nest_where_the_training_does(on: On) -> None:
    ground = on(NESTED)
    floor = LexiconFloor.fit(NESTED, ground)
    assert floor.nested and not LexiconFloor.fit(TRAIN, on(TRAIN)).nested
    assert found(floor, "去北京大学", ground) == [("北京", "地", 1), ("北京大学", "校", 1)]
    scores = ground.task.score(floor.predict(NESTED, ground), NESTED)
    assert scores.metrics["precision"] == 1.0 and scores.metrics["recall"] == pytest.approx(4 / 5)


def test_from_a_bundle_it_answers_the_same(on: On, monkeypatch: pytest.MonkeyPatch) -> None:
    for rows in (TRAIN, NESTED):
        ground = on(rows)
        floor = LexiconFloor.fit(rows, ground)
        state = floor.state()
        assert state is not None
        again = LexiconFloor.from_state(State(json.loads(json.dumps(state.document)), state.weights))
        assert again.predict(rows, ground) == floor.predict(rows, ground)
    monkeypatch.setattr(lexicon, "LARGEST", 1)
    assert floor.state() is None
