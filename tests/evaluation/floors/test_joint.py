"""Floors of several heads: they answer in the task's form, start both heads, and come back from a bundle."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch

from bertie.bundle.folder import TASKS, Model
from bertie.data.rows import Rows
from bertie.evaluation.floor_files import FLOORS
from bertie.evaluation.floors import tfidf
from bertie.evaluation.floors.base import Floor, Ground, State, of_task
from bertie.evaluation.floors.extraction import FrozenExtraction, LexiconBetween
from bertie.evaluation.floors.intent_slots import FrozenHeads, TfidfLexicon
from bertie.nn import checkpoint
from bertie.predict import Predictor
from bertie.text.tokenizer import Tokenizer

THINGS, WORDS = ["film", "food", "手机", "服务"], ["the", "was", "very", "的", "了", "."]
VERBS = {"praise": ["good", "好"], "blame": ["bad", "慢"]}
JOINT = {"intent_slots": (TfidfLexicon, FrozenHeads), "extraction": (LexiconBetween, FrozenExtraction)}


def rows(task: str, count: int, seed: int) -> Rows:
    """Two things with a word between them that tells the intent, or what one is to the other."""
    rng, made = random.Random(seed), []
    for _ in range(count):
        text, entities, label = "", list[dict[str, Any]](), rng.choice(["praise", "blame", ""])
        for place in ("thing", label or "none", "thing", "none"):
            word = rng.choice(THINGS if place == "thing" else VERBS.get(place, WORDS))
            if place == "thing":
                entities.append({"start": len(text), "end": len(text) + len(word), "label": "thing"})
            text += word + " "
        links = [{"head": 0, "tail": 1, "label": label}] if label else []
        made.append({"text": text, "entities": entities})
        made[-1] |= {"relations": links} if task == "extraction" else {"label": label or "nothing"}
    return Rows(made, kind=task)


def ground(train: Rows, tiny_model: Path, **settings: object) -> Ground:
    torch.manual_seed(0)
    task = TASKS.get(train.kind).from_rows(train, dict(settings))
    task.build_head(32)
    return Ground(task, checkpoint.load(tiny_model).encoder, Tokenizer.from_folder(tiny_model, han_isolated=True), 48)


@pytest.mark.parametrize("name", sorted(JOINT))
def test_they_learn_answer_and_come_back(name: str, tiny_model: Path) -> None:
    train, test = rows(name, 50, 0), rows(name, 30, 1)
    on = ground(train, tiny_model)
    assert {floor.name for floor in of_task(list(FLOORS.classes().values()), on.task)} == {
        floor.name for floor in JOINT[name]
    }
    for kind in JOINT[name]:
        floor: Floor | None = kind.fit(train, on)
        assert floor is not None
        answers = floor.predict(test, on)
        assert on.task.score(answers, test).value > 0.5
        state = floor.state()
        assert state is not None
        again = kind.from_state(State(json.loads(json.dumps(state.document)), state.weights))
        for one, other in zip(again.predict(test, on), answers, strict=True):
            assert near(one) == near(other)


def near(value: Any) -> Any:
    """Scores to the third digit: a floor keeps its weights as float16."""
    if isinstance(value, dict):
        return {name: near(one) for name, one in value.items()}
    if isinstance(value, list):
        return [near(one) for one in value]
    return pytest.approx(value, abs=5e-3) if isinstance(value, float) else value


@pytest.mark.parametrize("name", sorted(JOINT))
def test_both_heads_start_from_the_frozen_floor(name: str, tiny_model: Path) -> None:
    train, test = rows(name, 50, 0), rows(name, 30, 1)
    on = ground(train, tiny_model)
    floor: Floor | None = JOINT[name][1].fit(train, on)
    assert floor is not None
    expected = floor.predict(test, on)
    assert floor.start(on.task)
    answers = Predictor(Model(on.encoder, on.task, on.tokenizer, 48)).predict(list(test))
    for one, other in zip(answers, expected, strict=True):
        assert one == near(other)


def test_pairs_that_all_have_one_label_are_left_to_the_others(tiny_model: Path) -> None:
    train = Rows([one for one in rows("extraction", 20, 0) if one["relations"]], kind="extraction")
    alike = train.with_column("relations", [[{"head": 0, "tail": 1, "label": "r"}] for _ in train])
    on = ground(alike, tiny_model, unrelated=0)
    assert LexiconBetween.fit(alike, on) is None and FrozenExtraction.fit(alike, on) is None


def test_too_large_a_part_keeps_nothing(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train = rows("intent_slots", 30, 0)
    floor = TfidfLexicon.fit(train, ground(train, tiny_model))
    monkeypatch.setattr(tfidf, "LARGEST", 1)
    assert floor.state() is None
