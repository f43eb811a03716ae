"""Groups and methods."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bertie.core.errors import UsageError
from bertie.training.optimizer import clip_gradient, make_optimizer, parameter_groups, parameters, set_rate
from bertie.training.settings import Optimizer
from bertie.tuning.prompt import Prompt, PromptTuning
from tests.training.toy import toy_model
from tests.tuning.encoders import tiny


def test_every_parameter_stands_in_one_group_and_only_matrices_decay() -> None:
    model = toy_model()
    groups = parameter_groups(model.encoder, model.task, Optimizer(rate=5e-5, head_rate_factor=10.0))
    assert sorted(map(id, parameters(groups))) == sorted(map(id, model.parameters()))
    assert {group["name"]: (group["lr"], group["weight_decay"]) for group in groups} == {
        "encoder weights": (5e-5, 0.01),
        "encoder rest": (5e-5, 0.0),
        "head weights": (5e-4, 0.01),
        "head rest": (5e-4, 0.0),
    }
    decayed = {id(p) for group in groups if group["weight_decay"] for p in group["params"]}
    for name, parameter in model.named_parameters():
        assert (id(parameter) in decayed) == (parameter.ndim == 2 and "embeddings" not in name), name


def test_lower_layers_learn_less() -> None:
    model = toy_model()
    depth = len(model.encoder.layers)
    groups = parameter_groups(model.encoder, model.task, Optimizer(rate=1e-4, layer_decay=0.5))
    assert sorted(map(id, parameters(groups))) == sorted(map(id, model.parameters()))
    rates = {id(p): group["lr"] for group in groups for p in group["params"]}
    for number, layer in enumerate(model.encoder.layers):
        assert {rates[id(p)] for p in layer.parameters()} == {1e-4 * 0.5 ** (depth - 1 - number)}
    assert {rates[id(p)] for p in model.encoder.embeddings.parameters()} == {1e-4 * 0.5**depth}
    assert {rates[id(p)] for p in model.task.parameters()} == {1e-4}
    assert groups[0]["name"] == f"layer {depth} weights"


def test_a_norm_above_all_layers_and_a_prompt_have_the_whole_rate() -> None:
    encoder, head = tiny("modernbert"), nn.Linear(16, 2)
    encoder.prompt = Prompt(torch.zeros(3, 16))
    groups = parameter_groups(encoder, head, Optimizer(rate=1e-4, layer_decay=0.5))
    rates = {id(p): group["lr"] for group in groups for p in group["params"]}
    assert encoder.final_norm is not None
    assert {rates[id(p)] for part in (encoder.final_norm, encoder.prompt) for p in part.parameters()} == {1e-4}
    assert {rates[id(p)] for p in encoder.layers[-1].parameters()} == {1e-4}
    assert {rates[id(p)] for p in encoder.embeddings.parameters()} == {1e-4 * 0.5**3}
    PromptTuning(length=3).apply(encoder)
    alone = parameter_groups(encoder, head, Optimizer(rate=1e-4, layer_decay=0.5))[0]
    assert (alone["name"], alone["lr"]) == ("prompt weights", 1e-4)  # the rate that is shown and logged


def test_a_shared_parameter_is_trained_once_and_a_frozen_one_never() -> None:
    encoder, head = nn.Linear(3, 3), nn.Linear(3, 3)
    head.weight = encoder.weight
    encoder.bias.requires_grad_(False)
    groups = parameter_groups(encoder, head, Optimizer())
    assert [group["name"] for group in groups] == ["encoder weights", "head rest"]


def test_nothing_to_train_is_an_error() -> None:
    model = toy_model().requires_grad_(False)
    with pytest.raises(UsageError, match="every parameter of encoder and head is frozen"):
        parameter_groups(model.encoder, model.task, Optimizer())


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "adafactor"])
def test_every_method_goes_down(name: str) -> None:
    torch.manual_seed(0)
    layer, x = nn.Linear(8, 8), torch.randn(32, 8)
    settings = Optimizer(name=name, rate=0.05 if name != "sgd" else 0.5)  # type: ignore[arg-type]
    optimizer = make_optimizer(parameter_groups(layer, nn.Identity(), settings), settings)
    losses = []
    for _ in range(20):
        loss = (layer(x) - x).square().mean()
        loss.backward()
        losses.append(loss.item())
        optimizer.step()
        optimizer.zero_grad()
    assert losses[-1] < 0.7 * losses[0]


def test_fused_adamw_equals_the_paper() -> None:
    """Loshchilov and Hutter 2019, algorithm 2, one step."""
    p = nn.Parameter(torch.tensor([[1.0, -2.0]]))
    p.grad = torch.tensor([[0.5, 0.1]])
    settings = Optimizer(rate=0.1, weight_decay=0.5)
    groups = [{"params": [p], "lr": 0.1, "base_rate": 0.1, "weight_decay": 0.5}]
    make_optimizer(groups, settings).step()
    # The first step's corrected moments are g and g^2, so the update is the gradient's sign.
    expected = torch.tensor([[1.0, -2.0]]) * (1 - 0.1 * 0.5) - 0.1 * torch.tensor([[1.0, 1.0]])
    assert torch.allclose(p.detach(), expected, atol=1e-6)


def test_set_rate_scales_each_group_from_its_own_rate() -> None:
    model = toy_model()
    settings = Optimizer(rate=1.0, head_rate_factor=3.0)
    optimizer = make_optimizer(parameter_groups(model.encoder, model.task, settings), settings)
    assert set_rate(optimizer, 0.5) == 0.5
    assert {group["lr"] for group in optimizer.param_groups} == {0.5, 1.5}


def test_clipping_equals_torch() -> None:
    for longest in (0.5, 100.0, 0.0):
        ours, theirs = nn.Parameter(torch.ones(4)), nn.Parameter(torch.ones(4))
        ours.grad, theirs.grad = torch.arange(4.0), torch.arange(4.0)
        norm = clip_gradient([ours], longest)
        expected = nn.utils.clip_grad_norm_([theirs], longest or 1e9)
        assert norm == pytest.approx(float(expected))
        assert torch.allclose(ours.grad, theirs.grad)
