"""Scores at every token: a linear layer, in float32, hidden where no answer may be."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from bertie.nn.token_head import SpanPointer, TokenHead

LOWEST = torch.finfo(torch.float32).min
STATES = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0))
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 0, 1, 0, 0]])


@torch.no_grad()
def test_every_token_for_itself() -> None:
    head = TokenHead(8, 3).eval()
    logits = head(STATES)
    assert logits.shape == (2, 5, 3)
    torch.testing.assert_close(logits, STATES @ head.output.weight.T)  # the bias starts at zero
    torch.testing.assert_close(logits[:, :2], head(STATES[:, :2]))


def test_dropout_only_in_training() -> None:
    head = TokenHead(8, 3, dropout=0.5)
    assert not torch.equal(head.train()(STATES), head.train()(STATES))
    assert torch.equal(head.eval()(STATES), head.eval()(STATES))
    pointer = SpanPointer(8).train()
    assert torch.equal(pointer(STATES), pointer(STATES)), "the paper's has none"


@pytest.mark.parametrize("head", [TokenHead(8, 3, dropout=0.0), SpanPointer(8)])
@torch.no_grad()
def test_float32_under_autocast(head: torch.nn.Module) -> None:
    rounded = STATES.bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        logits = head(rounded)
    assert logits.dtype is torch.float32
    assert torch.equal(logits, head(rounded.float()))


@torch.no_grad()
def test_no_answer_where_the_mask_is_zero() -> None:
    head = SpanPointer(8)
    logits = head(STATES, MASK)
    assert logits.shape == (2, 5, 2)
    assert (logits == LOWEST).all(dim=-1).equal(MASK == 0)
    chances = logits.softmax(dim=1)
    assert chances[MASK == 0].abs().max() == 0
    torch.testing.assert_close(chances[1, MASK[1] == 1], head(STATES[1:, [0, 2]])[0].softmax(dim=0))
    assert torch.equal(logits[0], head(STATES)[0])


def test_the_loss_of_a_start_is_finite_and_reaches_no_hidden_token() -> None:
    head = SpanPointer(8)
    states = STATES.clone().requires_grad_()
    logits = head(states, MASK)
    loss = F.cross_entropy(logits[..., 0], torch.tensor([4, 2])) + F.cross_entropy(logits[..., 1], torch.tensor([4, 2]))
    loss.backward()
    assert torch.isfinite(loss)
    assert states.grad is not None and torch.isfinite(states.grad).all() and states.grad[MASK == 0].abs().max() == 0


@torch.no_grad()
def test_a_text_of_padding_alone_gives_no_nan() -> None:
    assert torch.isfinite(SpanPointer(8)(STATES, torch.zeros_like(MASK)).softmax(dim=1)).all()
