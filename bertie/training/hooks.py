"""What happens once in a while during training.

In:  a `Step` after each step, an `Evaluation` after each judgement
Out: a progress bar, TensorBoard, other trackers, checkpoints, a stop
Knows nothing of models: a hook that needs one is given a function.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from accelerate.tracking import LOGGER_TYPE_TO_CLASS, GeneralTracker, get_available_trackers
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch.utils.tensorboard import SummaryWriter

from bertie.core.errors import UsageError
from bertie.core.signals import StopSignal
from bertie.training.run import RunFolder
from bertie.training.settings import Training
from bertie.training.state import Evaluation


@dataclass(frozen=True)
class Step:
    """One step that was done."""

    number: int
    """Counted from 1 over all epochs."""
    total: int
    """Steps of the whole run, as planned when this one was done, also where it is done again after a resume."""
    epoch: int
    """From 0."""
    loss: float
    """Mean over the rows of the step."""
    norm: float
    """Of the gradient, before clipping."""
    rate: float
    """Learning rate of the encoder."""
    rows: int
    """Rows of the step, over all processes."""
    tokens: int = 0
    """Tokens of these rows, without what pads a batch."""
    seconds: float = 0.0
    """From the step before; judgements are not in it."""

    @property
    def speed(self) -> float:
        """Tokens a second; 0 where nothing was timed."""
        return self.tokens / self.seconds if self.seconds else 0.0

    def figures(self) -> dict[str, float]:
        """What trackers are told, by its name there."""
        told = {"loss": self.loss, "rate": self.rate, "gradient_norm": self.norm, "tokens_per_second": self.speed}
        return {f"train/{name}": value for name, value in told.items()}


class Hook:
    """Called by the loop. A subclass overrides what it needs."""

    def begin(self, optimizer: torch.optim.Optimizer, done: int, total: int) -> None:
        """Before the first step of a session, `done` of `total` being done; a resume has taken place."""

    def after_step(self, step: Step) -> None:
        """After every step."""

    def after_evaluation(self, step: int, evaluation: Evaluation) -> None:
        """After every judgement, that before the first step (0) included."""

    def told(self, line: str) -> None:
        """Something that a person should know now."""

    def close(self) -> None:
        """At the end, also after an error."""


class Teller(Hook):
    """Passes on what a person should know."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def told(self, line: str) -> None:
        """Says it."""
        self._say(line)


class ProgressBar(Hook):
    """One line on a terminal: loss, rows a second, time left."""

    def __init__(self) -> None:
        columns = (TextColumn("training"), BarColumn(), TextColumn("{task.fields[text]}"), TimeRemainingColumn())
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task("training", text="", total=None)
        self._rows = 0
        self._loss: float | None = None
        self._score = ""
        self._start: float | None = None

    def after_step(self, step: Step) -> None:
        """Moves the bar; the loss is a running mean, single ones jump."""
        if self._start is None:
            self._bar.start()
            self._start = time.monotonic()
        self._rows += step.rows
        self._loss = step.loss if self._loss is None else 0.95 * self._loss + 0.05 * step.loss
        speed = self._rows / max(1e-9, time.monotonic() - self._start)
        text = f"step {step.number}/{step.total}  loss {self._loss:.3f}  {speed:.0f} rows/s{self._score}"
        self._bar.update(self._task, completed=step.number, total=step.total, text=text)

    def after_evaluation(self, step: int, evaluation: Evaluation) -> None:
        """Shows the last score."""
        self._score = f"  score {evaluation.score:.4f}"

    def close(self) -> None:
        """Removes the bar."""
        self._bar.stop()


class TensorBoard(Hook):
    """Losses, rates and scores as TensorBoard reads them."""

    def __init__(self, run: RunFolder) -> None:
        self._folder = str(run.tensorboard)
        self._writer: SummaryWriter | None = None

    def begin(self, optimizer: torch.optim.Optimizer, done: int, total: int) -> None:
        """Hides what an earlier session wrote of steps after its last checkpoint: they are done again."""
        self._writer = SummaryWriter(self._folder, purge_step=done + 1)

    def after_step(self, step: Step) -> None:
        """Loss, learning rate, gradient norm and speed."""
        for name, value in step.figures().items():
            self._write(name, value, step.number)

    def after_evaluation(self, step: int, evaluation: Evaluation) -> None:
        """Score and metrics."""
        for name, value in {"score": evaluation.score, **evaluation.metrics}.items():
            self._write(f"dev/{name}", value, step)

    def close(self) -> None:
        """Writes what is buffered; a run that had ended before has nothing."""
        if self._writer is not None:
            self._writer.close()

    def _write(self, name: str, value: float, step: int) -> None:
        assert self._writer is not None, "a session begins before it has a step"
        self._writer.add_scalar(name, value, step)


class Tracker(Hook):
    """Weights & Biases or MLflow, by accelerate's tracker for it."""

    def __init__(self, name: str, run: RunFolder) -> None:
        if name not in {str(one) for one in get_available_trackers()}:
            raise UsageError(
                f"tracker {name!r} is not installed; in the folder of Bertie's code, pip install -e '.[track]', or "
                "take it out of trackers"
            )
        where = {"logging_dir": str(run.path)} if name == "mlflow" else {"dir": str(run.path)}
        self._tracker: GeneralTracker = LOGGER_TYPE_TO_CLASS[name]("bertie", **where)
        self._tracker.start()

    def after_step(self, step: Step) -> None:
        """Loss, learning rate, gradient norm and speed."""
        self._tracker.log(step.figures(), step=step.number)

    def after_evaluation(self, step: int, evaluation: Evaluation) -> None:
        """Score and metrics."""
        values = {f"dev/{name}": value for name, value in {"score": evaluation.score, **evaluation.metrics}.items()}
        self._tracker.log(values, step=step)

    def close(self) -> None:
        """Sends what is left."""
        self._tracker.finish()


Agree = Callable[[int], int]
"""The largest of what the processes wish, for all of them: who saves or stops must not be alone."""


class Saver(Hook):
    """Checkpoints every so many seconds or steps."""

    def __init__(self, save: Callable[[], None], settings: Training, agree: Agree = int) -> None:
        self._save, self._seconds, self._steps, self._agree = save, settings.save_seconds, settings.save_steps, agree
        self._last = time.monotonic()

    def after_step(self, step: Step) -> None:
        """Saves where it is time."""
        due = self._steps > 0 and step.number % self._steps == 0
        if self._agree(due or time.monotonic() - self._last >= self._seconds):
            self._save()
            self._last = time.monotonic()


class Stopper(Hook):
    """Saves and ends after the step or the judgement in which a signal came."""

    def __init__(self, stop: StopSignal, save: Callable[[], None], where: RunFolder, agree: Agree = int) -> None:
        self._stop, self._save, self._where, self._agree = stop, save, where, agree

    def after_step(self, step: Step) -> None:
        """Raises `Stopped` once the state is safe."""
        self.look(step.number)

    def look(self, step: int) -> None:
        """The same after a judgement that no step follows."""
        if number := self._agree(self._stop.number or 0):
            self._stop.number = number  # the launcher tells each process, not all in the same step
            self._save()
            raise self._stop.error(f"step {step} is saved in {self._where.path}; go on with --resume")


def reporters(settings: Training, run: RunFolder) -> list[Hook]:
    """The hooks that tell people: the bar on a terminal, and the trackers of the settings."""
    if not run.writer:
        return []
    bar = settings.progress == "always" or (settings.progress == "auto" and sys.stderr.isatty())
    hooks: list[Hook] = [ProgressBar()] if bar else []
    return hooks + [TensorBoard(run) if name == "tensorboard" else Tracker(name, run) for name in settings.trackers]
