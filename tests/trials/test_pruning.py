"""Pruning: three finished trials of the same encoder make a median, each with what it had in the same part."""

from __future__ import annotations

import math
from collections.abc import Mapping

import optuna
import pytest
from optuna.trial import Trial

from bertie.trials.pruning import PARTS, Median, part_of


def begun(study: optuna.Study, scores: Mapping[int, float], model: str = "m", kind: str = "tuned") -> Trial:
    trial = study.ask()
    trial.set_user_attr("variation", {"kind": kind, "model": model})
    for part, score in scores.items():
        trial.report(score, part)
    return trial


def finished(study: optuna.Study, scores: Mapping[int, float], model: str = "m", kind: str = "tuned") -> None:
    study.tell(begun(study, scores, model, kind), max(scores.values()))


@pytest.fixture
def study() -> optuna.Study:
    return optuna.create_study(direction="maximize", pruner=Median())


def test_fewer_than_three_of_the_same_encoder_stop_nobody(study: optuna.Study) -> None:
    good = {0: 0.7, 500: 0.9, PARTS: 0.95}
    for kind, model in (("tuned", "m"), ("tuned", "m"), ("frozen", "m"), ("tuned", "large"), ("tuned", "large")):
        finished(study, good, model, kind)
    bad = begun(study, {0: 0.7, 500: 0.75})
    assert not bad.should_prune()
    finished(study, good)
    assert bad.should_prune()
    assert not begun(study, {0: 0.7, 500: 0.75}, "large").should_prune()


def test_others_are_taken_as_they_were_in_the_same_part_of_their_steps(study: optuna.Study) -> None:
    for _ in range(3):
        finished(study, {0: 0.7, 333: 0.8, 667: 0.9, PARTS: 0.95})
    slow = {0: 0.7, 250: 0.75}
    assert not begun(study, slow).should_prune()
    assert begun(study, {**slow, 500: 0.79}).should_prune()
    assert not begun(study, {**slow, 500: 0.8}).should_prune()
    assert not begun(study, {0: 0.1}).should_prune(), "not before the first step"


def test_a_score_that_is_no_number_is_below_every_other(study: optuna.Study) -> None:
    for best in (0.8, 0.9):
        finished(study, {0: 0.7, 500: best})
    finished(study, {0: 0.7, 200: math.nan, 500: 0.85})
    assert begun(study, {500: math.nan}).should_prune()
    assert begun(study, {0: 0.7, 500: 0.84}).should_prune()
    assert not begun(study, {0: 0.7, 500: 0.85}).should_prune()


def test_a_part_is_a_whole_number_up_to_all() -> None:
    assert [part_of(step, 9) for step in (0, 3, 9, 10)] == [0, 333, PARTS, PARTS]
