"""Shifts of the embedded text, which adversarial steps add to it, and gradients that are taken on the way.

In:  an encoder, a loss that has read a text by it
Out: the same text shifted by so much in the direction that the loss says
Knows nothing of tasks, of methods or of steps.

What is shifted is the output of the embeddings, not their table. It works alike for word vectors that are frozen, that
are trained, of which only the used rows are trained, or that an output layer is tied to. No weight is ever moved, so
none has to be put back. Each text has a shift of its own, where a shifted table would tie all texts of a batch
together. And behind the layer norm no word can grow out of a shift's reach: Miyato et al. 2017 normalise the vectors
for that reason.

Lengths are parts of the length of the embedded text itself, so that one number means the same for a short text and a
long one, and for every encoder, whatever the scale of its vectors.
"""

# B sequences, T tokens, D width

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from bertie.nn.encoder import Encoder

Start = Callable[[Tensor, torch.Generator], Tensor]
"""What a shift begins with, from which tokens are real (B, T, D), 0 or 1: (B, T, D) in units of the text's length."""


def nothing(real: Tensor, generator: torch.Generator) -> Tensor:
    """No shift."""
    return torch.zeros_like(real)


class Shift:
    """One tensor (B, T, D) for each time that a pass embeds something: most tasks do so once."""

    def __init__(self, encoder: Encoder, start: Start = nothing) -> None:
        """What `start` draws is drawn apart, so that all passes over a text have the same dropout."""
        self.values: list[Tensor] = []
        self._encoder, self._start = encoder, start
        self._real: list[Tensor] = []  # (B, T, D), 1 for tokens, 0 for padding
        self._reach: list[Tensor] = []  # (B, 1, 1), length of the embedded text
        device = next(encoder.parameters()).device
        self._generator = torch.Generator(device).manual_seed(int(torch.randint(2**62, ())))

    @contextmanager
    def added(self) -> Iterator[None]:
        """While it is entered, the encoder reads the shifted text."""
        calls = iter(range(2**31))

        def shifted(module: nn.Module, given: tuple[Any, ...], embedded: Tensor) -> Tensor:
            n = next(calls)
            if n == len(self.values):
                self._begin(given[0], embedded.detach())
            return embedded + self.values[n].to(embedded.dtype)

        handle = self._encoder.embeddings.register_forward_hook(shifted)
        try:
            yield
        finally:
            handle.remove()

    def climb(self, slopes: Sequence[Tensor | None], step: float, longest: float) -> None:
        """A step up the slopes, no further from the text than `longest`."""
        moved = [value.detach() + up for value, up in zip(self.values, self._along(slopes, step), strict=True)]
        self.values = [_within(one, longest * reach) for one, reach in zip(moved, self._reach, strict=True)]

    def turn(self, slopes: Sequence[Tensor | None], length: float) -> None:
        """The shift of this length up the slopes, instead of what it was."""
        self.values = [one.requires_grad_() for one in self._along(slopes, length)]

    def _begin(self, ids: Tensor, embedded: Tensor) -> None:
        real = (ids != self._encoder.config.pad_id).unsqueeze(-1).expand_as(embedded).float()  # (B, T, D)
        reach = _length(embedded * real)
        self._real.append(real)
        self._reach.append(reach)
        self.values.append((self._start(real, self._generator) * real * reach).requires_grad_())

    def _along(self, slopes: Sequence[Tensor | None], length: float) -> list[Tensor]:
        parts = zip(slopes, self.values, self._real, self._reach, strict=True)
        return [
            torch.zeros_like(value) if slope is None else length * reach * unit(slope * real)
            for slope, value, real, reach in parts
        ]


def unit(values: Tensor) -> Tensor:
    """Each sequence's numbers (B, T, D) to length 1; zeros stay zeros."""
    length = _length(values)
    return torch.where(length > 0, values / length, torch.zeros_like(values))


class Taken:
    """A loss in several parts, each of which is differentiated, and its graph forgotten, before the next is computed.

    So the memory of one pass is enough for many, and the gradient of a pass serves the shift and the weights at once.
    Nothing is written to `Tensor.grad` before the step's own backward pass, where processes exchange gradients.
    """

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        """`parameters` are what the loss is to train."""
        self._parameters = list({id(one): one for one in parameters if one.requires_grad}.values())  # tied ones once
        self._gradients: list[Tensor | None] = [None] * len(self._parameters)
        self._value: Tensor | None = None

    def take(self, part: Tensor, others: Sequence[Tensor]) -> list[Tensor | None]:
        """Adds a part of the loss; returns the slopes of that part by the others."""
        found = slopes(part, [*self._parameters, *others])
        for n, gradient in enumerate(found[: len(self._parameters)]):
            before = self._gradients[n]
            if gradient is not None:
                self._gradients[n] = gradient if before is None else before + gradient
        self._value = part.detach() if self._value is None else self._value + part.detach()
        return found[len(self._parameters) :]

    def loss(self) -> Tensor:
        """The sum of the parts, whose backward pass gives the gradients that are known."""
        assert self._value is not None, "no part of the loss was taken"
        known = [(p, g) for p, g in zip(self._parameters, self._gradients, strict=True) if g is not None]
        value: Tensor = _Known.apply(self._value, [g for _, g in known], *[p for p, _ in known])  # type: ignore[no-untyped-call]
        return value


def slopes(loss: Tensor, by: Sequence[Tensor]) -> list[Tensor | None]:
    """The gradients of a loss, without a trace in `Tensor.grad`; None where one does not count."""
    with torch.autocast(loss.device.type, enabled=False):  # backward computes as forward did, by itself
        return list(torch.autograd.grad(loss, by, allow_unused=True))


def same_draws(device: torch.device) -> AbstractContextManager[None]:
    """What is drawn in it is drawn once more after it.

    All passes of an adversarial step have the same dropout: else the way up would be that of another network, and the
    worst case of none (Zhu et al. 2020, section 3.3).
    """
    # On mps torch cannot fork its generator: there dropout differs, which costs a little of the effect.
    return torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])


class _Known(torch.autograd.Function):
    """A number with a gradient that was computed before."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, gradients: list[Tensor], *parameters: Tensor) -> Tensor:
        ctx.gradients = gradients
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        return (None, None, *torch._foreach_mul(ctx.gradients, outer[0]))


def _length(values: Tensor) -> Tensor:
    """(B, T, D) to (B, 1, 1)."""
    length: Tensor = torch.linalg.vector_norm(values.float(), dim=(1, 2), keepdim=True)
    return length


def _within(values: Tensor, longest: Tensor) -> Tensor:
    """Values (B, T, D) no longer than (B, 1, 1)."""
    length = _length(values)
    return (values * torch.where(length > longest, longest / length, 1.0)).requires_grad_()
