"""What is trained: an encoder and a task, as one module that gives a loss.

In:  an encoder, a task with its head, functions around the loss
Out: a number for a batch
Knows nothing of optimisers, steps or files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from bertie.data.batches import Batch, Example
from bertie.nn.encoder import Encoder
from bertie.tasks.base import Task
from bertie.training.devices import mean_of_parts
from bertie.training.state import random_state, set_random_state

StepLoss = Callable[[Encoder, Batch], Tensor]
"""One step's loss: the mean over the rows of the batch."""
Wrapper = Callable[[StepLoss], StepLoss]
"""A function around a step's loss (adversarial training, R-Drop, mixup, distillation); the loop knows of none."""


class TrainingModel(nn.Module):
    """Encoder and task, so that devices, processes and checkpoints see one module. Holds its parts, copies nothing."""

    def __init__(
        self, encoder: Encoder, task: Task, wrappers: Sequence[Wrapper] = (), whole_vocabulary: bool = False
    ) -> None:
        """The last wrapper is the outermost.

        `whole_vocabulary` is True where the loss reads the table of word vectors itself (an output layer tied to it) or
        batches hold token ids that the examples do not: then every row of the table must be trained.
        """
        super().__init__()
        self.encoder, self.task, self.whole_vocabulary = encoder, task, whole_vocabulary
        step_loss: StepLoss = self._plain_loss
        for wrapper in wrappers:
            step_loss = wrapper(step_loss)
        self.step_loss = step_loss

    def forward(self, batch: Batch) -> Tensor:
        """The loss of one batch."""
        return self.step_loss(self.encoder, batch)

    def collate(
        self, examples: Sequence[Example], part: float | None = None, usual: tuple[float, ...] | None = None
    ) -> Batch:
        """Examples to a batch as the task wants it; `part` and `usual` as in `Batch`."""
        batch = self.task.collate(examples, self.encoder.config.pad_id)
        return batch if part is None and usual is None else replace(batch, part=part, usual=usual)

    def checkpoint_activations(self, wanted: bool) -> None:
        """Whether all encoders in it, those of the task too, keep little for the gradient and compute again."""
        for module in self.modules():
            if isinstance(module, Encoder):
                module.checkpointing = wanted

    def _plain_loss(self, encoder: Encoder, batch: Batch) -> Tensor:
        return loss_of(self.task, self.task.forward(encoder, batch), batch)


@contextmanager
def untouched(model: TrainingModel, *, weights: bool = False) -> Iterator[None]:
    """Whatever is tried with a model meanwhile, afterwards it is as it was, and so are the random numbers.

    `weights`: those too, of which a copy is held; what moves none of them needs no copy.
    """
    generators, training, checkpointing = random_state(), model.training, model.encoder.checkpointing
    parameters = [(parameter, parameter.grad, parameter.requires_grad) for parameter in model.parameters()]
    before = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()} if weights else None
    for parameter in model.parameters():
        parameter.grad = None  # what is added to a gradient is added in its place
    try:
        yield
    finally:
        if before is not None:
            model.load_state_dict(before)
        for parameter, gradient, wanted in parameters:
            parameter.requires_grad_(wanted)
            parameter.grad = gradient
        model.checkpoint_activations(checkpointing)
        model.train(training)
        set_random_state(generators)


def loss_of(task: Task, output: Any, batch: Batch) -> Tensor:
    """The loss of what a task has made of a batch, as a part of the step where a batch is only some of its rows."""
    if batch.usual is not None:
        means = zip(task.means(output, batch), batch.usual, strict=True)
        return torch.stack([mean * (number / usual) for (mean, number), usual in means]).sum()
    if batch.part is None:
        return task.loss(output, batch)
    return mean_of_parts(task.means(output, batch), batch.part)
