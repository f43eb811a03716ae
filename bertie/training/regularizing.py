"""What a recipe says against over-fitting, as parts of a training.

In:  `training.regularization` and `training.average` of a recipe, the task, the tuning method
Out: a wrapper of the step's loss, an average of the weights; UsageError where they cannot be had together
Knows nothing of what the methods do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

import bertie.training.averages
import bertie.training.regularization
from bertie.core.config import from_dict, to_dict
from bertie.core.errors import UsageError
from bertie.core.registry import Registry
from bertie.data.batches import Batch
from bertie.nn.encoder import Encoder
from bertie.tasks.base import Task
from bertie.training.averages.base import Average
from bertie.training.averaging import Averaging
from bertie.training.model import StepLoss, Wrapper
from bertie.training.optimizer import parameters
from bertie.training.regularization.base import Regularizer
from bertie.training.settings import Training
from bertie.tuning.base import Method

T = TypeVar("T")
REGULARIZERS: Registry[Regularizer] = Registry(
    bertie.training.regularization,
    Regularizer,  # type: ignore[type-abstract]
    "method of training.regularization",
)
AVERAGES: Registry[Average] = Registry(bertie.training.averages, Average, "average")  # type: ignore[type-abstract]


@dataclass(frozen=True)
class Regularized:
    """A loss as a method wants it learned; no closure, as other processes are sent what they train."""

    method: Regularizer
    task: Task
    plain: StepLoss

    def __call__(self, encoder: Encoder, batch: Batch) -> Tensor:
        """One step's loss. Where nothing is learned from it, a model is judged: then it is the plain one."""
        if not torch.is_grad_enabled():
            return self.plain(encoder, batch)
        return self.method.loss(self.plain, self.task, encoder, batch)


def regularized(settings: Training, task: Task) -> list[Wrapper]:
    """The wrapper of the method that the settings name, if any."""
    method = _named(REGULARIZERS, settings.regularization, "training.regularization")
    return [] if method is None else [partial(Regularized, method, task)]


def averaging(settings: Training, model: nn.Module, optimizer: torch.optim.Optimizer) -> Averaging:
    """The average that the settings name, of all that the optimiser trains of a model; none where they name none."""
    average = _named(AVERAGES, settings.average, "training.average")
    if average is None:
        return Averaging()
    trained = {id(parameter) for parameter in parameters(optimizer.param_groups)}
    return Averaging(average, {name: p for name, p in model.named_parameters() if id(p) in trained})


def copies(settings: Training) -> int:
    """How many times what is trained is held once more beside the activations of a step."""
    regularizer = _named(REGULARIZERS, settings.regularization, "training.regularization")
    return int(regularizer is not None and regularizer.takes_gradients) + bool(settings.average)


def announce(settings: Training, task: Task, method: Method | None = None) -> list[str]:
    """Told once, before anything is computed: lines for a person on what is done against over-fitting.

    Raises:
        UsageError: no such name, or not with this task or this tuning method.
        ConfigError: settings that there are not.
    """
    regularizer = _named(REGULARIZERS, settings.regularization, "training.regularization")
    average = _named(AVERAGES, settings.average, "training.average")
    if regularizer is not None:
        regularizer.refuse(task)
    if average is not None and method is not None and method.keeps_last:
        raise UsageError(
            f"training.average.name is {average.name!r}, but with --method {method.name} only the last weights are "
            "what it promises (its ranks move on the way, and a mean of different ones is none of them); leave one of "
            "the two out"
        )
    if method is not None and method.keeps_last and (settings.patience or settings.keep == "best"):
        asked = f"patience is {settings.patience}" if settings.patience else "keep is 'best'"
        raise UsageError(
            f"training.{asked}, but with --method {method.name} only the last weights are what it promises (its ranks "
            "move on the way); give --set training.patience=0 --set training.keep=last"
        )
    return [_line(one) for one in (regularizer, average) if one is not None]


def _named(registry: Registry[T], settings: Mapping[str, Any], where: str) -> T | None:
    """`{"name": "fgm", "epsilon": 0.1}` as an object; None for no settings at all."""
    if not settings:
        return None
    rest = dict(settings)
    name = rest.pop("name", None)
    if not isinstance(name, str):
        raise UsageError(
            f"{where} has settings ({', '.join(rest)}) but no name; choose one of {', '.join(registry.classes())} with "
            f"--set {where}.name=..., or leave them out"
        )
    return from_dict(registry.get(name), rest, where)


def _line(method: Regularizer | Average) -> str:
    options = ", ".join(f"{name} {value}" for name, value in to_dict(method).items())
    return f"against over-fitting: {method.name}, {method.about} ({options})"
