"""One training by Bertie as a person gets it: head started from the frozen floor, default settings, best weights kept.

`train_speed.py` runs it; the arguments are explained in `contestant.py`. The TF-IDF floor of `bertie train` is left
out: the model does not need it. The clock of the loop stands still while the model is judged.

In:  a folder with three files of rows, a model's folder
Out: one line of JSON
Knows nothing of the other contestant.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import contestant
import torch

from bertie.bundle.folder import Model
from bertie.data.batches import Example
from bertie.data.rows import Rows
from bertie.data.sources import Splits, load_splits
from bertie.evaluation.features import pooled_features
from bertie.evaluation.probe import LinearProbe
from bertie.predict import Predictor
from bertie.tasks.classification import Classification
from bertie.training.hooks import Hook, reporters
from bertie.training.loop import FitResult, fit
from bertie.training.model import TrainingModel
from bertie.training.run import RunFolder
from bertie.training.settings import Training
from bertie.training.state import Evaluation
from bertie.workflow.choose import Start, load_start
from bertie.workflow.preparation import make_task
from bertie.workflow.request import TrainRequest
from bertie.workflow.train import Extent, fill


class Clock(Hook):
    """Time between judgements: `after_evaluation` starts it, the next judgement stops it."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._since: float | None = None

    def pause(self) -> None:
        """Called where a judgement begins; the one before the first step finds the clock standing."""
        if self._since is not None:
            self.seconds += time.perf_counter() - self._since
        self._since = None

    def after_evaluation(self, step: int, evaluation: Evaluation) -> None:
        """Training goes on."""
        self._since = time.perf_counter()


@dataclass(frozen=True)
class Contest:
    """What both halves of the procedure need."""

    splits: Splits
    test: Rows
    task: Classification
    start: Start
    examples: list[Example]
    length: int

    @classmethod
    def prepare(cls, options: argparse.Namespace) -> Contest:
        """Rows, task, model, tokens: outside the clock."""
        splits = load_splits(options.folder)
        assert splits.test is not None, "train_speed.py writes a test file"
        recipe = TrainRequest(data=str(options.folder)).settings()
        task = make_task("classification", splits.train, recipe)
        assert isinstance(task, Classification)
        start = load_start(str(options.model))
        start.encoder.set_attention_dropout(recipe.attention_dropout)
        length = min(options.max_length, start.encoder.config.max_length)
        examples = task.encode(list(splits.train), start.tokenizer, length)
        task.build_head(start.encoder.config.hidden_size)
        return cls(splits, splits.test, task, start, examples, length)

    def start_head(self) -> None:
        """The head from the frozen floor's solution, as `bertie train` does."""
        features = pooled_features(self.start.encoder, self.examples, self.start.tokenizer.pad_id)
        frozen = LinearProbe.fit(features, self.splits.train.column("label"), self.task.labels)
        weight, bias = frozen.linear()
        self.task.start_from(weight, bias)

    def train(self, predictor: Predictor, training: Training, clock: Clock) -> FitResult:
        """The loop with the hooks that a person gets."""

        def evaluate() -> Evaluation:
            clock.pause()
            return Evaluation(self.score(predictor, self.splits.dev))

        model = TrainingModel(self.start.encoder, self.task)
        with tempfile.TemporaryDirectory() as folder, RunFolder(Path(folder)) as run:
            return fit(model, self.examples, training, run, evaluate, [*reporters(training, run), clock])

    def score(self, predictor: Predictor, rows: Rows) -> float:
        """Accuracy of the model as it is."""
        return self.task.score(predictor.predict(list(rows)), rows).value


def main() -> None:
    """Prepares, starts the head, trains, judges on the test rows."""
    options = contestant.parse(__doc__)
    torch.set_num_threads(options.threads)
    contest = Contest.prepare(options)
    began = time.perf_counter()
    contest.start_head()
    head_start = time.perf_counter() - began
    start = contest.start
    predictor = Predictor(Model(start.encoder, contest.task, start.tokenizer, contest.length, origin=start.source.name))
    settings = TrainRequest(data=str(options.folder), seed=options.seed).settings().training
    shape = start.encoder.config
    extent = Extent(len(contest.examples), len(contest.splits.dev), shape.layers, shape.hidden_size, 1.0)
    training = replace(
        fill(settings, extent, contest.task.defaults),
        epochs=options.epochs,
        dtype=options.dtype,
    )
    clock = Clock()
    before = contestant.peak_megabytes()
    fitted = contest.train(predictor, training, clock)
    accuracy = contest.score(predictor, contest.test)
    found: dict[str, Any] = {
        "rows": fitted.rows,
        "steps": fitted.steps,
        "loop_seconds": clock.seconds,
        "head_start_seconds": head_start,
        "accuracy": accuracy,
        "best_step": fitted.best_step,
        "before_loop_mb": before,
        "tokens": contestant.fingerprint(e.sequences[0].ids for e in contest.examples),
    }
    contestant.report(found)


if __name__ == "__main__":
    main()
