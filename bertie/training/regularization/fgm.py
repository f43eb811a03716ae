"""FGM: each step also learns from the text shifted to where the loss grows fastest.

In:  a step's loss and a batch
Out: the loss of the text as it stands and that of the shifted one
Knows nothing of tasks and tuning methods: what is shifted lies between embeddings and encoder.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bertie.data.batches import Batch
from bertie.nn.encoder import Encoder
from bertie.tasks.base import Task
from bertie.training.model import StepLoss
from bertie.training.perturbation import Shift, Taken, same_draws
from bertie.training.regularization.base import Regularizer


@dataclass(frozen=True, kw_only=True)
class Fgm(Regularizer):
    """Fast gradient method on the embedded text (Miyato et al. 2017, equations 2 and 5)."""

    name: ClassVar[str] = "fgm"
    about: ClassVar[str] = "one step against the text, and both losses"
    takes_gradients: ClassVar[bool] = True

    epsilon: float = 0.03
    """Length of the shift as a part of that of the embedded text."""
    weight: float = 1.0
    """Of the shifted text's loss beside that of the text as it stands."""

    def __post_init__(self) -> None:
        if not (self.epsilon > 0.0 and self.weight > 0.0):
            raise ValueError(f"epsilon is {self.epsilon} and weight {self.weight}, expected more than 0")

    def loss(self, plain: StepLoss, task: Task, encoder: Encoder, batch: Batch) -> Tensor:
        shift, taken = Shift(encoder), Taken([*encoder.parameters(), *task.parameters()])
        with same_draws(batch.input_ids.device), shift.added():
            clean = plain(encoder, batch)
        shift.turn(taken.take(clean, shift.values), self.epsilon)
        with shift.added():
            return taken.loss() + self.weight * plain(encoder, batch)
