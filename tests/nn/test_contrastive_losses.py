"""Losses that compare texts by their classes, against their formulas."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from bertie.nn.losses import cosine_targets, supervised_contrastive

TEMPERATURE = 0.2


def vectors(count: int, seed: int = 0) -> Tensor:
    return F.normalize(torch.randn(count, 8, generator=torch.Generator().manual_seed(seed)), dim=-1)


def by_hand(found: Tensor, classes: list[int], rows: list[int]) -> float:
    """Khosla et al. 2020, equation 2, text by text; what is the same text is not among the others."""
    losses = []
    for i in range(len(found)):
        others = [a for a in range(len(found)) if rows[a] != rows[i]]
        positives = [p for p in others if classes[p] == classes[i]]
        if not positives:
            continue
        scores = {a: float(found[i] @ found[a]) / TEMPERATURE for a in others}
        total = math.log(sum(math.exp(score) for score in scores.values()))
        losses.append(-sum(scores[p] - total for p in positives) / len(positives))
    return sum(losses) / len(losses) if losses else 0.0


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9)), min_size=2, max_size=12))
def test_supervised_is_its_formula(drawn: list[tuple[int, int]]) -> None:
    rows = [row for _, row in drawn]
    classes = [row % 3 for row in rows]  # a text has one class
    found = vectors(len(drawn))
    loss = supervised_contrastive(found, torch.tensor(classes), torch.tensor(rows), TEMPERATURE)
    assert float(loss) == pytest.approx(by_hand(found, classes, rows), rel=1e-5, abs=1e-6)


def test_nothing_to_compare_is_zero_with_a_gradient() -> None:
    found = vectors(3).requires_grad_()
    loss = supervised_contrastive(found, torch.tensor([0, 1, 2]), torch.tensor([0, 1, 2]), TEMPERATURE)
    loss.backward()
    assert float(loss.detach()) == 0.0 and found.grad is not None and bool(torch.isfinite(found.grad).all())


@pytest.mark.parametrize("loss", ["supervised", "cosine"])
def test_steps_bring_classes_apart(loss: str) -> None:
    free = vectors(8).clone().requires_grad_()
    classes, rows = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1]), torch.arange(8)
    optimizer = torch.optim.Adam([free], 0.05)
    for _ in range(150):
        found = F.normalize(free, dim=-1)
        if loss == "supervised":
            value = supervised_contrastive(found, classes, rows, TEMPERATURE)
        else:
            upper = torch.triu_indices(8, 8, 1)
            cosines = (found @ found.T)[upper[0], upper[1]]
            value = cosine_targets(cosines, classes[upper[0]] == classes[upper[1]])
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    found = F.normalize(free.detach(), dim=-1)
    cosines = found @ found.T
    assert float(cosines[:4, :4].min()) > 0.9 and float(cosines[:4, 4:].max()) < 0.2


def test_cosine_is_the_squared_distance() -> None:
    found = cosine_targets(torch.tensor([0.5, 0.25]), torch.tensor([1.0, 0.0]))
    assert float(found) == pytest.approx((0.5**2 + 0.25**2) / 2)
