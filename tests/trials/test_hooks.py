"""What a trial is told: it is compared at the same part of its steps, also after a resume, and signs of life go on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import optuna
import pytest
import torch
from optuna.trial import Trial

from bertie.training.hooks import Step
from bertie.training.run import RunFolder
from bertie.training.state import Evaluation
from bertie.trials import hooks
from bertie.trials.hooks import Lagging, Memory, Shown
from bertie.trials.pruning import FIRST, PARTS, Median

STEP = Step(number=1, total=9, epoch=0, loss=0.5, norm=1.0, rate=1e-4, rows=8)
OPTIMIZER = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)


def begun(study: optuna.Study) -> Trial:
    trial = study.ask()
    trial.set_user_attr("variation", {"kind": "tuned", "model": "m"})
    return trial


@pytest.fixture
def study() -> optuna.Study:
    """With as many finished trials as may stop another one, each of four evaluations."""
    made = optuna.create_study(direction="maximize", pruner=Median())
    for _ in range(FIRST):
        earlier = begun(made)
        for place, score in enumerate((0.5, 0.8, 0.85, 0.9)):
            earlier.report(score, place * PARTS // 3)
        made.tell(earlier, 0.9)
    return made


def test_a_trial_that_goes_on_is_compared_at_the_same_part_of_its_steps(study: optuna.Study, tmp_path: Path) -> None:
    with RunFolder(tmp_path) as run:
        run.log({"step": 0, "score": 0.5})
        run.log({"step": 1, "epoch": 0, "rate": 1e-4, "loss": 0.7, "norm": 1.0})
        run.log({"step": 1, "score": 0.81})
        lagging = Lagging(begun(study), True, run)
        lagging.begin(OPTIMIZER, 1, 9)
        lagging.after_evaluation(2, Evaluation(0.79))
        lagging.after_step(replace(STEP, number=2))  # the others were judged after a third of theirs
        lagging.after_evaluation(6, Evaluation(0.82))
        with pytest.raises(optuna.TrialPruned):
            lagging.after_step(replace(STEP, number=6))
    assert study.trials[-1].intermediate_values == {0: 0.5, 111: 0.81, 222: 0.79, 667: 0.82}


def test_a_trial_is_stopped_after_an_evaluation_that_is_not_its_last_one(study: optuna.Study, tmp_path: Path) -> None:
    lagging = Lagging(begun(study), True, RunFolder(tmp_path))
    lagging.begin(OPTIMIZER, 0, 9)
    lagging.after_evaluation(9, Evaluation(0.1))
    lagging.after_step(replace(STEP, number=9))
    lagging.after_evaluation(8, Evaluation(0.1))
    lagging.after_step(replace(STEP, number=8, total=8))  # the time is up
    with pytest.raises(optuna.TrialPruned, match="of its encoder"):
        lagging.after_step(replace(STEP, number=8))


def test_memory_that_is_not_enough_for_rows_and_encoder_ends_a_trial_before_it_is_judged() -> None:
    Memory(None).begin(OPTIMIZER, 0, 9)
    Memory(2.0**60).begin(OPTIMIZER, 0, 9)
    with pytest.raises(optuna.TrialPruned, match="more than --max-memory allows"):
        Memory(2.0**20).begin(OPTIMIZER, 0, 9)


def test_signs_of_life_go_on_between_evaluations(monkeypatch: pytest.MonkeyPatch) -> None:
    lived: list[int] = []
    shown = Shown(lambda text: None, lambda: lived.append(1))
    shown.after_step(STEP)
    assert not lived
    monkeypatch.setattr(hooks, "BEAT", 0.0)
    shown.after_step(STEP)
    shown.after_evaluation(1, Evaluation(0.8))
    assert len(lived) == 2
