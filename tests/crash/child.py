"""A training that is meant to be killed.

In:  command line: the run folder, and as JSON what to do
Out: the run folder; exit code as the command line of Bertie gives it

Run as `python -m tests.crash.child FOLDER '{"kill_at": 23}'` it trains once. With `serve` it imports everything once
and then forks a child for each line it reads, so that a kill costs a tenth of a second and not the import of torch:
    in:  [folder, {options}]
    out: "started PID", then "ended CODE" (negative: the signal that killed it)
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

import torch
import torch._dynamo  # torch's optimisers import it at their first step: seconds, better paid before the fork

from bertie.core.errors import BertieError
from bertie.training.hooks import Hook, Step
from bertie.training.loop import fit
from bertie.training.model import TrainingModel
from bertie.training.regularizing import regularized
from bertie.training.run import RunFolder
from bertie.training.settings import Optimizer, Training
from tests.training.toy import judge, toy_examples, toy_model

STEPS = 40


class Killer(Hook):
    """`kill -9` of oneself, or another signal, after a step."""

    def __init__(self, at: int, number: int, times: int = 1) -> None:
        self.at, self.number, self.times = at, number, times

    def after_step(self, step: Step) -> None:
        if step.number == self.at:
            for _ in range(self.times):
                os.kill(os.getpid(), self.number)


def train(folder: Path, options: dict[str, Any]) -> int:
    """Trains the toy: 4 epochs of 10 steps, 3 batches each, with dropout; a checkpoint every few steps."""
    torch.set_num_threads(1)
    model, examples = toy_model(dropout=options.get("dropout", 0.2)), toy_examples(240)
    settings = Training(
        epochs=4,
        rows_per_batch=8,
        tokens_per_batch=8 * 32,
        accumulation=options.get("accumulation", 3),
        save_steps=options.get("save_steps", 20),
        trackers=(),
        dtype="float32",  # what auto measures may differ from one run to the next where others use the machine
        optimizer=Optimizer(rate=3e-3, name=options.get("optimizer", "adamw")),
        regularization=options.get("regularization", {}),
        average=options.get("average", {}),
    )
    model = TrainingModel(model.encoder, model.task, regularized(settings, model.task))
    hooks: list[Hook] = []
    if "kill_at" in options:
        number = getattr(signal, options.get("signal", "SIGKILL"))
        hooks.append(Killer(options["kill_at"], number, options.get("times", 1)))
    if "file_limit" in options:
        resource.setrlimit(resource.RLIMIT_FSIZE, (options["file_limit"], options["file_limit"]))
    try:
        with RunFolder(folder) as run:
            fit(model, examples, settings, run, judge(model, toy_examples(40, seed=1)), hooks)
    except BertieError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return error.exit_code
    return 0


def serve() -> None:
    """Forks a training for each line on stdin."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        folder, options = json.loads(line)
        pid = os.fork()
        if pid == 0:
            os._exit(train(Path(folder), options))
        sys.stdout.write(f"started {pid}\n")
        sys.stdout.flush()
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"ended {os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve()
    else:
        sys.exit(train(Path(sys.argv[1]), json.loads(sys.argv[2])))
