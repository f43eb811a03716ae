"""One training by Bertie with a tuning method, the head started from the frozen floor, nothing judged on the way.

`tuning_speed.py` runs it; the arguments are explained in `contestant.py`, and which method, rank and batch in
`tuning_contestant.py`.

In:  a folder with three files of rows, a model's folder
Out: one line of JSON
Knows nothing of the other contestant.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path

import contestant
import torch
import tuning_contestant
from train_bertie import Contest

from bertie.bundle.folder import Model
from bertie.predict import Predictor
from bertie.training.hooks import Hook, Step
from bertie.training.loop import fit
from bertie.training.model import TrainingModel
from bertie.training.run import RunFolder
from bertie.training.state import Evaluation
from bertie.training.tuning import Tuner, penalised
from bertie.workflow.preparation import make_method
from bertie.workflow.request import TrainRequest
from bertie.workflow.train import Extent, fill


class Clock(Hook):
    """Starts when the loop may, notes each step."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def after_evaluation(self, step: int, evaluation: Evaluation) -> None:
        """The first one comes before the first step."""
        self.times = self.times or [time.perf_counter()]

    def after_step(self, step: Step) -> None:
        """One more."""
        self.times.append(time.perf_counter())


def main() -> None:
    """Prepares, starts the head, applies the method, trains, judges on the test rows."""
    options = tuning_contestant.parse(__doc__)
    torch.set_num_threads(options.threads)
    contest = Contest.prepare(options)
    contest.start_head()
    start = contest.start
    method = make_method(options.method, {"rank": options.rank, "alpha": 2.0 * options.rank} if options.rank else {})
    method.apply(start.encoder)
    predictor = Predictor(
        replace(
            Model(start.encoder, contest.task, start.tokenizer, contest.length, origin=start.source.name), tuning=method
        )
    )
    settings = TrainRequest(data=str(options.folder), seed=options.seed).settings().training
    settings = replace(
        settings, epochs=options.epochs, rows_per_batch=options.batch, dtype=options.dtype, trackers=(), keep="last"
    )
    shape = start.encoder.config
    extent = Extent(len(contest.examples), len(contest.splits.dev), shape.layers, shape.hidden_size, 1.0)
    training = fill(settings, extent, contest.task.defaults, method)
    clock, model = Clock(), TrainingModel(start.encoder, contest.task, [penalised(method)])
    before = contestant.resident_megabytes()
    contestant.forget_peak()
    with tempfile.TemporaryDirectory() as folder, RunFolder(Path(folder)) as run:
        hooks = [Tuner(method, start.encoder), clock]
        fitted = fit(model, contest.examples, training, run, lambda: Evaluation(0.0), hooks)
    peak = contestant.peak_megabytes()
    trained = sum(p.numel() for p in start.encoder.parameters() if p.requires_grad)
    contestant.report(
        {
            **tuning_contestant.times(clock.times),
            "rows": fitted.rows,
            "trained_in_encoder": trained,
            "training_mb": round(peak - before, 1),
            "loop_peak_mb": round(peak, 1),
            "accuracy": contest.score(predictor, contest.test),
            "tokens": contestant.fingerprint(e.sequences[0].ids for e in contest.examples),
        }
    )


if __name__ == "__main__":
    main()
