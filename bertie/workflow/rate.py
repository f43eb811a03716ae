"""Finding a learning rate: a range test of the training that a request describes.

In:  TrainRequest, which rates
Out: a page with the curve, and what it says as JSON; nothing of a run is read or written
Knows nothing of the command line.
"""

from __future__ import annotations

import shlex
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bertie.core.files import write_text
from bertie.data.batches import of_epoch
from bertie.data.given_rows import GivenRows
from bertie.evaluation.phrases import language_of
from bertie.evaluation.rate_page import RatePage, render
from bertie.training.range_test import WINDOW, Curve, Sweep, range_test
from bertie.training.run import RunFolder
from bertie.training.settings import Optimizer, Training
from bertie.training.tuning import Tuner
from bertie.workflow.output import check_output
from bertie.workflow.preparation import Notes, Prepared, prepare
from bertie.workflow.request import Say, TrainRequest
from bertie.workflow.train import Extent, begin, fill

OPTIONS = ("dev", "test", "task", "method", "recipe", "seed", "out", "budget")
"""Of a request that `bertie train` takes under the same names."""
SPAN = 300.0
"""Times the rate that a training would take, to both sides: five powers of ten."""


@dataclass(frozen=True, kw_only=True)
class RateRequest:
    """Which rates are tried on which training."""

    training: TrainRequest
    """As for `bertie train`; its folder, its budget and what goes on in it play no part."""
    lowest: float | None = None
    """First learning rate; otherwise a 300th of what the training would take."""
    highest: float | None = None
    """Last one; otherwise 300 times that."""
    steps: int = 100
    """Steps in between."""
    plot: Path | None = None
    """File of the page; otherwise runs/NAME-rate.html."""

    def __post_init__(self) -> None:
        given = self.lowest is not None and self.highest is not None
        self.sweep(1.0) if given else Sweep(lowest=1.0, highest=2.0, steps=self.steps)  # before anything is read

    def sweep(self, usual: float) -> Sweep:
        """The rates, around the one that a training would take."""
        lowest = usual / SPAN if self.lowest is None else self.lowest
        highest = usual * SPAN if self.highest is None else self.highest
        return Sweep(lowest=lowest, highest=highest, steps=self.steps)


@dataclass(frozen=True)
class RateResult:
    """What a range test found."""

    curve: Curve
    usual: float
    """What a training takes where nobody says anything."""
    page: Path
    arguments: str
    """Of `bertie train`, which take the suggestion; empty without one."""

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON."""
        curve = self.curve
        rows = zip(curve.rates, curve.losses, curve.smoothed, strict=True)
        steps = [
            {"rate": rate, "loss": loss if loss < float("inf") else None, "mean": mean} for rate, loss, mean in rows
        ]
        return {
            "suggestion": curve.suggestion,
            "diverged": curve.diverged,
            "best": curve.best,
            "falling": curve.falling,
            "usual": self.usual,
            "arguments": self.arguments,
            "page": str(self.page),
            "steps": steps,
        }

    def readable(self) -> str:
        """For a person."""
        curve = self.curve
        if curve.suggestion is None:
            head = f"no rate up to {curve.rates[-1]:.1e} was too high: --highest goes on"
        else:
            head = (
                f"suggested learning rate: {curve.suggestion:.1e}, a tenth of {curve.diverged:.1e}, from where the "
                "loss is up for good"
            )
        lines = [
            head,
            f"the loss falls fastest at {curve.falling:.1e} and is lowest at {curve.best:.1e}; a training takes "
            f"{self.usual:.1e} where nothing is said",
        ]
        lines += [f"to take it: bertie train ... {self.arguments}"] if self.arguments else []
        return "\n".join([*lines, f"page: {self.page}"])


def run_rate(request: RateRequest, say: Say) -> RateResult:
    """Prepares as a training does, in a folder that is gone afterwards, and tries the rates."""
    asked = replace(request.training, resume=False, overwrite=False)
    page = request.plot or Path("runs") / f"{asked.name}-rate.html"
    check_output(page, None, "--plot", "rate.html")
    with tempfile.TemporaryDirectory() as folder, RunFolder(Path(folder) / "run") as run:
        prepared = prepare(asked, asked.settings(), run, Notes(say))
    training = filled(prepared)
    usual = training.optimizer.rate
    sweep = request.sweep(usual)
    model = begin(prepared, say)
    say(f"range test: {sweep.steps} steps, rates from {sweep.lowest:.1e} to {sweep.highest:.1e}")
    curve = range_test(model, of_epoch(prepared.examples, 0), training, sweep, [Tuner(prepared.method, model.encoder)])
    rate = curve.suggestion
    arguments = "" if rate is None else taking(rate, training.optimizer, filled(prepared, rate).optimizer)
    write_text(page, render(_page(asked, prepared, curve, arguments)))
    return RateResult(curve, usual, page, arguments)


def filled(prepared: Prepared, rate: float | None = None) -> Training:
    """What a training would take, where its recipe said this rate."""
    training = prepared.recipe.training
    if rate is not None:
        training = replace(training, optimizer=replace(training.optimizer, rate=rate))
    return fill(training, Extent.of(prepared), prepared.task.defaults, prepared.method)


def taking(rate: float, tested: Optimizer, otherwise: Optimizer) -> str:
    """Settings with which a training takes this rate as it was tested.

    `otherwise` is that of a training which is given the rate alone: its layers and head may learn at other parts of it.
    """
    settings = [f"rate={rate:.1e}"]
    for name in ("layer_decay", "head_rate_factor"):
        value = getattr(tested, name)
        settings += [f"{name}={value:g}"] if value != getattr(otherwise, name) else []
    return " ".join(f"--set training.optimizer.{setting}" for setting in settings)


def command(asked: TrainRequest, model: str, arguments: str) -> str:
    """The training that was tested, as a person types it, with these arguments more."""
    options = {name: getattr(asked, name) for name in OPTIONS} | {"model": model} | vars(asked.reading)
    words = ["bertie", "train", _word(asked.data)]
    for name, value in options.items():
        if value is not None and value is not False:
            words += [f"--{name.replace('_', '-')}", *([] if value is True else [_word(value)])]
    words += [word for one in asked.overrides for word in ("--set", one)]
    return f"{shlex.join(words)} {arguments}".rstrip()


def _word(value: object) -> str:
    """A value as it is typed; rows that lie in no file are to be put into one."""
    return "ROWS" if isinstance(value, GivenRows) else str(value)


def _page(asked: TrainRequest, prepared: Prepared, curve: Curve, arguments: str) -> RatePage:
    dtype = str(prepared.dtype).removeprefix("torch.")
    return RatePage(
        data=Path(str(asked.data)).name,
        about=f"{prepared.start.source.name} · {prepared.method.name} · {dtype}",
        losses=list(zip(curve.rates, curve.losses, strict=True)),
        smoothed=list(zip(curve.rates, curve.smoothed, strict=True)),
        suggestion=curve.suggestion,
        diverged=curve.diverged,
        window=WINDOW,
        command=command(asked, asked.model or prepared.start.source.name, arguments),
        language=language_of(text for row in prepared.test for text in prepared.task.texts(row)),
    )
