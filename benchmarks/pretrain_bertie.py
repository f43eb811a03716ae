"""One masked language model trained by Bertie's loop, as `bertie pretrain` calls it; `--dense`: with logits everywhere.

`pretrain_speed.py` runs it; the arguments are explained in `pretrain_contestant.py`. Nothing is judged meanwhile.

In:  a folder with a tokenizer and a prepared corpus
Out: one line of JSON
Knows nothing of the other contestant.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pretrain_contestant import RATE, Contest, make_task, parse, report
from torch import Tensor

from bertie.data.batches import Batch, Example
from bertie.data.passages import Passages
from bertie.nn.encoder import Encoder
from bertie.objectives.base import Outcome, Views
from bertie.objectives.masked_lm import MaskedLanguageModel
from bertie.objectives.pretraining import OBJECTIVES
from bertie.training.loop import fit
from bertie.training.model import TrainingModel
from bertie.training.run import RunFolder
from bertie.training.state import Evaluation
from bertie.workflow.pretrain_request import PretrainRecipe


class DenseMaskedLanguageModel(MaskedLanguageModel):
    """The same loss from logits at every place, of which all but the masked ones are thrown away."""

    name = "dense_masked_lm"

    def outcome(self, views: Views) -> Outcome:
        logits: Tensor = self.head(views.states, views.word_vectors)  # (S, T, V)
        rows, columns = views.places
        return Outcome.of(logits[rows, columns], views.plain[rows, columns])


@dataclass
class Waiting:
    """Seconds in which the loop waits for its input."""

    seconds: float = 0.0


class TimedPassages(Sequence[Example]):
    """Passages whose making is timed."""

    def __init__(self, passages: Passages, waiting: Waiting) -> None:
        self.passages, self.waiting, self.costs = passages, waiting, passages.costs

    def __len__(self) -> int:
        return len(self.passages)

    def __getitem__(self, index: Any) -> Any:
        began = time.perf_counter()
        found = self.passages[index]
        self.waiting.seconds += time.perf_counter() - began
        return found


@dataclass(frozen=True)
class OneRound:
    """The passages as the loop takes them: a round."""

    passages: TimedPassages
    fingerprint: str = "pretrain_speed"

    def at(self, epoch: int, fitting: float = 1.0) -> Sequence[Example]:
        """The same ones, as there is but one."""
        return self.passages


class TimedModel(TrainingModel):
    """A training model whose batches are timed as they are put together; `waiting` is set from outside."""

    waiting: Waiting

    def collate(
        self, examples: Sequence[Example], part: float | None = None, usual: tuple[float, ...] | None = None
    ) -> Batch:
        """Examples to a batch."""
        began = time.perf_counter()
        batch = super().collate(examples, part, usual)
        self.waiting.seconds += time.perf_counter() - began
        return batch


def run_bertie(contest: Contest, options: argparse.Namespace) -> dict[str, Any]:
    """The loop as `bertie pretrain` calls it."""
    encoder = Encoder(contest.config)
    task = make_task("dense_masked_lm" if options.dense else "masked_lm", encoder, contest.tokenizer)
    recipe, waiting = PretrainRecipe().training, Waiting()
    model = TimedModel(encoder, task, whole_vocabulary=True)
    model.waiting = waiting
    training = replace(
        recipe, epochs=1, dtype=options.dtype, seed=options.seed, optimizer=replace(recipe.optimizer, rate=RATE)
    )
    judged: list[float] = []

    def evaluate() -> Evaluation:
        judged.append(time.perf_counter())
        return Evaluation(0.0)

    with tempfile.TemporaryDirectory() as folder, RunFolder(Path(folder)) as run:
        fitted = fit(model, OneRound(TimedPassages(contest.passages, waiting)), training, run, evaluate)
        losses = [entry["loss"] for entry in run.entries() if "loss" in entry]
    seconds = judged[-1] - judged[0]
    return {
        "seconds": seconds,
        "steps": fitted.steps,
        "waiting": waiting.seconds / seconds,
        "first_loss": losses[0],
        "last_loss": float(np.mean(losses[-10:])),
        "same_loss": head_difference(contest),
    }


@torch.no_grad()
def head_difference(contest: Contest) -> float:
    """Largest difference of the losses of both heads on the same weights and passages, float32."""
    encoder = Encoder(contest.config).eval()
    tasks = [make_task(name, encoder, contest.tokenizer) for name in ("masked_lm", "dense_masked_lm")]
    dense = tasks[1].objective("dense_masked_lm")
    dense.load_state_dict(tasks[0].objective("masked_lm").state_dict())
    differences = []
    for start in range(0, min(64, len(contest.passages)), 16):
        batch = tasks[0].collate(contest.passages[start : start + 16], encoder.config.pad_id)
        one, other = (float(task.loss(task(encoder, batch), batch)) for task in tasks)
        differences.append(abs(one - other))
    return max(differences)


def main() -> None:
    """Trains one round."""
    options = parse(__doc__)
    OBJECTIVES.extend(sys.modules[__name__])
    contest = Contest.of(options)
    report(contest, run_bertie(contest, options))


if __name__ == "__main__":
    main()
