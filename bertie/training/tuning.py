"""A tuning method inside the loop: its rates, its hook, its penalty, and what of a model is trained, in words.

In:  a method that was applied to an encoder; for its rates the settings of the optimiser
Out: rates, a hook, a wrapper of the loss, a line for a person
Knows nothing of what the method does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, distributed, nn

from bertie.core.errors import UsageError
from bertie.data.batches import Batch
from bertie.nn.encoder import Encoder
from bertie.training.hooks import Hook, Step
from bertie.training.model import StepLoss, Wrapper
from bertie.training.settings import Optimizer
from bertie.tuning.base import Method, trained


def filled_optimizer(optimizer: Optimizer, method: Method, rate: float, decay: float, head: float) -> Optimizer:
    """The settings with the rates that were left open chosen, as the method wants them.

    `rate`, `decay` from layer to layer and `head`, the factor of the head's rate, are those that are usual where all
    weights are trained. A method raises the encoder's rate and not the head's; a given rate is that of all layers, and
    the head's as far as `head` goes.
    """
    raised = 1.0 if optimizer.rate else method.rate_factor
    return replace(
        optimizer,
        rate=optimizer.rate or rate * method.rate_factor,
        layer_decay=optimizer.layer_decay or method.layer_decay() or (1.0 if optimizer.rate else decay),
        head_rate_factor=optimizer.head_rate_factor or head / raised,
    )


class Tuner(Hook):
    """Tells a method of the steps."""

    def __init__(self, method: Method, encoder: Encoder) -> None:
        self._method, self._encoder = method, encoder

    def begin(self, optimizer: torch.optim.Optimizer, done: int, total: int) -> None:
        """Lets the method see gradients when a step is about to use them, which only finite ones are."""
        if not self._method.constant and distributed.is_initialized() and distributed.get_world_size() > 1:
            raise UsageError(
                f"--method {self._method.name} changes what is trained on the way, which several processes cannot "
                "agree on yet; train in one, or take another method"
            )
        optimizer.register_step_pre_hook(lambda *_: self._method.after_gradient(self._encoder))
        self._method.before_step(self._encoder, done, total)

    def after_step(self, step: Step) -> None:
        """Weights may be changed here, and what is trained from now on."""
        self._method.after_step(self._encoder, step.number, step.total)
        self._method.before_step(self._encoder, step.number, step.total)


@dataclass(frozen=True)
class Penalised:
    """A loss with a method's penalty on top; no closure, as other processes are sent what they train."""

    method: Method
    loss: StepLoss

    def __call__(self, encoder: Encoder, batch: Batch) -> Tensor:
        """One step's loss."""
        penalty = self.method.penalty(encoder)
        loss = self.loss(encoder, batch)
        return loss if penalty is None else loss + penalty


def penalised(method: Method) -> Wrapper:
    """Adds the method's penalty to the loss of a batch."""
    return partial(Penalised, method)


def share(method: Method, encoder: Encoder, head: nn.Module) -> str:
    """What is trained, and its part of all weights; by name where it is not simply all of them."""
    inside = sum(p.numel() for p in encoder.parameters() if p.requires_grad)
    whole = sum(p.numel() for p in encoder.parameters())
    beside = sum(p.numel() for p in head.parameters() if p.requires_grad)
    if inside == whole:
        return f"tuning: {method.name}, all {whole:,} weights of the encoder and the head's {beside:,}"
    line = f"tuning: {method.name}, {inside:,} of {whole:,} weights of the encoder ({inside / whole:.2%})"
    names = listed(trained(encoder))
    return f"{line} and the head's {beside:,}" + (f": {names}" if names else "")


def listed(names: Sequence[str]) -> str:
    """Names of weights with the layers drawn together: `layers.0-5.attention.query.lora_a`."""
    layers: dict[tuple[str, str], list[int]] = {}
    for name in names:
        match = re.fullmatch(r"layers\.(\d+)\.(.*)", name)
        key = ("layers.", f".{match[2]}") if match else (name, "")
        layers.setdefault(key, []).extend([int(match[1])] if match else [])
    return ", ".join(first + _span(numbers) + rest for (first, rest), numbers in layers.items())


def _span(numbers: Sequence[int]) -> str:
    if not numbers:
        return ""
    whole = list(numbers) == list(range(numbers[0], numbers[-1] + 1))
    return f"{numbers[0]}-{numbers[-1]}" if whole and len(numbers) > 1 else ",".join(map(str, numbers))
