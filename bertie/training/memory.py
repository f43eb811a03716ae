"""How much memory a training will take, before it starts.

    weights      are there already
    gradients    as large as what is trained
    optimiser    twice that for Adam
    copies       of what is trained: an average of the weights, and a gradient that a method takes on the way
    activations  what the largest batch keeps for the way back: measured on its longest row, once and, where it has
                 more rows, twice

In:  a model with its tuning method applied, its examples, settings
Out: bytes by what they are for, and a line that compares them with what is free; weights, gradients and random numbers
     stay as they were
Knows nothing of methods: what is frozen asks for no gradient, and what that saves is seen, not computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from bertie.core.runtime import autocast, choose_device, choose_dtype, free_memory
from bertie.data.batches import Example
from bertie.training.kept_tensors import KeptTensors
from bertie.training.model import TrainingModel, untouched
from bertie.training.out_of_memory import until_it_fits
from bertie.training.regularizing import copies
from bertie.training.settings import Optimizer, Training
from bertie.training.shares import costs, epoch_steps, padded_tokens
from bertie.training.used_rows import used_rows

PASSING = 2
"""Tensors of a layer's wide part that live while the next one is computed, and as many gradients on the way back."""
STATES = {"sgd": 1, "adam": 2, "adamw": 2}
"""Numbers that an optimiser remembers for each that is trained."""
MEGABYTE = 2**20


@dataclass(frozen=True)
class Memory:
    """Bytes of one process."""

    weights: int
    gradients: int
    optimizer: int
    activations: int | None
    """None: memory ran out when one or two rows went through the model to measure them."""
    free: int | None
    """Before the training; None: the system does not tell."""
    copies: int = 0
    """What is held against over-fitting, as large as what is trained, beside the activations."""

    @property
    def needed(self) -> int:
        """What is still to be asked for: the weights are there. At least so much, where activations are not known."""
        return self.gradients + self.optimizer + self.copies + (self.activations or 0)

    def line(self) -> str:
        """What a person is told before the start."""
        about, kept = "more than", "activations more than could be measured"
        if self.activations is not None:
            about, kept = "about", f"activations {_mb(self.activations)}"
        kept = f"copies {_mb(self.copies)}, {kept}" if self.copies else kept
        parts = f"gradients {_mb(self.gradients)}, optimiser {_mb(self.optimizer)}, {kept}"
        line = f"memory: {about} {_mb(self.needed)} MB ({parts}) beside {_mb(self.weights)} MB of weights"
        if self.activations is not None and (self.free is None or self.needed <= self.free):
            return line if self.free is None else f"{line}; {_mb(self.free)} MB are free"
        there = "what is free" if self.free is None else f"{_mb(self.free)} MB are free, which"
        return (
            f"{line}; {there} is LESS: --set training.activation_checkpointing=true, a smaller "
            "--set training.tokens_per_batch, or --method lora takes less"
        )


def estimate_memory(model: TrainingModel, examples: Sequence[Example], settings: Training) -> Memory:
    """What a training of this model with these settings will hold at its highest.

    Memory that runs out while activations are measured is no error: it is the answer, and the training may still cut
    its batches.
    """
    free = free_memory(choose_device(settings.device))
    weights = sum(_bytes(tensor) for tensor in (*model.parameters(), *model.buffers()))
    with untouched(model), used_rows(model, examples, settings.optimizer):
        model.train()
        model.checkpoint_activations(settings.activation_checkpointing)
        trained = [p for p in model.parameters() if p.requires_grad]
        refused: list[str] = []
        activations = until_it_fits(
            lambda: None if refused else _largest(model, examples, settings), smaller=refused.append
        )
        once, states = sum(map(_bytes, trained)), optimizer_bytes(trained, settings.optimizer)
        return Memory(weights, once, states, activations, free, copies(settings) * once)


def optimizer_bytes(trained: Sequence[Tensor], settings: Optimizer) -> int:
    """What the optimiser remembers of these parameters; Adafactor of a matrix only a mean for each row and column."""
    if settings.name == "adafactor":
        return sum(_bytes(p) if p.ndim < 2 else 4 * (p.numel() // p.shape[-1] + p.shape[-1]) for p in trained)
    return STATES[settings.name] * sum(map(_bytes, trained))


def _largest(model: TrainingModel, examples: Sequence[Example], settings: Training) -> int:
    """Bytes that the largest batch of the first epoch keeps, from one and two copies of its longest row.

    Two points make a line: casts of weights to another number format are kept once, the rest for each row.
    """
    row_costs = costs(examples)
    batches = [batch for step in epoch_steps(row_costs, settings, 0) for batch in step]
    batch = max(batches, key=lambda one: padded_tokens(row_costs, [one]))
    longest = examples[max(batch, key=lambda i: row_costs[i])]
    once = _kept(model, [longest], settings)
    if len(batch) == 1:
        return round(once)
    twice = _kept(model, [longest] * 2, settings)
    return round(once + (twice - once) * (len(batch) - 1))


def _kept(model: TrainingModel, examples: Sequence[Example], settings: Training) -> float:
    """Bytes that a forward pass over these examples keeps, and what lives beside them at the highest point."""
    saved, largest = _saved(model, examples, settings)
    config, tokens = model.encoder.config, sum(example.cost for example in examples)
    dtype, _ = choose_dtype(choose_device(settings.device), settings.dtype)
    wide = tokens * config.intermediate_size * (2 if config.gated else 1) * dtype.itemsize
    came_in = tokens * config.hidden_size * 4 * config.layers if settings.activation_checkpointing else 0
    return saved + came_in + PASSING * (wide + largest)


def _saved(model: TrainingModel, examples: Sequence[Example], settings: Training) -> tuple[int, int]:
    """Bytes of the tensors that autograd keeps at once beside parameters, and of the largest one.

    With activation checkpointing it keeps none of a layer's. One layer at a time is computed again; the uppermost is so
    here, which is trained where any is: all layers at once might need memory that the training never will.
    """
    device = next(model.parameters()).device
    dtype, _ = choose_dtype(device, settings.dtype)
    own = {tensor.untyped_storage().data_ptr() for tensor in (*model.parameters(), *model.buffers())}
    kept, came_in = KeptTensors(own), list[tuple[Any, ...]]()

    def watch(_: nn.Module, given: tuple[Any, ...]) -> None:
        came_in[:] = [given]

    uppermost = model.encoder.layers[-1]
    watching = uppermost.register_forward_pre_hook(watch)
    try:
        batch = model.collate(examples).to(device)
        with autocast(device, dtype), kept.watched():
            loss = model(batch)
            watching.remove()
            again = uppermost(*came_in[0]) if settings.activation_checkpointing and came_in else None
        del loss, again  # not before: they are held at the same time
    finally:
        watching.remove()
    return kept.most, kept.largest


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _mb(count: int) -> str:
    return f"{count / MEGABYTE:,.0f}"
