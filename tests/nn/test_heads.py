"""Poolings see no padding; the head is pooling, perhaps a norm, dropout and one layer."""

from __future__ import annotations

import pytest
import torch

from bertie.core.errors import ModelError
from bertie.nn.heads import POOLINGS, ClassificationHead, mean_pool, normalised

STATES = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0))
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]])


@pytest.mark.parametrize("pooling", POOLINGS)
@torch.no_grad()
def test_padding_does_not_change_the_logits(pooling: str) -> None:
    head = ClassificationHead(8, 3, pooling=pooling).eval()
    logits = head(STATES, MASK)
    assert logits.shape == (2, 3)
    torch.testing.assert_close(logits[1:], head(STATES[1:, :2]))
    torch.testing.assert_close(head(STATES), head(STATES, torch.ones_like(MASK)))


def test_mean_is_the_mean_of_what_is_real() -> None:
    torch.testing.assert_close(mean_pool(STATES, MASK)[1], STATES[1, :2].mean(0))
    assert mean_pool(STATES, torch.zeros_like(MASK)).abs().max() == 0


def test_normalised_is_mean_0_and_deviation_1() -> None:
    head = ClassificationHead(8, 3, normalise=True).eval()
    pooled = mean_pool(STATES, MASK)
    standard = (pooled - pooled.mean(-1, keepdim=True)) / pooled.std(-1, correction=0, keepdim=True)
    torch.testing.assert_close(normalised(pooled), standard)
    torch.testing.assert_close(head(STATES, MASK), head.output(standard))
    assert normalised(torch.zeros(1, 8)).abs().max() == 0


def test_a_normalisation_folds_into_the_layer() -> None:
    """What the caller may rely on: logits are exactly weight @ pooled + bias."""
    head = ClassificationHead(8, 3).eval()
    expected = mean_pool(STATES, MASK) @ head.output.weight.T + head.output.bias
    torch.testing.assert_close(head(STATES, MASK), expected)


def test_dropout_only_in_training() -> None:
    head = ClassificationHead(8, 3, dropout=0.5)
    assert not torch.equal(head.train()(STATES), head.train()(STATES))
    assert torch.equal(head.eval()(STATES), head.eval()(STATES))


def test_an_unknown_pooling_is_refused() -> None:
    with pytest.raises(ModelError, match="'max', expected one of mean, first, attention, pooler"):
        ClassificationHead(8, 3, pooling="max")
