"""AdaLoRA reallocates: the sum of the ranks falls to the budget, and the matrices end with different ones."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from bertie.nn.low_rank import LowRankLinear
from bertie.tasks.base import Defaults
from bertie.training.settings import Training
from bertie.tuning.adalora import AdaLora, SingularLinear, ranks
from bertie.workflow.train import Extent, fill
from tests.tuning.encoders import batch, tiny

METHOD = AdaLora(rank=2, first_rank=4, every=5, targets=("query", "value", "feed_forward_input"))
STEPS = 60


def train(method: AdaLora, steps: int = STEPS, total: int = STEPS) -> tuple[object, list[int]]:
    """Towards the states of another encoder; the ranks' sum after each step."""
    encoder, goal, text = tiny("bert"), tiny("bert", seed=1)(*batch()).detach(), batch()
    torch.manual_seed(0)
    method.apply(encoder)
    optimizer = torch.optim.Adam([p for p in encoder.parameters() if p.requires_grad], 1e-2)
    sums = []
    for done in range(1, steps + 1):
        optimizer.zero_grad()
        penalty = method.penalty(encoder)
        assert penalty is not None
        ((encoder(*text) - goal).square().mean() + penalty).backward()
        method.after_gradient(encoder)
        optimizer.step()
        method.after_step(encoder, done, total)
        sums.append(sum(ranks(encoder).values()))
    return encoder, sums


def test_ranks_fall_to_the_budget_and_differ() -> None:
    encoder, sums = train(METHOD)
    assert sums[:5] == [36] * 5 and sums[-1] == 9 * METHOD.rank
    assert all(before >= after for before, after in pairwise(sums)) and len(set(sums)) > 3
    final = sums[int(STEPS * 0.7) :]
    assert set(final) == {18}
    assert len(set(ranks(encoder).values())) > 1
    for layer in encoder.modules():
        if isinstance(layer, SingularLinear):
            assert torch.equal(layer.values != 0, layer.kept)


def test_settled_layers_have_the_ranks_that_are_left_and_give_the_same() -> None:
    encoder, _ = train(METHOD)
    left, before = ranks(encoder), encoder(*batch())
    METHOD.settle(encoder)
    torch.testing.assert_close(encoder(*batch()), before, atol=1e-5, rtol=0)
    found = {n: len(m.lora_a) for n, m in encoder.named_modules() if isinstance(m, LowRankLinear)}
    assert found == {name: rank for name, rank in left.items() if rank}
    torch.testing.assert_close(METHOD.merge(encoder)(*batch()), before, atol=1e-5, rtol=0)


def test_what_was_cut_may_come_back_before_the_end() -> None:
    encoder, _ = train(METHOD, steps=30)
    layer = encoder.layers[0].attention.query
    layer.keep(torch.tensor([True, False, False, False]))
    layer.values_sensitivity.copy_(torch.tensor([0.0, 9.0, 9.0, 9.0]))
    layer.values_variation.fill_(9.0)
    METHOD.after_step(encoder, 30, STEPS)
    assert layer.kept.tolist() == [False, True, True, True]


def test_the_penalty_is_that_of_the_paper() -> None:
    encoder = tiny("bert")
    METHOD.apply(encoder)
    for layer in encoder.modules():
        if isinstance(layer, SingularLinear):
            torch.nn.init.orthogonal_(layer.left)
            torch.nn.init.orthogonal_(layer.right)
    assert METHOD.penalty(encoder).item() == pytest.approx(0.0, abs=1e-9)
    encoder.layers[0].attention.query.left.data.mul_(2.0)  # P'P is 4 I: 3 on the diagonal, R times its square
    assert METHOD.penalty(encoder).item() == pytest.approx(0.1 * 4 * 9 / 9)


def test_the_budget_is_a_cubic_way_down() -> None:
    method = AdaLora(rank=4, first_rank=12, begin=0.25, end=0.25)
    assert [method.budget(part, 10) for part in (0.0, 0.25, 0.5, 0.75, 1.0)] == [120, 120, 50, 40, 40]


def test_weights_of_before_the_budget_was_reached_are_not_kept() -> None:
    filled = fill(Training(), Extent(5000, 500, 12, 384, 1e12), Defaults(), AdaLora())
    assert filled.keep == "last"
