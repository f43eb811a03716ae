"""Two entities and the first token, joined."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from bertie.nn.heads import normalised
from bertie.nn.relation_head import RelationHead, entity_means, entity_states, joined, near_mean, pair_states

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


def scores(head: RelationHead, states: Tensor, entities: Tensor) -> Tensor:
    found: Tensor = head(joined(entity_states(states, entities)))
    return found


def test_states_are_the_first_tokens_and_the_means_of_the_entities() -> None:
    found = entity_states(STATES, ENTITIES)
    for row in range(2):
        torch.testing.assert_close(found[row], parts(row))
    assert entity_means(STATES, torch.zeros_like(ENTITIES)).abs().max() == 0


def test_each_part_counts_alike_whatever_its_scale() -> None:
    found = joined(entity_states(STATES, ENTITIES))
    torch.testing.assert_close(found[0], normalised(parts(0)).flatten())
    torch.testing.assert_close(joined(entity_states(7 * STATES, ENTITIES)), found)
    torch.testing.assert_close(normalised(found), found, msg="a probe that normalises once more changes nothing")


@torch.no_grad()
@pytest.mark.parametrize("dense", [False, True])
def test_logits_are_linear_or_have_one_hidden_layer(dense: bool) -> None:
    head = RelationHead(8, 4, dense=dense).eval()
    logits = scores(head, STATES, ENTITIES)
    assert logits.shape == (2, 4)
    for row in range(2):
        hidden = normalised(parts(row)).flatten()
        hidden = torch.tanh(head.dense(hidden)) if head.dense is not None else hidden
        torch.testing.assert_close(logits[row], head.output(hidden))


@torch.no_grad()
def test_a_linear_start_answers_as_it_did_and_dropout_takes_no_constants() -> None:
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(200, 24, generator=generator) * 0.1 + torch.randn(24, generator=generator)
    weight, bias = torch.randn(4, 24, generator=generator), torch.randn(4, generator=generator)
    expected = features @ weight.T + bias
    head, naive = RelationHead(8, 4, dropout=0.1), RelationHead(8, 4, dropout=0.1)
    head.start_from(weight, bias, features.mean(0), features.std(0))
    naive.start_from(weight, bias, torch.zeros(24), torch.ones(24))
    torch.testing.assert_close(head.eval()(features), expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(naive.eval()(features), expected)
    moved, much = ((one.train()(features) - expected).square().mean() for one in (head, naive))
    assert moved < much / 20


@torch.no_grad()
def test_padding_and_other_tokens_change_nothing() -> None:
    head = RelationHead(8, 4).eval()
    changed = STATES.clone()
    unused = ~ENTITIES.any(dim=1)
    unused[:, 0] = False
    changed[unused] = 9.0
    padded, wide = F.pad(changed, (0, 0, 0, 3), value=7.0), F.pad(ENTITIES, (0, 3))
    torch.testing.assert_close(scores(head, padded, wide), scores(head, STATES, ENTITIES))


@torch.no_grad()
def test_a_relation_has_a_direction() -> None:
    head = RelationHead(8, 4).eval()
    assert not torch.allclose(scores(head, STATES, ENTITIES), scores(head, STATES, ENTITIES.flip(1)))


def test_dropout_only_in_training_and_the_activation_is_chosen() -> None:
    head = RelationHead(8, 3, dense=True, dropout=0.5, activation="gelu")
    assert head.activation is F.gelu
    first, second = (scores(head.train(), STATES, ENTITIES) for _ in range(2))
    assert not torch.equal(first, second)
    assert torch.equal(scores(head.eval(), STATES, ENTITIES), scores(head.eval(), STATES, ENTITIES))


@pytest.mark.parametrize("dense", [False, True])
def test_gradients_reach_every_weight(dense: bool) -> None:
    head = RelationHead(8, 3, dense=dense)
    states = STATES.clone().requires_grad_()
    F.cross_entropy(scores(head, states, ENTITIES), torch.tensor([0, 2])).backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in head.parameters())
    used = ENTITIES.any(dim=1)
    used[:, 0] = True
    assert states.grad is not None and (states.grad.abs().amax(dim=-1) > 0).equal(used)


@torch.no_grad()
@pytest.mark.parametrize("dense", [False, True])
def test_float32_under_autocast(dense: bool) -> None:
    head = RelationHead(8, 4, dense=dense).eval()
    features = joined(entity_states(STATES, ENTITIES)).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        logits = head(features)
    assert logits.dtype is torch.float32
    assert torch.equal(logits, head(features.float()))


def test_pairs_have_their_stretch_where_their_order_says() -> None:
    first, units = STATES[:, 0], STATES[:, 1:]
    found = pair_states(first, units, torch.tensor([0, 1]), torch.tensor([[0, 1, 3, 3], [4, 4, 1, 2]]))
    zero = torch.zeros(8)
    forward = [first[0], units[0, :2].mean(0), units[0, 3], units[0, :4].mean(0), zero]
    backward = [first[1], units[1, 4], units[1, 1:3].mean(0), zero, units[1, 1:5].mean(0)]
    torch.testing.assert_close(found, torch.stack([torch.stack(forward), torch.stack(backward)]))
    assert pair_states(first, units, torch.zeros(0, dtype=torch.long), torch.zeros(0, 4, dtype=torch.long)).shape == (
        0, 5, 8
    )  # fmt: skip
    assert RelationHead(8, 4, parts=5)(joined(found)).shape == (2, 4)


def test_near_means_weigh_tokens_by_their_distance_to_the_nearest_part_of_the_entity() -> None:
    mask = torch.ones(2, 6, dtype=torch.bool)
    mask[1, 5] = False
    entity = torch.zeros(2, 6, dtype=torch.bool)
    entity[0, [1, 4]] = True
    found = near_mean(STATES, entity, mask, reach=2.0)
    weights = torch.exp(-torch.tensor([1.0, 0, 1, 1, 0, 1]) / 2.0)
    torch.testing.assert_close(found[0], (weights @ STATES[0]) / weights.sum())
    assert not found[1].any()  # a text without the entity
    entity[1, 4] = True
    weights = torch.exp(-torch.tensor([4.0, 3, 2, 1, 0]) / 2.0)
    torch.testing.assert_close(near_mean(STATES, entity, mask, 2.0)[1], (weights @ STATES[1, :5]) / weights.sum())
