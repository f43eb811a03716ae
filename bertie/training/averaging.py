"""An average of the weights, which is judged and kept instead of the weights themselves.

In:  a kind of average, the parameters that are trained, the steps
Out: the model with averaged weights for as long as somebody looks; tensors for a checkpoint
Knows nothing of evaluation or of files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from bertie.training.averages.base import Average

HELD = "held"


class Averaging:
    """Of the weights of a training; of none, it does nothing.

    Every process has the same weights after a step, and so the same average.
    """

    def __init__(self, average: Average | None = None, trained: Mapping[str, nn.Parameter] | None = None) -> None:
        """`trained`: the parameters by name, the same objects for as long as the training goes on."""
        self._average, self._trained = average, dict(trained or {})
        self._mean: dict[str, Tensor] = {}
        self._held = 0

    @torch.no_grad()
    def update(self, done: int, total: int) -> None:
        """The weights after step `done` of `total`, which was not left out."""
        share = None if self._average is None else self._average.share(self._held, done, total)
        if share is None:
            return
        if self._held:
            torch._foreach_lerp_(list(self._mean.values()), list(self._trained.values()), share)
        else:
            self._mean = {name: parameter.detach().clone() for name, parameter in self._trained.items()}
        self._held += 1

    @contextmanager
    def shown(self) -> Iterator[None]:
        """While it is entered, the model has the averaged weights, where there are some yet."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    def state(self) -> dict[str, Tensor]:
        """For a checkpoint; empty where nothing is averaged yet."""
        return {**self._mean, HELD: torch.tensor(self._held)} if self._held else {}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """The inverse of `state`."""
        self._held = int(state.get(HELD, 0))
        self._mean = {name: state[name].to(self._trained[name].device) for name in self._trained if self._held}

    def _exchange(self) -> None:
        # The tensors change places, so that nothing is copied.
        for name, mean in self._mean.items():
            parameter = self._trained[name]
            parameter.data, self._mean[name] = mean, parameter.data
