"""The frozen encoder, word by word: tags from its states, honest about what it left out, a start for the head."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bertie.bundle.folder import Model
from bertie.core.errors import ModelError
from bertie.data.rows import Rows
from bertie.evaluation.floors import frozen_tokens
from bertie.evaluation.floors.base import Ground
from bertie.evaluation.floors.frozen_tokens import FrozenTokens
from bertie.nn import checkpoint
from bertie.predict import Predictor
from bertie.tasks.tagging import Tagging
from bertie.text.tokenizer import Tokenizer

THINGS = {"product": ["film", "food", "手机", "电影", "Good food"], "work": ["service", "服务", "物流"]}
OTHERS = ["the", "was", "very", "bad", "slow", "的", "了", "很", "满意", "失望", "a", "."]


def rows(count: int, seed: int) -> Rows:
    """Texts of random words, some of which are entities."""
    rng = random.Random(seed)
    made = []
    for _ in range(count):
        text, entities = "", list[dict[str, Any]]()
        for _ in range(rng.randint(3, 12)):
            label = rng.choice([*THINGS, "", "", "", ""])
            word = rng.choice(THINGS[label] if label else OTHERS)
            if label:
                entities.append({"start": len(text), "end": len(text) + len(word), "label": label})
            text += word + " "
        made.append({"text": text, "entities": entities})
    return Rows(made)


def ground(train: Rows, tiny_model: Path, **settings: object) -> Ground:
    task = Tagging.from_rows(train, dict(settings))
    task.build_head(32)
    tokenizer = Tokenizer.from_folder(tiny_model, han_isolated=True)
    return Ground(task, checkpoint.load(tiny_model).encoder, tokenizer, 32)


@pytest.mark.parametrize("settings", [{}, {"head": "token", "shapes": False}])
def test_it_finds_entities_and_the_start_answers_the_same(settings: dict[str, Any], tiny_model: Path) -> None:
    train, test = rows(150, 0), rows(40, 1)
    on = ground(train, tiny_model, **settings)
    floor = FrozenTokens.fit(train, on)
    said = floor.predict(test, on)
    assert on.task.score(said, test).value > 0.9
    assert floor.start(on.task)
    answers = Predictor(Model(on.encoder, on.task, on.tokenizer, 32)).predict(list(test))
    for answer, expected in zip(answers, said, strict=True):
        close = [{**one, "score": pytest.approx(one["score"], abs=1e-3)} for one in expected["entities"]]
        assert answer["entities"] == close


def test_it_has_no_start_for_another_head(tiny_model: Path) -> None:
    train = rows(60, 0)
    on = ground(train, tiny_model, head="span")
    floor = FrozenTokens.fit(train, on)
    assert not floor.start(on.task)
    assert on.task.score(floor.predict(train, on), train).value > 0.8
    assert not floor.start(ground(train, tiny_model, shapes=False).task)


def test_what_was_left_out_outside_of_entities_is_made_up_for(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a tenth of the units the answers are about as many as with all of them."""
    train = rows(150, 0)
    on = ground(train, tiny_model)
    whole = FrozenTokens.fit(train, on)
    units = sum(len(one.target) for one in on.encode(train))
    monkeypatch.setattr(frozen_tokens, "UNITS", 300)
    part = FrozenTokens.fit(train, on)
    assert units > 300 and part.bias[0] != whole.bias[0]
    assert on.task.score(part.predict(train, on), train).metrics["precision"] > 0.85
    monkeypatch.setattr(frozen_tokens, "TOKENS", 400)
    assert FrozenTokens.fit(train, on).weight.shape == whole.weight.shape


def test_of_nested_entities_it_answers_the_longest(tiny_model: Path) -> None:
    train = Rows(
        [
            {
                "text": "the good food",
                "entities": [{"start": 4, "end": 13, "label": "thing"}, {"start": 9, "end": 13, "label": "thing"}],
            },
            {"text": "bad film", "entities": []},
        ]
        * 10
    )
    on = ground(train, tiny_model)
    answers = FrozenTokens.fit(train, on).predict(train, on)
    assert [[one["text"] for one in answer["entities"]] for answer in answers[:2]] == [["good food"], []]


def test_from_a_bundle_it_answers_the_same_on_its_own_encoder(tiny_model: Path) -> None:
    train = rows(60, 0)
    on = ground(train, tiny_model)
    floor = FrozenTokens.fit(train, on)
    again = FrozenTokens.from_state(floor.state())
    assert again.predict(train, on) == floor.predict(train, on)
    assert np.array_equal(again.weight, floor.weight)
    tuned = replace(on)
    next(tuned.encoder.parameters()).data += 0.1
    with pytest.raises(ModelError, match="other weights than the encoder that the floor was fitted on"):
        again.predict(train, tuned)
