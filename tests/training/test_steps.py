"""What the loop tells of its steps and epochs while it runs: tokens, seconds, and what part of the epochs will fit."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from bertie.data.batches import Example
from bertie.training.hooks import Hook, Step
from bertie.training.state import Evaluation
from tests.training.test_loop import SETTINGS, At, interrupt, run_fit
from tests.training.toy import judge, toy_examples, toy_model


def test_rounds_are_told_what_part_of_them_fits_into_the_time_when_they_begin(tmp_path: Path) -> None:
    """The same in the middle of one, after a bend of the plan that was decided in it."""

    class Told:
        fingerprint = "told"

        def __init__(self) -> None:
            self.parts: list[tuple[int, float]] = []

        def at(self, epoch: int, fitting: float = 1.0) -> list[Example]:
            self.parts.append((epoch, fitting))
            return toy_examples()

    settings, rounds = replace(SETTINGS, epochs=3, save_steps=1, seconds=1000.0), Told()
    with pytest.raises(KeyboardInterrupt):
        run_fit(tmp_path, toy_model(), settings, examples=rounds, hooks=[At(2, interrupt)])
    decisions = json.loads((tmp_path / "decisions.json").read_text())
    plan = {"plan": [[0, 0.0], [5, 5 / 24], [12, 1.0]], "seconds": 1000.0}  # 8 steps a round, 24 were planned
    (tmp_path / "decisions.json").write_text(json.dumps({**decisions, **plan}))
    run_fit(tmp_path, toy_model(), settings, examples=rounds)
    assert rounds.parts[-2:] == [(0, 1.0), (1, 0.5)]


def test_a_step_says_how_many_tokens_it_had_and_how_long_it_took(tmp_path: Path) -> None:
    steps: list[Step] = []

    class Steps(Hook):
        def after_step(self, step: Step) -> None:
            steps.append(step)

    slow = judge(toy_model(), toy_examples(8))

    def evaluate() -> Evaluation:
        time.sleep(0.2)
        return slow()

    run_fit(tmp_path, toy_model(), evaluate=evaluate, hooks=[Steps()])
    tokens = sum(len(one.sequences[0].ids) for one in toy_examples())
    result = json.loads((tmp_path / "result.json").read_text())
    assert sum(step.tokens for step in steps) == result["tokens"] == 2 * tokens
    assert all(step.seconds > 0 for step in steps)
    assert sum(step.seconds for step in steps) == pytest.approx(result["stepping"])
    assert result["stepping"] < result["seconds"] - 0.6, "judgements are no steps"
