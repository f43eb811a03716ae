"""Tensors that autograd keeps: counted once each, and no longer when their graph has given them back."""

from __future__ import annotations

import torch

from bertie.training.kept_tensors import KeptTensors

SIZE = 100 * 4


def test_what_is_given_back_counts_no_longer() -> None:
    weights, given = torch.ones(100, requires_grad=True), torch.ones(100)
    kept = KeptTensors({weights.untyped_storage().data_ptr()})
    with kept.watched():
        for _ in range(3):  # one after the other
            loss = ((weights * given).exp() * given).sum()  # keeps `given`, twice, and what `exp` gave
            torch.autograd.grad(loss, weights)
            del loss
        assert (kept.most, kept.largest) == (2 * SIZE, SIZE)
        alive = [(weights * given).exp().sum() for _ in range(3)]
    assert kept.most == 4 * SIZE
    assert torch.equal(torch.autograd.grad(alive[0], weights)[0], weights.exp().detach())


def test_a_graph_that_is_forgotten_gives_back_too() -> None:
    weights = torch.ones(100, requires_grad=True)
    kept = KeptTensors(())
    with kept.watched():
        for _ in range(3):
            weights.exp().exp()
    assert kept.most == 2 * SIZE
