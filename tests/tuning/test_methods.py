"""What every method must do, over the list that the folder is, on every family."""

from __future__ import annotations

from dataclasses import fields

import pytest
import torch
from torch import Tensor

from bertie.bundle.folder import METHODS
from bertie.core.config import field_docs, from_dict, to_dict
from bertie.core.errors import BundleError, UsageError
from bertie.nn.encoder import Encoder
from bertie.tuning.base import Method, additions, bare, trained
from bertie.tuning.gradual_unfreezing import GradualUnfreezing
from bertie.tuning.top_layers import TopLayers
from tests.tuning.encoders import KINDS, batch, moved, tiny

SMALL = {"prompt": {"length": 3}, "prefix": {"length": 3, "width": 8}, "p_tuning_v2": {"length": 3}}
NAMES = sorted(METHODS.classes())


def method_of(name: str) -> Method:
    return from_dict(METHODS.get(name), SMALL.get(name, {}), "tuning")


def copied(encoder: Encoder) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in encoder.state_dict().items()}


@pytest.mark.parametrize("family", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_it_trains_what_it_says_and_can_be_kept(name: str, family: str) -> None:
    """Start, one step, what it leaves alone, settle, merge or restore: each gives what the trained encoder gives."""
    encoder, method, text = tiny(family), method_of(name), batch()
    before = encoder(*text)
    method.apply(encoder)
    same = torch.allclose(encoder(*text), before, atol=1e-5)
    assert same is method.starts_as_base
    chosen, states = set(trained(encoder)), copied(encoder)
    method.before_step(encoder, 1, 1)
    head = torch.ones(16, requires_grad=True)
    ((encoder(*text) @ head).square().mean() + (method.penalty(encoder) or 0.0)).backward()
    got = {n for n, p in encoder.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert got <= chosen and bool(got) == bool(chosen)
    moved(encoder)
    assert {n for n, t in encoder.state_dict().items() if not torch.equal(t, states[n])} == chosen
    method.settle(encoder)
    expected = encoder(*text)
    assert expected.shape == before.shape and (name == "frozen") == torch.equal(expected, before)
    if method.merges:
        torch.testing.assert_close(method.merge(encoder)(*text), expected, atol=1e-5, rtol=1e-5)
    else:
        again = bare(encoder)
        method.restore(again, additions(encoder))
        torch.testing.assert_close(again(*text), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_its_settings_are_explained_and_come_back(name: str) -> None:
    kind, method = METHODS.get(name), method_of(name)
    assert {field.name for field in fields(kind)} <= field_docs(kind).keys()  # type: ignore[arg-type]
    assert from_dict(kind, to_dict(method), "tuning") == method and method.about


@pytest.mark.parametrize("name", NAMES)
def test_the_states_that_leave_have_the_positions_of_the_text(name: str) -> None:
    encoder, (ids, mask) = tiny("bert"), batch()
    method_of(name).apply(encoder)
    states = encoder(ids, mask)
    assert states.shape == (3, 9, 16)
    torch.testing.assert_close(encoder.hidden_states(ids, mask)[-1], states)
    torch.testing.assert_close(encoder(ids[2:, :3]), states[2:, :3], atol=1e-5, rtol=0)  # padding is not seen
    weights = encoder.attentions(ids, mask)[0]
    assert weights.shape[:3] == (3, 2, 9)
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, 2, 9))


def test_nothing_runs_backwards_below_the_lowest_trained_layer() -> None:
    encoder = tiny("bert")
    TopLayers(layers=1).apply(encoder)
    encoder.train()
    states = encoder.hidden_states(*batch())
    assert [one.requires_grad for one in states] == [False, False, False, True]
    assert torch.equal(encoder.hidden_states(*batch())[2], states[2]), "frozen layers compute without dropout"


def test_layers_that_there_are_not_are_refused() -> None:
    with pytest.raises(UsageError, match="layers is 4, the encoder has 3"):
        TopLayers(layers=4).apply(tiny("bert"))


def test_layers_thaw_from_the_top() -> None:
    encoder, method = tiny("bert"), GradualUnfreezing(over=0.5)
    method.apply(encoder)
    seen = []
    for done in range(0, 12):
        method.before_step(encoder, done, 12)
        parts = [*reversed(encoder.layers), encoder.embeddings]
        seen.append([all(p.requires_grad for p in part.parameters()) for part in parts].count(True))
    assert seen == [1, 1, 2, 2, 3, 3, 4, 4, 4, 4, 4, 4]


def test_what_does_not_fit_is_refused() -> None:
    encoder, method = tiny("bert"), method_of("p_tuning_v2")
    method.apply(encoder)
    added = additions(encoder)
    added.popitem()
    with pytest.raises(BundleError, match="what p_tuning_v2 added does not fit"):
        method.restore(tiny("bert"), added)
