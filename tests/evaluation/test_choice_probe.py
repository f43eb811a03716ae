"""Conditional logit: the solution is the optimum, and a constant feature changes nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from bertie.evaluation.choice_probe import ChoiceProbe, _Problem
from bertie.evaluation.linear import Floats


def rows(count: int, seed: int) -> tuple[list[Floats], list[int]]:
    """Choices of which the right one is told by two of five features, with noise."""
    rng = np.random.default_rng(seed)
    made = [rng.normal(size=(rng.integers(2, 5), 5)).astype(np.float32) for _ in range(count)]
    weight = np.array([2.0, -1.0, 0, 0, 0])
    return made, [int((one @ weight + rng.gumbel(size=len(one))).argmax()) for one in made]


def test_what_it_learns_holds_for_new_rows() -> None:
    train, right = rows(600, 0)
    probe = ChoiceProbe.fit(train, right)
    assert probe.weight == pytest.approx([2.0, -1.0, 0, 0, 0], abs=0.4)
    unseen, gold = rows(400, 1)
    found = probe.probabilities(unseen)
    assert all(sum(one) == pytest.approx(1.0) for one in found)
    assert np.mean([int(np.argmax(one)) == answer for one, answer in zip(found, gold, strict=True)]) > 0.7


def test_the_slope_is_zero_at_the_solution() -> None:
    train, right = rows(80, 0)
    problem = _Problem.of([torch.from_numpy(one) for one in train], right, np.arange(80))
    weight = torch.from_numpy(problem.solve(5.0, None, 200)).requires_grad_()
    losses = [cross_entropy(torch.from_numpy(x) @ weight, torch.tensor(y)) for x, y in zip(train, right, strict=True)]
    (torch.stack(losses).sum() + 2.5 * weight.square().sum()).backward()
    assert weight.grad is not None and float(weight.grad.abs().max()) < 0.05


def test_a_constant_changes_nothing_and_one_row_is_enough() -> None:
    train, right = rows(100, 0)
    shifted = [one + np.float32(3.0) for one in train]
    plain, other = ChoiceProbe.fit(train, right), ChoiceProbe.fit(shifted, right)
    for one, two in zip(plain.probabilities(train), other.probabilities(shifted), strict=True):
        assert one == pytest.approx(two, abs=1e-3)
    assert len(ChoiceProbe.fit(train[:1], right[:1]).weight) == 5
