"""PGD: as FGM, but the shift is searched for in several steps.

In:  a step's loss and a batch
Out: the loss of the text as it stands and that of the text where the search has ended
Knows nothing of tasks and tuning methods.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bertie.data.batches import Batch
from bertie.nn.encoder import Encoder
from bertie.tasks.base import Task
from bertie.training.model import StepLoss
from bertie.training.perturbation import Shift, Taken, same_draws, slopes
from bertie.training.regularization.base import Regularizer


@dataclass(frozen=True, kw_only=True)
class Pgd(Regularizer):
    """Projected gradient descent (Madry et al. 2018, section 2.1), in the ball of the length of the whole shift.

    It starts at the text. What the paper backs up and restores, the text, is never overwritten here.
    """

    name: ClassVar[str] = "pgd"
    about: ClassVar[str] = "several small steps against the text, and the losses at both ends"
    takes_gradients: ClassVar[bool] = True

    steps: int = 3
    """Steps of the search (K); each costs about as much as a pass forward and one back."""
    step_size: float = 0.015
    """Length of one of them, as a part of the length of the embedded text."""
    epsilon: float = 0.03
    """Longest shift, as a part of the length of the embedded text."""
    weight: float = 1.0
    """Of the shifted text's loss beside that of the text as it stands."""

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"steps is {self.steps}, expected at least 1")
        if not (self.epsilon > 0.0 and self.step_size > 0.0 and self.weight > 0.0):
            raise ValueError(
                f"epsilon is {self.epsilon}, step_size {self.step_size} and weight {self.weight}, expected more than 0"
            )

    def loss(self, plain: StepLoss, task: Task, encoder: Encoder, batch: Batch) -> Tensor:
        device = batch.input_ids.device
        shift, taken = Shift(encoder), Taken([*encoder.parameters(), *task.parameters()])
        with same_draws(device), shift.added():
            clean = plain(encoder, batch)
        shift.climb(taken.take(clean, shift.values), self.step_size, self.epsilon)
        for _ in range(self.steps - 1):
            with same_draws(device), shift.added():
                found = slopes(plain(encoder, batch), shift.values)
            shift.climb(found, self.step_size, self.epsilon)
        with shift.added():
            return taken.loss() + self.weight * plain(encoder, batch)
