"""TF-IDF around entities: words tell the relation, their order its direction, in the task's form."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from bertie.core.errors import DataError
from bertie.data.rows import Rows
from bertie.evaluation.floors.base import Ground
from bertie.evaluation.floors.tfidf_between import TfidfBetween, _regions
from bertie.nn import checkpoint
from bertie.tasks.relation import Relation
from bertie.text.tokenizer import Tokenizer

ENGLISH = {"cause": "led to", "part": "belongs to", "none": "stood beside"}
CHINESE = {"收购": "收购了", "持股": "持有股份", "无": "与"}


def rows(words: dict[str, str], count: int, seed: int) -> Rows:
    """The label is told by what stands between, and by which entity stands first."""
    rng = random.Random(seed)
    names = ["storm", "door", "market", "garden", "teacher"] if words is ENGLISH else list("甲乙丙丁戊")
    glue = " " if words is ENGLISH else ""
    made = []
    for _ in range(count):
        (relation, verb), (first, second) = rng.choice(sorted(words.items())), rng.sample(names, 2)
        text = glue.join([first, verb, second, rng.choice(names)])
        places = [{"start": 0, "end": len(first)}, {"start": text.index(verb) + len(verb) + len(glue)}]
        places[1]["end"] = places[1]["start"] + len(second)
        turned = rng.random() < 0.5
        head, tail = places[::-1] if turned else places
        made.append({"text": text, "head": head, "tail": tail, "label": f"{relation}{'<-' if turned else '->'}"})
    return Rows(made)


def ground(train: Rows, tiny_model: Path) -> Ground:
    """TF-IDF reads nothing of it."""
    task = Relation.from_rows(train, {})
    return Ground(task, checkpoint.load(tiny_model).encoder, Tokenizer.from_folder(tiny_model), 32)


@pytest.mark.parametrize("words", [ENGLISH, CHINESE])
def test_words_and_their_order_tell_the_relation(words: dict[str, str], tiny_model: Path) -> None:
    train, test = rows(words, 200, 0), rows(words, 100, 1)
    on = ground(train, tiny_model)
    found = TfidfBetween.fit(train, on).predict(test, on)
    assert on.task.score(found, test).value > 0.95
    for answer in found:
        assert set(answer) == {"label", "score", "scores"} and list(answer["scores"]) == sorted(answer["scores"])
        assert answer["score"] == max(answer["scores"].values()) == answer["scores"][answer["label"]]


def test_from_a_bundle_it_answers_the_same(tiny_model: Path) -> None:
    train = rows(CHINESE, 60, 0)
    on = ground(train, tiny_model)
    floor = TfidfBetween.fit(train, on)
    state = floor.state()
    assert state is not None
    again = TfidfBetween.from_state(state)
    for one, other in zip(again.predict(train, on), floor.predict(train, on), strict=True):
        assert one["scores"] == pytest.approx(other["scores"], abs=2e-3)  # kept as float16
    assert not floor.start(on.task)


def regions(text: str, head: tuple[int, int], tail: tuple[int, int]) -> dict[str, str]:
    row: dict[str, Any] = {"text": text}
    row |= {name: {"start": a, "end": b} for name, (a, b) in (("head", head), ("tail", tail))}
    return {name: part for name, part in _regions(row).items() if part}


def test_the_regions_of_a_text() -> None:
    text = "In May Google bought Fitbit for 2 billion."
    forward = regions(text, (7, 13), (21, 27))
    assert forward == {
        "head": "Google",
        "tail": "Fitbit",
        "between": " bought ",
        "before": "In May ",
        "after": " for 2 billion.",
        "stretch": "Google bought Fitbit",
        "forward": "Google bought Fitbit",
    }
    backward = regions(text, (21, 27), (7, 13))
    assert backward["backward"] == forward["forward"] and "forward" not in backward
    assert backward["between"] == forward["between"] and backward["head"] == "Fitbit"


def test_entities_that_overlap_have_nothing_between() -> None:
    found = regions("中国银行北京分行", (0, 8), (0, 4))
    assert found == {
        "head": "中国银行北京分行",
        "tail": "中国银行",
        "stretch": "中国银行北京分行",
        "backward": "中国银行北京分行",
    }


def test_texts_without_anything_to_count_are_an_error_that_says_so(tiny_model: Path) -> None:
    place = [{"start": i, "end": i + 1} for i in range(2)]
    train = Rows([{"text": "   ", "head": place[0], "tail": place[1], "label": label} for label in "ab"])
    with pytest.raises(DataError, match="no word around the entities is frequent enough for TF-IDF; give more rows"):
        TfidfBetween.fit(train, ground(train, tiny_model))
