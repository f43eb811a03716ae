"""VAT: the answer to a text shall stay what it is where a small shift would change it most.

In:  a task whose output is scores of classes, a batch, with or without labels
Out: its loss, where there are labels, and how far the answer moves
Knows nothing of what the classes are.
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
from bertie.training.model import StepLoss, loss_of
from bertie.training.perturbation import Shift, same_draws, slopes, unit
from bertie.training.regularization.base import Regularizer, divergence, mean_of_rows, needs_classes


@dataclass(frozen=True, kw_only=True)
class Vat(Regularizer):
    """Virtual adversarial training (Miyato et al. 2018, algorithm 1): no label says which way is up, the model's own
    answer does."""

    name: ClassVar[str] = "vat"
    about: ClassVar[str] = "the answer shall not move where the text is shifted; needs no labels"

    epsilon: float = 0.05
    """Length of the shift as a part of that of the embedded text."""
    probe: float = 0.1
    """The same of the shift by which the direction is searched for. The paper takes one near 0; rounding in bfloat16
    would drown it."""
    searches: int = 1
    """Times that the direction is bettered (I_p); each costs a pass forward and about half a pass back."""
    weight: float = 1.0
    """Of how far the answer moves (nats), beside the loss."""

    def __post_init__(self) -> None:
        if self.searches < 1:
            raise ValueError(f"searches is {self.searches}, expected at least 1")
        if not (self.epsilon > 0.0 and self.probe > 0.0 and self.weight > 0.0):
            raise ValueError(
                f"epsilon is {self.epsilon}, probe {self.probe} and weight {self.weight}, expected more than 0"
            )

    def refuse(self, task: Task) -> None:
        needs_classes(self.name, task)

    def loss(self, plain: StepLoss, task: Task, encoder: Encoder, batch: Batch) -> Tensor:
        device = batch.input_ids.device
        shift = Shift(encoder, self._start)
        with same_draws(device):
            output = task.forward(encoder, batch)
        own = output.detach()
        for n in range(1, self.searches + 1):
            with same_draws(device), shift.added():
                found = slopes(divergence(own, task.forward(encoder, batch)), shift.values)
            shift.turn(found, self.probe if n < self.searches else self.epsilon)
        with shift.added():
            moved = divergence(own, task.forward(encoder, batch))
        smooth = self.weight * mean_of_rows(moved, batch)
        return smooth if batch.targets is None else loss_of(task, output, batch) + smooth

    def _start(self, real: Tensor, generator: torch.Generator) -> Tensor:
        return self.probe * unit(torch.empty_like(real).normal_(generator=generator) * real)
