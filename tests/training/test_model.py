"""What is tried with a model leaves nothing behind, whatever the model had and whatever was tried."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from bertie.core.runtime import seed_everything
from bertie.training.estimate import estimate_seconds
from bertie.training.memory import estimate_memory
from bertie.training.model import TrainingModel, untouched
from bertie.training.range_test import Sweep, range_test
from bertie.training.settings import Optimizer, Training
from bertie.training.state import random_state
from tests.training.toy import toy_examples, toy_model

SETTINGS = Training(
    epochs=1, rows_per_batch=8, dtype="float32", activation_checkpointing=True, optimizer=Optimizer(rate=1e-3)
)


def in_use(*, training: bool) -> TrainingModel:
    """A model in the middle of something: gradients of a step that nobody has made yet, a part that is not trained."""
    model = toy_model()
    model(model.collate(toy_examples(8))).backward()
    next(model.encoder.layers[0].parameters()).requires_grad_(False)
    model.train(training)
    return model


def told(model: TrainingModel) -> dict[str, object]:
    """All of a model that somebody could notice."""
    return {
        "weights": {name: tensor.tolist() for name, tensor in model.state_dict().items()},
        "gradients": [None if p.grad is None else p.grad.tolist() for p in model.parameters()],
        "trained": [p.requires_grad for p in model.parameters()],
        "modes": [module.training for module in model.modules()],
        "checkpointing": model.encoder.checkpointing,
        "random": random_state(),
    }


def disturb(model: TrainingModel) -> None:
    """Everything that an attempt may change beside weights."""
    model.train(not model.training)
    model.checkpoint_activations(True)
    for parameter in model.parameters():
        parameter.requires_grad_(not parameter.requires_grad)
        parameter.grad = None
    seed_everything(99)


@pytest.mark.parametrize("training", [True, False])
def test_all_but_weights_is_as_it_was_also_after_an_error(training: bool) -> None:
    model = in_use(training=training)
    before = told(model)
    with untouched(model):
        disturb(model)
        assert all(told(model)[name] != before[name] for name in before if name != "weights")
    assert told(model) == before
    with pytest.raises(KeyError), untouched(model):
        disturb(model)
        raise KeyError
    assert told(model) == before


def test_weights_are_put_back_where_that_is_asked_for() -> None:
    model = in_use(training=True)
    before = told(model)
    with untouched(model, weights=True), torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1.0)
    assert told(model) == before


@pytest.mark.parametrize("what", ["seconds", "memory", "range"])
def test_who_looks_ahead_keeps_to_it(what: str) -> None:
    model, examples = in_use(training=False), toy_examples()
    before = told(model)
    if what == "seconds":
        estimate_seconds(model, examples, SETTINGS)
    elif what == "memory":
        estimate_memory(model, examples, SETTINGS)
    else:
        settings = replace(SETTINGS, activation_checkpointing=False)
        range_test(model, examples, settings, Sweep(lowest=1e-5, highest=1e-2, steps=30))
    assert told(model) == before
