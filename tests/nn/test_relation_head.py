"""Two entities and the first token, joined."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from bertie.nn.heads import normalised
from bertie.nn.relation_head import RelationHead, entity_means

STATES = torch.randn(2, 6, 8, generator=torch.Generator().manual_seed(0))
ENTITIES = torch.zeros(2, 2, 6, dtype=torch.bool)
ENTITIES[0, 0, 1:3], ENTITIES[0, 1, 4] = True, True
ENTITIES[1, 0, 5], ENTITIES[1, 1, [1, 3]] = True, True


def parts(row: int) -> Tensor:
    """First token, head, tail, (3, D), picked by hand."""
    states = STATES[row]
    heads = [states[1:3].mean(0), states[5]]
    tails = [states[4], states[[1, 3]].mean(0)]
    return torch.stack([states[0], heads[row], tails[row]])


def test_means_are_those_of_the_entities_tokens() -> None:
    means = entity_means(STATES, ENTITIES)
    for row in range(2):
        torch.testing.assert_close(means[row], parts(row)[1:])
    assert entity_means(STATES, torch.zeros_like(ENTITIES)).abs().max() == 0


@pytest.mark.parametrize("normalise", [False, True])
@torch.no_grad()
def test_logits_are_one_hidden_layer_over_the_three(normalise: bool) -> None:
    head = RelationHead(8, 4, normalise=normalise).eval()
    logits = head(STATES, ENTITIES)
    assert logits.shape == (2, 4)
    for row in range(2):
        joined = (normalised(parts(row)) if normalise else parts(row)).flatten()
        expected = head.output(torch.tanh(head.dense(joined)))
        torch.testing.assert_close(logits[row], expected)


@torch.no_grad()
def test_padding_and_other_tokens_change_nothing() -> None:
    head = RelationHead(8, 4).eval()
    changed = STATES.clone()
    unused = ~ENTITIES.any(dim=1)
    unused[:, 0] = False
    changed[unused] = 9.0
    padded, wide = F.pad(changed, (0, 0, 0, 3), value=7.0), F.pad(ENTITIES, (0, 3))
    torch.testing.assert_close(head(padded, wide), head(STATES, ENTITIES))


@torch.no_grad()
def test_a_relation_has_a_direction() -> None:
    head = RelationHead(8, 4).eval()
    assert not torch.allclose(head(STATES, ENTITIES), head(STATES, ENTITIES.flip(1)))


def test_dropout_only_in_training_and_the_activation_is_chosen() -> None:
    head = RelationHead(8, 3, dropout=0.5, activation="gelu")
    assert head.activation is F.gelu
    assert not torch.equal(head.train()(STATES, ENTITIES), head.train()(STATES, ENTITIES))
    assert torch.equal(head.eval()(STATES, ENTITIES), head.eval()(STATES, ENTITIES))


def test_gradients_reach_every_weight() -> None:
    head = RelationHead(8, 3)
    states = STATES.clone().requires_grad_()
    F.cross_entropy(head(states, ENTITIES), torch.tensor([0, 2])).backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in head.parameters())
    used = ENTITIES.any(dim=1)
    used[:, 0] = True
    assert states.grad is not None and (states.grad.abs().amax(dim=-1) > 0).equal(used)


@torch.no_grad()
def test_float32_under_autocast() -> None:
    head = RelationHead(8, 4).eval()
    with torch.autocast("cpu", torch.bfloat16):
        logits = head(STATES.bfloat16(), ENTITIES)
    assert logits.dtype is torch.float32
    assert torch.equal(logits, head(STATES.bfloat16().float(), ENTITIES))
