"""The floors of multiple choice: habits, overlap, and the frozen encoder from whose solution the head starts."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bertie.bundle.folder import Model
from bertie.core.errors import ModelError
from bertie.data.rows import Rows
from bertie.evaluation.floors.base import Ground
from bertie.evaluation.floors.choice_habit import ChoiceHabit
from bertie.evaluation.floors.choice_overlap import ChoiceOverlap
from bertie.evaluation.floors.frozen_choices import FrozenChoices
from bertie.nn import checkpoint
from bertie.predict import Predictor
from bertie.tasks.multiple_choice import MultipleChoice
from bertie.text.tokenizer import Tokenizer

ENGLISH = ["food", "film", "service", "good", "bad", "slow", "fast", "great"]
CHINESE = ["手机", "房间", "电影", "服务", "东西", "满意", "失望", "喜欢"]


def rows(words: list[str], count: int, seed: int) -> Rows:
    """The right choice repeats the word that is asked for; 2 to 4 choices."""
    rng, made = random.Random(seed), []
    for _ in range(count):
        choices = rng.sample(words, rng.randrange(2, 5))
        answer = rng.randrange(len(choices))
        made.append({"question": f"{choices[answer]} ?", "choices": choices, "answer": answer})
    return Rows(made, kind="multiple_choice")


def ground(train: Rows, tiny_model: Path, **options: object) -> Ground:
    torch.manual_seed(0)
    task = MultipleChoice.from_rows(train, dict(options))
    task.build_head(32)
    return Ground(task, checkpoint.load(tiny_model).encoder, Tokenizer.from_folder(tiny_model), 48)


@pytest.mark.parametrize("reading", ["both", "apart", "together"])
@pytest.mark.parametrize("words", [ENGLISH, CHINESE])
def test_the_start_answers_as_the_frozen_floor(words: list[str], reading: str, tiny_model: Path) -> None:
    train, test = rows(words, 120, 0), rows(words, 40, 1)
    on = ground(train, tiny_model, reading=reading)
    floor = FrozenChoices.fit(train, on)
    expected = floor.predict(test, on)
    assert floor.start(on.task)
    predictor = Predictor(Model(on.encoder, on.task, on.tokenizer, 48))
    for answer, other in zip(predictor.predict(list(test)), expected, strict=True):
        assert answer["scores"] == pytest.approx(other["scores"], abs=1e-4)
    assert on.task.score(expected, test).value > (0.4 if reading == "together" else 0.7)  # a third by chance


def test_from_a_bundle_it_answers_the_same_but_on_no_other_encoder(tiny_model: Path) -> None:
    train = rows(CHINESE, 30, 0)
    on = ground(train, tiny_model)
    floor = FrozenChoices.fit(train, on)
    again = FrozenChoices.from_state(floor.state())
    for one, other in zip(again.predict(train, on), floor.predict(train, on), strict=True):
        assert one["scores"] == pytest.approx(other["scores"], abs=1e-6)
    encoder = checkpoint.load(tiny_model).encoder
    with torch.no_grad():
        encoder.embeddings.word_embeddings.weight.mul_(1.1)
    with pytest.raises(ModelError, match="other weights than the encoder that the floor was fitted on"):
        again.predict(train, replace(on, encoder=encoder))


@pytest.mark.parametrize("words", [ENGLISH, CHINESE])
def test_what_is_shared_is_right_by_overlap(words: list[str], tiny_model: Path) -> None:
    train, test = rows(words, 60, 0), rows(words, 40, 1)
    on = ground(train, tiny_model)
    answers = ChoiceOverlap.fit(train, on).predict(test, on)
    assert on.task.score(answers, test).value == 1.0
    nothing = Rows([{"question": "?!", "choices": words[:4], "answer": 0}])
    assert ChoiceOverlap.fit(train, on).predict(nothing, on)[0]["scores"] == [0.25] * 4


@pytest.mark.parametrize(
    ("choices", "answers", "rule"),
    [
        ([["a", "bb"], ["aaa", "b"], ["a", "bbbb"]], [1, 0, 1], "longest"),
        ([["慢", "不慢"], ["很好", "好"], ["一", "一二三"]], [0, 1, 0], "shortest"),
        ([["a", "bb", "c"], ["aaa", "b", "c"], ["a", "bb", "ccc"]], [1, 1, 1], "position"),
    ],
)
def test_a_habit_is_found_and_kept(choices: list[list[str]], answers: list[int], rule: str, tiny_model: Path) -> None:
    train = Rows([{"question": "?", "choices": c, "answer": a} for c, a in zip(choices, answers, strict=True)])
    on = ground(train, tiny_model)
    floor = ChoiceHabit.fit(train, on)
    assert floor.rule == rule
    again = ChoiceHabit.from_state(floor.state())
    assert on.task.score(again.predict(train, on), train).value == 1.0
    assert again.choose(["x", "y"]) in (0, 1)
