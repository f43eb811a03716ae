"""What a trial is told while it trains: that it lags, that it takes too much memory, and what a person sees of it.

In:  the trial in the ledger, a limit in bytes, a function that shows
Out: TrialPruned where it is better stopped
Knows nothing of models.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import optuna
import torch
from optuna.trial import Trial

from bertie.core.peak import peak_memory
from bertie.training.hooks import Hook, Step
from bertie.training.run import RunFolder
from bertie.training.state import Evaluation
from bertie.trials.pruning import part_of

BEAT = 10.0
"""Seconds between two signs of life: so much of a killed worker's time a resume may miss."""


class Lagging(Hook):
    """Reports each score to Optuna under the part of the steps that is done, and ends where the trial lags behind."""

    def __init__(self, trial: Trial, prunes: bool, run: RunFolder) -> None:
        self._trial, self._prunes, self._run = trial, prunes, run
        self._total, self._judged = 1, 0

    def begin(self, optimizer: torch.optim.Optimizer, done: int, total: int) -> None:
        """Evaluations before the checkpoint are not made again: to Optuna, who goes on is a new trial without them."""
        self._total = total
        for entry in self._run.entries():
            if "score" in entry:
                self._trial.report(entry["score"], part_of(entry["step"], total))

    def after_evaluation(self, step: int, evaluation: Evaluation) -> None:
        """Tells Optuna."""
        self._trial.report(evaluation.score, part_of(step, self._total))
        self._judged = step

    def after_step(self, step: Step) -> None:
        """After its last step a trial costs nothing any more, so it is kept: it may be chosen for its speed."""
        self._total = step.total
        judged = self._judged == step.number < step.total
        if self._prunes and judged and self._trial.should_prune():
            raise optuna.TrialPruned("it lagged behind the median of the earlier ones of its encoder")


class Memory(Hook):
    """Ends where the process has taken more than it may."""

    def __init__(self, limit: float | None) -> None:
        self._limit = limit

    def begin(self, optimizer: torch.optim.Optimizer, done: int, total: int) -> None:
        """Where rows and encoder alone are too much, judging the start would be time lost."""
        self._look()

    def after_step(self, step: Step) -> None:
        """The peak, not what is held now: it is in the middle of a step."""
        self._look()

    def _look(self) -> None:
        if self._limit is not None and (peak := peak_memory()) > self._limit:
            raise optuna.TrialPruned(f"it took {peak / 2**20:,.0f} MB, more than --max-memory allows")


class Shown(Hook):
    """Tells a person how far the trial is; and the ledger, that its worker lives."""

    def __init__(self, show: Callable[[str], None], seen: Callable[[], None]) -> None:
        self._show, self._seen, self._score = show, seen, ""
        self._last = time.monotonic()

    def after_step(self, step: Step) -> None:
        """Steps done, and the last score."""
        self._show(f"step {step.number}/{step.total}{self._score}")
        if time.monotonic() - self._last >= BEAT:
            self._live()

    def after_evaluation(self, step: int, evaluation: Evaluation) -> None:
        """The score on the dev rows."""
        self._score = f"  dev {evaluation.score:.4f}"
        self._live()

    def _live(self) -> None:
        self._seen()
        self._last = time.monotonic()
