"""R-Drop: two passes with different dropout shall give the same answer.

In:  a task whose output is scores of classes, a batch
Out: the mean loss of both passes, and how far their answers are apart
Knows nothing of what the classes are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bertie.data.batches import Batch
from bertie.nn.encoder import Encoder
from bertie.tasks.base import Task
from bertie.training.model import StepLoss, loss_of
from bertie.training.regularization.base import Regularizer, divergence, mean_of_rows, needs_classes


@dataclass(frozen=True, kw_only=True)
class RDrop(Regularizer):
    """Regularised dropout (Liang et al. 2021, equation 4), the two losses as a mean, as its authors compute it."""

    name: ClassVar[str] = "rdrop"
    about: ClassVar[str] = "two passes with different dropout shall agree"

    alpha: float = 1.0
    """Weight of how far the two answers are apart (nats, both ways, halved); the paper takes 0.1 to 5."""

    def __post_init__(self) -> None:
        if not self.alpha > 0.0:
            raise ValueError(f"alpha is {self.alpha}, expected more than 0")

    def refuse(self, task: Task) -> None:
        needs_classes(self.name, task)

    def loss(self, plain: StepLoss, task: Task, encoder: Encoder, batch: Batch) -> Tensor:
        one, other = task.forward(encoder, batch), task.forward(encoder, batch)  # (R, C) each
        apart = (divergence(one, other) + divergence(other, one)) / 2
        right = (loss_of(task, one, batch) + loss_of(task, other, batch)) / 2
        return right + self.alpha * mean_of_rows(apart, batch)
