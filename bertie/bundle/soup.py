"""A soup: several models to one, by the mean of their weights (Wortsman et al. 2022).

In:  models that were tuned from one encoder, with the same task
Out: one model of the same size and cost
Knows nothing of training, and of whether the mean is any good: who makes it judges it.

Two trainings from one start often end in one basin, where the mean of weights is as good as the mean of answers. What a
method added is merged before: the mean of products is not the product of means.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from bertie.bundle.folder import Model
from bertie.core.errors import UsageError
from bertie.nn.encoder import Encoder


def soup(models: Iterable[Model]) -> Model:
    """The mean of the models, which are read one after the other; what else a bundle says is the first's.

    The result takes the place of the first model, whose weights are overwritten. UsageError: they do not fit together.
    """
    first: Model | None = None
    sums: list[dict[str, Tensor]] = []
    count = 0
    for model in models:
        mixable = replace(model, encoder=_plain(model), added={}, golden=[])
        states = [mixable.encoder.state_dict(), mixable.task.state_dict()]
        count += 1
        if first is None:
            first = mixable
            sums = [{name: _wide(tensor) for name, tensor in state.items()} for state in states]
            continue
        _refuse_others(first, mixable)
        for total, state in zip(sums, states, strict=True):
            _add(total, state)
    assert first is not None, "a soup needs a model"
    for part, total in zip((first.encoder, first.task), sums, strict=True):
        own = part.state_dict()
        part.load_state_dict({name: _mean(tensor, count).to(own[name]) for name, tensor in total.items()})
    return first


def _plain(model: Model) -> Encoder:
    """With what was added in the weights, where it can be merged."""
    return model.tuning.merge(model.encoder) if model.tuning and model.tuning.merges else model.encoder


def _wide(tensor: Tensor) -> Tensor:
    """In numbers that many can be added in."""
    return tensor.double() if tensor.is_floating_point() else tensor


def _mean(total: Tensor, count: int) -> Tensor:
    return total / count if total.is_floating_point() else total


def _add(total: dict[str, Tensor], state: dict[str, Tensor]) -> None:
    for name, tensor in state.items():
        if tensor.is_floating_point():
            total[name] += tensor
        elif not torch.equal(total[name], tensor):
            raise UsageError(
                f"{name} is no number that can be averaged and differs between the models; average answers"
            )


def _refuse_others(first: Model, other: Model) -> None:
    for what, one, two in zip(_TOLD, _about(first), _about(other), strict=True):
        if one != two:
            raise UsageError(
                f"weights are averaged of models that learned the same task from the same encoder; {what} differ: "
                f"{_shown(one)}, and {_shown(two)}"
            )


_TOLD = (
    "the tasks",
    "what they answer",
    "the tokenizers",
    "the tuning methods",
    "the weights of the encoders",
    "heads",
)


def _about(model: Model) -> list[Any]:
    described = {name: value for name, value in model.task.description().items() if name != "weights"}
    shapes = [
        {name: tuple(tensor.shape) for name, tensor in part.state_dict().items()}
        for part in (model.encoder, model.task)
    ]
    return [model.task.name, described, model.tokenizer.fingerprint, model.tuning, *shapes]


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 200 else f"{text[:200]}..."
