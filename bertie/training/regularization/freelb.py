"""FreeLB: the weights learn from every text that the search for a shift comes by.

In:  a step's loss and a batch
Out: the mean of the losses along the search
Knows nothing of tasks and tuning methods.
"""

# B sequences, T tokens, D width

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bertie.data.batches import Batch
from bertie.nn.encoder import Encoder
from bertie.tasks.base import Task
from bertie.training.model import StepLoss
from bertie.training.perturbation import Shift, Taken, same_draws
from bertie.training.regularization.base import Regularizer


@dataclass(frozen=True, kw_only=True)
class FreeLb(Regularizer):
    """Free large-batch adversarial training (Zhu et al. 2020, algorithm 1). The text as it stands is not learned."""

    name: ClassVar[str] = "freelb"
    about: ClassVar[str] = "the mean loss along several steps against the text, from a random start"
    takes_gradients: ClassVar[bool] = True

    steps: int = 2
    """Passes of a step (K), each forward and back."""
    step_size: float = 0.03
    """Length of a step of the search, as a part of the length of the embedded text."""
    epsilon: float = 0.06
    """Longest shift, as a part of the length of the embedded text; the random one at the start is 0.58 of it long."""

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"steps is {self.steps}, expected at least 1")
        if not (self.epsilon > 0.0 and self.step_size > 0.0):
            raise ValueError(f"epsilon is {self.epsilon} and step_size {self.step_size}, expected more than 0")

    def loss(self, plain: StepLoss, task: Task, encoder: Encoder, batch: Batch) -> Tensor:
        shift = Shift(encoder, self._start)
        taken = Taken([*encoder.parameters(), *task.parameters()])
        for _ in range(self.steps - 1):
            with same_draws(batch.input_ids.device), shift.added():
                part = plain(encoder, batch) / self.steps
            shift.climb(taken.take(part, shift.values), self.step_size, self.epsilon)
        with shift.added():
            last = plain(encoder, batch) / self.steps
        return last if self.steps == 1 else taken.loss() + last

    def _start(self, real: Tensor, generator: torch.Generator) -> Tensor:
        """Uniform in a cube, divided by the root of how many numbers a text has (line 3 of the algorithm)."""
        count = real.sum(dim=(1, 2), keepdim=True).clamp(min=1.0)  # (B, 1, 1)
        drawn = torch.empty_like(real).uniform_(-self.epsilon, self.epsilon, generator=generator)
        return drawn / count.sqrt()
