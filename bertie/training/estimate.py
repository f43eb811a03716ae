"""How long a training will take, before it starts.

In:  a model, its examples, settings
Out: seconds a step and an epoch, from a few timed batches; weights and random numbers stay as they were
Knows nothing of the loop.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from bertie.core import processes
from bertie.core.errors import BertieError
from bertie.core.runtime import autocast, choose_device, choose_dtype
from bertie.data.batches import Example
from bertie.training.model import TrainingModel, untouched
from bertie.training.optimizer import make_optimizer
from bertie.training.out_of_memory import ADVICE, until_it_fits
from bertie.training.settings import Training
from bertie.training.shares import costs, epoch_steps, padded_tokens
from bertie.training.used_rows import used_rows

PLACES = (0.15, 0.5, 0.85)
"""Which batches are timed, as places among all batches sorted by their size."""
FEW_STEPS = 10
"""With time for fewer steps, the model stays what it starts as."""
SCRATCH = 2_000_000
"""Numbers on which the optimiser is timed."""


@dataclass(frozen=True)
class Estimate:
    """Seconds, without evaluations. On a machine that others use too, take it as a lower bound."""

    per_step: float
    per_epoch: float
    steps_per_epoch: int

    def forecast(self, settings: Training) -> str:
        """What a person is told before the start."""
        whole = self.per_epoch * settings.epochs
        line = (
            f"about {self.per_epoch:.0f} s an epoch, {whole:.0f} s for {settings.epochs} epochs and what judging takes"
        )
        if settings.seconds is None or whole <= settings.seconds:
            return line
        left, fitting = settings.seconds, settings.seconds / self.per_epoch
        if left < FEW_STEPS * self.per_step:
            return f"{line}; {left:.0f} s are left of the budget, NOT ENOUGH to learn anything: --budget gives more"
        return f"{line}; {left:.0f} s are left of the budget, for about {fitting:.1f} epochs: --budget gives more"


def estimate_seconds(model: TrainingModel, examples: Sequence[Example], settings: Training) -> Estimate:
    """Times forward and backward on a few batches of usual sizes, and the optimiser on numbers of its own.

    As the training does, of a large vocabulary it computes gradients of the rows in use alone.
    """
    row_costs = costs(examples)
    steps = epoch_steps(row_costs, settings, 0)
    batches = sorted((batch for step in steps for batch in step), key=lambda batch: padded_tokens(row_costs, [batch]))
    chosen = [batches[int(place * (len(batches) - 1))] for place in PLACES]
    dtype, _ = choose_dtype(choose_device(settings.device), settings.dtype)
    device = next(model.parameters()).device

    def timed() -> float:
        _backward(model, examples, chosen[1], dtype)  # the first one also claims memory
        start = _clock(device)
        for batch in chosen:
            _backward(model, examples, batch, dtype)
        return (_clock(device) - start) / padded_tokens(row_costs, chosen)

    def smaller(reason: str) -> None:
        if max(map(len, chosen)) == 1:
            raise BertieError(f"memory ran out with a single row at once ({reason}), before training; {ADVICE}")
        chosen[:] = [batch[: -(-len(batch) // 2)] for batch in chosen]

    with untouched(model), used_rows(model, examples, settings.optimizer):
        model.train()
        model.checkpoint_activations(settings.activation_checkpointing)
        per_token = until_it_fits(timed, smaller)
        updating = optimizer_seconds(model, settings)
    tokens = sum(padded_tokens(row_costs, step) for step in steps)
    per_step = per_token * tokens / len(steps) / processes.count() + updating
    return Estimate(per_step, per_step * len(steps), len(steps))


def optimizer_seconds(model: TrainingModel, settings: Training) -> float:
    """An optimiser's step over as many numbers as the model trains, by the speed on a few of them."""
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    device = next(model.parameters()).device
    scratch = torch.nn.Parameter(torch.ones(SCRATCH // 1000, 1000, device=device))
    scratch.grad = torch.ones_like(scratch)
    group = {"params": [scratch], "name": "scratch", "lr": 0.0, "base_rate": 0.0, "weight_decay": 0.0}
    optimizer = make_optimizer([group], settings.optimizer)
    optimizer.step()
    start = _clock(device)
    for _ in range(3):
        optimizer.step()
    return (_clock(device) - start) / 3 * trained / SCRATCH


def _clock(device: torch.device) -> float:
    """Seconds, once the device has done what it was given: a GPU works on while Python is already further."""
    waits = {"cuda": torch.cuda.synchronize, "mps": torch.mps.synchronize}
    if device.type in waits:
        waits[device.type]()
    return time.perf_counter()


def _backward(
    model: TrainingModel, examples: Sequence[Example], indices: Sequence[int], dtype: torch.dtype = torch.float32
) -> None:
    device = next(model.parameters()).device
    batch = model.collate([examples[i] for i in indices]).to(device)
    for parameter in model.parameters():
        parameter.grad = None
    with autocast(device, dtype):
        loss = model(batch)
    loss.backward()
