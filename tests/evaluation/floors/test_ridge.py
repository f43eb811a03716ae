"""Ridge floors: numbers from words and from frozen states, and a start that answers as the floor does."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from bertie.data.rows import Rows
from bertie.evaluation.floors.base import Ground
from bertie.evaluation.floors.ridge import FrozenRidge, TfidfRidge
from bertie.nn import checkpoint
from bertie.predict import Model, Predictor
from bertie.tasks.regression import Regression
from bertie.text.tokenizer import Tokenizer

WORDS = ["good", "bad", "great", "poor", "film", "food", "service", "好", "坏", "快", "慢"]


def singles(count: int, seed: int) -> Rows:
    rng = random.Random(seed)
    made = []
    for _ in range(count):
        words = rng.choices(WORDS, k=6)
        made.append({"text": " ".join(words), "label": f"{words.count('good') - words.count('坏') + 10.5}"})
    return Rows(made)


def pairs(count: int, seed: int) -> Rows:
    rng = random.Random(seed)
    made = []
    for _ in range(count):
        a, kept = rng.sample(WORDS, 5), rng.randint(0, 5)
        b = a[:kept] + rng.sample([word for word in WORDS if word not in a], 5 - kept)
        made.append({"text_a": " ".join(a), "text_b": " ".join(b[::-1]), "label": str(kept)})
    return Rows(made)


def ground(rows: Rows, tiny_model: Path, **settings: str) -> Ground:
    task = Regression.from_rows(rows, settings)
    task.build_head(32)
    return Ground(task, checkpoint.load(tiny_model).encoder, Tokenizer.from_folder(tiny_model), 32)


@pytest.mark.parametrize("rows", [singles, pairs])
def test_words_tell_the_number(rows: type, tiny_model: Path) -> None:
    train, test = rows(300, 0), rows(100, 1)
    on = ground(train, tiny_model)
    assert on.task.score(TfidfRidge.fit(train, on).predict(test, on), test).value > 0.9


@pytest.mark.parametrize("rows", [singles, pairs])
def test_the_start_answers_as_the_floor(rows: type, tiny_model: Path) -> None:
    train, test = rows(200, 0), rows(50, 1)
    on = ground(train, tiny_model)
    floor = FrozenRidge.fit(train, on)
    assert floor.start(on.task)
    predictor = Predictor(Model(on.encoder, on.task, on.tokenizer, 32))
    found = [answer["value"] for answer in predictor.predict(list(test))]
    assert found == pytest.approx([answer["value"] for answer in floor.predict(test, on)], abs=1e-3)


@pytest.mark.parametrize("rows", [singles, pairs])
def test_all_of_a_long_text_is_read_as_one_row(rows: type, tiny_model: Path) -> None:
    train = rows(20, 0)
    longer = Rows([{name: f"{text} " * 9 if "text" in name else text for name, text in row.items()} for row in train])
    on = ground(longer, tiny_model, long_texts="windows", pair="together")
    assert all(len(example.sequences) > 1 for example in on.encode(longer))
    floor = FrozenRidge.fit(longer, on)
    assert len(floor.predict(longer, on)) == 20 and floor.start(on.task)
    assert len(Predictor(Model(on.encoder, on.task, on.tokenizer, 32)).predict(list(longer))) == 20


def test_from_a_bundle_it_answers_the_same(tiny_model: Path) -> None:
    train = singles(60, 0)
    on = ground(train, tiny_model)
    floor = FrozenRidge.fit(train, on)
    again = FrozenRidge.from_state(floor.state())
    assert np.allclose([a["value"] for a in again.predict(train, on)], [a["value"] for a in floor.predict(train, on)])
