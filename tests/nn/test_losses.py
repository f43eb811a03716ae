"""Losses against their formulas."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from bertie.nn.losses import (
    IGNORED,
    balanced_positive_weights,
    balanced_weights,
    binary_cross_entropy,
    cross_entropy,
    focal_loss,
)

LOGITS = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 1, 2, 2, IGNORED, 1])
WEIGHTS = torch.tensor([0.5, 1.0, 3.0])


def test_plain_is_torchs_cross_entropy() -> None:
    torch.testing.assert_close(cross_entropy(LOGITS, LABELS), F.cross_entropy(LOGITS, LABELS))
    expected = F.cross_entropy(LOGITS, LABELS, weight=WEIGHTS, label_smoothing=0.1)
    found = cross_entropy(LOGITS, LABELS, class_weights=WEIGHTS, label_smoothing=0.1)
    torch.testing.assert_close(found, expected)


def test_focal_without_gamma_is_cross_entropy() -> None:
    expected = cross_entropy(LOGITS, LABELS, class_weights=WEIGHTS)
    torch.testing.assert_close(focal_loss(LOGITS, LABELS, gamma=0.0, class_weights=WEIGHTS), expected)


def test_focal_is_equation_5() -> None:
    kept = LABELS != IGNORED
    right = LOGITS.softmax(-1)[kept, LABELS[kept]]
    expected = (-((1 - right) ** 2) * right.log()).mean()
    torch.testing.assert_close(focal_loss(LOGITS, LABELS, gamma=2.0), expected)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_has_finite_gradients_when_sure(gamma: float) -> None:
    logits = torch.tensor([[50.0, -50.0], [-50.0, 50.0]], requires_grad=True)
    focal_loss(logits, torch.tensor([0, 0]), gamma=gamma).backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("function", [cross_entropy, focal_loss])
def test_nothing_labelled_is_zero_not_nan(function: Callable[..., Tensor]) -> None:
    logits = LOGITS.clone().requires_grad_()
    loss = function(logits, torch.full((6,), IGNORED))
    loss.backward()
    assert loss == 0
    assert logits.grad is not None
    assert logits.grad.abs().max() == 0


def test_binary_is_torchs_and_skips_the_unknown() -> None:
    targets = torch.tensor([[1.0, 0.0, 1.0]] * 6)
    expected = F.binary_cross_entropy_with_logits(LOGITS, targets, pos_weight=WEIGHTS)
    torch.testing.assert_close(binary_cross_entropy(LOGITS, targets, positive_weights=WEIGHTS), expected)
    targets[:, 1] = float("nan")
    expected = F.binary_cross_entropy_with_logits(LOGITS[:, [0, 2]], targets[:, [0, 2]])
    torch.testing.assert_close(binary_cross_entropy(LOGITS, targets), expected)


def test_balanced_weights_give_each_class_the_same_say() -> None:
    weights = balanced_weights(torch.tensor([8, 2, 0]))
    torch.testing.assert_close(weights, torch.tensor([10 / 16, 10 / 4, 0.0]))


def test_balanced_positive_weights_give_yes_and_no_the_same_say() -> None:
    weights = balanced_positive_weights(torch.tensor([2, 8, 10, 0]), 10)
    torch.testing.assert_close(weights, torch.tensor([4.0, 0.25, 0.1, 0.0]))
