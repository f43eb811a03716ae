"""The learning rate range test: which rates a training bears (Smith 2017, section 3.3).

The rate rises from step to step by the same factor while the real steps are made: the same batches, method, layer
decay, number format and clipping. What the loss does over it tells the rates that do nothing, those that teach and
those that destroy.

    loss  ----.                      /      the suggestion is a tenth of the rate from which the loss is up for good,
               `-._           ______/       as a training stays at its highest rate for long and this one passes it
                   `---------' |    ^
    rate  1e-7    ^  suggestion     too high

In:  a model as its training would begin with it, examples, settings
Out: rate and loss of each step, and what they say; weights, gradients and random numbers stay as they were
Knows nothing of files or drawings.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count, islice

import numpy as np

from bertie.core.errors import UsageError
from bertie.core.runtime import choose_device, choose_dtype, seed_everything
from bertie.data.batches import Example
from bertie.training.devices import make_accelerator
from bertie.training.hooks import Hook, Step
from bertie.training.loop import accumulate
from bertie.training.model import TrainingModel, untouched
from bertie.training.optimizer import clip_gradient, make_optimizer, parameter_groups, parameters, set_rate
from bertie.training.out_of_memory import Room, explained
from bertie.training.settings import Training
from bertie.training.shares import costs, epoch_steps, shares
from bertie.training.used_rows import used_rows

WINDOW = 9
"""Steps over which a loss is averaged, the step itself in the middle: batches differ, and their losses jump."""
CAP = 2.0
"""A loss counts at most so many times the first ones: a single one of 50 would lift all around it."""
DIVERGED = 4.0
"""Times the first losses at which there is nothing more to learn."""
QUIET = 8
"""The first part of the steps, one in so many, in which a rate is too small to change anything."""
SURE = 4.0
"""Standard errors by which a mean must be above the lowest to be called higher: the lowest of many is low by chance."""
SAFETY = 0.1
"""The suggestion as a part of the rate of divergence."""


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """Which rates are tried."""

    lowest: float
    """First learning rate of the encoder."""
    highest: float
    """Last one, reached only if the loss bears it."""
    steps: int = 100
    """Steps in between."""

    def __post_init__(self) -> None:
        if not 0.0 < self.lowest < self.highest < math.inf:
            raise UsageError(f"rates from {self.lowest:g} to {self.highest:g}: expected 0 < lowest < highest")
        if self.steps < 3 * WINDOW:
            raise UsageError(
                f"{self.steps} steps are too few to see a curve; expected at least {3 * WINDOW}, usual is 100"
            )

    def rate(self, step: int) -> float:
        """That of a step, counted from 0."""
        return float(self.lowest * (self.highest / self.lowest) ** (step / (self.steps - 1)))


@dataclass(frozen=True)
class Curve:
    """What a range test saw."""

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    """Of the single steps; the last may be NaN or infinite."""
    smoothed: tuple[float, ...]
    """Means over neighbours."""
    falling: float
    """Rate at which the loss falls fastest, for the same factor of the rate."""
    best: float
    """Rate at which it is lowest."""
    diverged: float | None
    """Rate from which on it is up again for good; None: not seen."""

    @property
    def suggestion(self) -> float | None:
        """Highest rate that a training should take; None where divergence was not seen."""
        return None if self.diverged is None else self.diverged * SAFETY

    @classmethod
    def read(cls, rates: Sequence[float], losses: Sequence[float]) -> Curve:
        """Reads a curve: `diverged` is the first rate behind the lowest smoothed loss from which on the loss stays
        above the middle between the lowest and the first ones, and clearly above the lowest.
        """
        raw = np.asarray(losses, dtype=np.float64)
        quiet = raw[: max(3, len(raw) // QUIET)]
        first = float(np.median(quiet))
        smoothed = smooth(np.where(np.isfinite(raw), raw, np.inf).clip(max=CAP * first))
        bottom = int(smoothed.argmin())
        noise = SURE * float(quiet.std()) / math.sqrt(WINDOW)
        level = smoothed[bottom] + max((first - smoothed[bottom]) / 2, noise)
        below = np.flatnonzero(smoothed <= level)
        place = max(int(below[-1]), bottom) + 1
        if place == len(raw) and not math.isfinite(raw[-1]):
            place -= 1
        slope = np.gradient(smoothed, np.log(rates))[: max(2, bottom + 1)]
        return cls(
            tuple(rates),
            tuple(map(float, raw)),
            tuple(map(float, smoothed)),
            rates[int(slope.argmin())],
            rates[bottom],
            rates[place] if place < len(rates) else None,
        )


def smooth(losses: np.ndarray[tuple[int], np.dtype[np.float64]]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Means over a window with its middle at each step, so that nothing comes late; at the ends over what there is."""
    half = WINDOW // 2
    return np.array([losses[max(0, i - half) : i + half + 1].mean() for i in range(len(losses))])


def range_test(
    model: TrainingModel, examples: Sequence[Example], settings: Training, sweep: Sweep, hooks: Sequence[Hook] = ()
) -> Curve:
    """Trains through the sweep and takes everything back.

    Args:
        model: as a training would begin with it; `settings` as that would have them, its rates chosen.
        hooks: told of the steps, those that tune among them.
    """
    dtype, _ = choose_dtype(choose_device(settings.device), settings.dtype)
    accelerator = make_accelerator(settings.device, str(dtype).removeprefix("torch."))
    losses: list[float] = []
    rates = [sweep.rate(step) for step in range(sweep.steps)]
    with untouched(model, weights=True), used_rows(model, examples, settings.optimizer), explained():
        seed_everything(settings.seed)
        model.checkpoint_activations(settings.activation_checkpointing)
        groups = parameter_groups(model.encoder, model.task, settings.optimizer)
        # A copy that shares every part: accelerate puts its number format into what it is given, for good.
        trained, optimizer = accelerator.prepare(copy.copy(model), make_optimizer(groups, settings.optimizer))
        model.train()
        trained.train()
        row_costs, room = costs(examples), Room(model, accelerator)
        work = partial(accumulate, model, trained, accelerator, examples)
        for hook in hooks:
            hook.begin(optimizer.optimizer, 0, sweep.steps)
        for done, batches in enumerate(islice(endless(row_costs, settings), sweep.steps)):
            rate = set_rate(optimizer, rates[done] / settings.optimizer.rate)
            total = room.compute(done, shares(batches, 0, 1), examples, row_costs, work)
            norm = clip_gradient(parameters(optimizer.param_groups), settings.clip)
            losses.append(float(total))
            if not math.isfinite(losses[-1] + norm):
                losses[-1] = math.inf
                break
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            for hook in hooks:
                hook.after_step(Step(done + 1, sweep.steps, 0, losses[-1], norm, rate, sum(map(len, batches))))
            if float(np.mean(losses[-3:])) > DIVERGED * float(np.median(losses[: max(3, sweep.steps // QUIET)])):
                break
    if len(losses) < WINDOW:
        raise UsageError(
            f"the loss was not finite, or exploded, after {len(losses)} steps at a rate of "
            f"{rates[len(losses) - 1]:.1e}; begin lower, --lowest"
        )
    return Curve.read(rates[: len(losses)], losses)


def endless(row_costs: Sequence[int], settings: Training) -> Iterator[list[list[int]]]:
    """The steps of all epochs."""
    for epoch in count():
        yield from epoch_steps(row_costs, settings, epoch)
