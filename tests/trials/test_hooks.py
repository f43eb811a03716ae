"""What a trial is told: after a resume it is compared at the same evaluations, and signs of life go on between them."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest
import torch
from optuna.pruners import MedianPruner

from bertie.training.hooks import Step
from bertie.training.run import RunFolder
from bertie.training.state import Evaluation
from bertie.trials import hooks
from bertie.trials.hooks import Lagging, Shown

STEP = Step(number=1, total=9, epoch=0, loss=0.5, norm=1.0, rate=1e-4, rows=8)
OPTIMIZER = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)


def test_a_trial_that_goes_on_is_compared_at_the_number_of_the_evaluation(tmp_path: Path) -> None:
    study = optuna.create_study(direction="maximize", pruner=MedianPruner(n_startup_trials=1, n_warmup_steps=1))
    earlier = study.ask()
    for number, score in enumerate((0.5, 0.8, 0.9)):
        earlier.report(score, number)
    study.tell(earlier, 0.9)
    with RunFolder(tmp_path) as run:
        run.log({"step": 0, "score": 0.5})
        run.log({"step": 1, "epoch": 0, "rate": 1e-4, "loss": 0.7, "norm": 1.0})
        run.log({"step": 1, "score": 0.81})
        trial = study.ask()
        lagging = Lagging(trial, True, run)
        lagging.begin(OPTIMIZER, 1, 9)
        with pytest.raises(optuna.TrialPruned):
            lagging.after_evaluation(2, Evaluation(0.82))
    assert study.trials[1].intermediate_values == {0: 0.5, 1: 0.81, 2: 0.82}


def test_signs_of_life_go_on_between_evaluations(monkeypatch: pytest.MonkeyPatch) -> None:
    lived: list[int] = []
    shown = Shown(lambda text: None, lambda: lived.append(1))
    shown.after_step(STEP)
    assert not lived
    monkeypatch.setattr(hooks, "BEAT", 0.0)
    shown.after_step(STEP)
    shown.after_evaluation(1, Evaluation(0.8))
    assert len(lived) == 2
