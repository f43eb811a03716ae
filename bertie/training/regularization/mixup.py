"""Mixup: rows between two rows, with labels between theirs.

In:  a task with one label a row, a batch
Out: the loss of the mixed rows
Knows nothing of what the labels are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor
from torch.distributions import Beta

from bertie.core.errors import UsageError
from bertie.data.batches import Batch
from bertie.nn.encoder import Encoder
from bertie.tasks.base import Task
from bertie.tasks.one_label import CalibratedTask
from bertie.training.model import StepLoss, loss_of
from bertie.training.regularization.base import Regularizer


@dataclass(frozen=True, kw_only=True)
class Mixup(Regularizer):
    """Mixup (Zhang et al. 2018) of what the last layer reads (Guo et al. 2019, senMixup).

    The last layer is linear, so that mixing what it reads is mixing the scores that it gives; that is computed, as it
    is right for rows of several windows too. A loss is linear in the shares of its labels, so that the loss by mixed
    labels is the mix of the losses by each.
    """

    name: ClassVar[str] = "mixup"
    about: ClassVar[str] = "rows between two rows, with labels between theirs"

    alpha: float = 1.0
    """Shares are drawn from Beta(alpha, alpha): 1, all alike; smaller, mostly near one of the two rows."""

    def __post_init__(self) -> None:
        if not self.alpha > 0.0:
            raise ValueError(f"alpha is {self.alpha}, expected more than 0")

    def refuse(self, task: Task) -> None:
        """Choices of a row, which are classes as well, are no other row's."""
        if not (isinstance(task, CalibratedTask) and task.chooses):
            raise UsageError(
                f"training.regularization.name is 'mixup', which mixes the labels of rows; the task {task.name!r} has "
                "no single label of all rows' labels for each; take fgm, pgd or freelb, which work with every task"
            )

    def loss(self, plain: StepLoss, task: Task, encoder: Encoder, batch: Batch) -> Tensor:
        assert batch.targets is not None, "a batch without targets has no loss"
        share = float(Beta(self.alpha, self.alpha).sample())
        order = torch.randperm(batch.rows).to(batch.targets.device)  # (R,)
        output: Tensor = task.forward(encoder, batch)  # (R, C)
        mixed = share * output + (1.0 - share) * output[order]
        other = replace(batch, targets=batch.targets[order])
        return share * loss_of(task, mixed, batch) + (1.0 - share) * loss_of(task, mixed, other)
