"""Dropout by bytes is dropout: the share, the mean, the seed, the gradient."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bertie.nn.dropout import Dropout


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("rate", [0.05, 0.1, 0.5])
def test_share_and_mean(rate: float, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    dropped = Dropout(rate)(torch.ones(1000, 300, dtype=dtype)).float()
    assert (dropped == 0).float().mean().item() == pytest.approx(rate, abs=0.004)
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.01)
    assert len(dropped.unique()) == 2, "what stays is scaled by one factor"


@given(shape=st.lists(st.integers(0, 9), min_size=1, max_size=4))
@settings(max_examples=40, deadline=None)
def test_any_shape(shape: list[int]) -> None:
    """Also sizes that eight does not divide, and none at all."""
    assert Dropout(0.3)(torch.ones(shape)).shape == torch.Size(shape)


def test_decisions_are_independent() -> None:
    """Bytes of one drawn number shall not move together: neighbours are dropped both as often as chance says."""
    torch.manual_seed(1)
    gone = (Dropout(0.25)(torch.ones(400_000)) == 0).float().view(-1, 8)  # (N, 8), the bytes of one number
    together = gone.T @ gone / len(gone)
    assert together.fill_diagonal_(0.0625).sub(0.0625).abs().max() < 0.005


def test_the_seed_decides() -> None:
    states, dropout = torch.ones(64, 48), Dropout(0.1)
    torch.manual_seed(3)
    first, second = dropout(states), dropout(states)
    torch.manual_seed(3)
    assert torch.equal(dropout(states), first) and not torch.equal(first, second)


def test_the_gradient_is_dropped_alike() -> None:
    states = torch.ones(50, 40, requires_grad=True)
    kept = Dropout(0.4)(states)
    kept.sum().backward()
    assert torch.equal(states.grad, kept.detach())


def test_nothing_happens_outside_of_training() -> None:
    states = torch.randn(3, 4)
    assert Dropout(0.5).eval()(states) is states
    assert Dropout(0.0)(states) is states


@pytest.mark.parametrize("rate", [-0.1, 1.0, float("nan")])
def test_an_impossible_rate_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="expected 0 to below 1"):
        Dropout(rate)


def test_other_devices_take_torchs_own() -> None:
    assert Dropout(0.1)(torch.ones(3, 4, device="meta")).shape == (3, 4)
