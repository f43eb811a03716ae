"""The contract of a method against over-fitting: a function around a step's loss.

    batch --loss--> number          a step without one
    batch --method(loss)--> number  a step with one: perhaps several passes, still one number with one gradient

In:  a step's loss, the task and the encoder that it is of, a batch
Out: the loss that is learned by instead
Knows nothing of the loop, of accumulation, of processes or of files.

A method is a frozen record of its settings and holds no state: a checkpoint resumes any of them. Random numbers it
draws from torch's generator, which a checkpoint holds. A batch's part in the step's loss is a factor outside of the
method, and a shift is measured for each text by itself, so that neither accumulation nor the number of processes
changes what is done to a row.
"""

# R rows, C classes

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor
from torch.nn import functional as F

from bertie.core.errors import UsageError
from bertie.data.batches import Batch
from bertie.nn.encoder import Encoder
from bertie.tasks.base import Task
from bertie.training.devices import mean_of_parts
from bertie.training.model import StepLoss


class Regularizer(ABC):
    """A subclass with a `name`, a frozen dataclass in a file of this folder, can be named in a recipe.

    Its fields are its settings; the text under each is its documentation.
    """

    name: ClassVar[str]
    about: ClassVar[str]
    """One line for a person: what it does."""
    takes_gradients: ClassVar[bool] = False
    """Whether the gradient of one pass is held while the next one is computed (`Taken`)."""

    def refuse(self, task: Task) -> None:  # noqa: B027
        """UsageError where the method cannot work with this task; told before anything is computed."""

    @abstractmethod
    def loss(self, plain: StepLoss, task: Task, encoder: Encoder, batch: Batch) -> Tensor:
        """The loss of a batch, by `plain` on the batch as it is or as the method changes it."""


def needs_classes(name: str, task: Task) -> None:
    """UsageError where what a task gives is no probabilities of classes."""
    if not task.chooses:
        raise UsageError(
            f"training.regularization.name is {name!r}, which compares probabilities of classes; the task "
            f"{task.name!r} gives no single choice of one class a row; take fgm, pgd or freelb, which work with every "
            "task"
        )


def mean_of_rows(value: Tensor, batch: Batch) -> Tensor:
    """A mean over the rows of a batch as its part of the step's loss, where several processes share the batch."""
    return value if batch.part is None else mean_of_parts([(value, batch.rows)], batch.part)


def divergence(expected: Tensor, found: Tensor) -> Tensor:
    """KL of what is found from what is expected, both scores (R, C) whose softmax are probabilities: mean over rows."""
    logs = (found.float().log_softmax(-1), expected.float().log_softmax(-1))
    return F.kl_div(*logs, reduction="batchmean", log_target=True)
