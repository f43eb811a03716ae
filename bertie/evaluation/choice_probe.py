"""Conditional logit: a linear score a choice, softmax over the choices of a row (McFadden 1974, equation 18).

In:  features of the choices of each row (K, F), the right one
Out: weights, probabilities; the regularisation chosen on rows that were held out
Knows nothing of texts or of where the features came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits
from torch import Tensor
from torch.nn.functional import cross_entropy

from bertie.evaluation.linear import FOLDS, Floats
from bertie.nn.choice_features import by_row

# R rows, N choices of all rows, K choices of a row, F features
STRENGTHS = (6000.0, 2000.0, 600.0, 200.0, 60.0, 20.0, 6.0)
"""Candidates for the regularisation, strong to weak: each starts from the solution before."""
SEARCH_ROWS, SEARCH_STEPS, STEPS = 3000, 30, 100
"""Rows and L-BFGS steps with which a candidate is tried; steps of the winner on all rows."""
SMALLEST = 1e-6
"""Deviation of a feature that is the same for every choice."""


@dataclass(frozen=True)
class ChoiceProbe:
    """Weights over features as they come; a constant would be the same for all choices of a row, so there is none."""

    weight: Floats  # (F,)
    centre: Floats  # (F,)
    """Mean of each feature over the training choices, and below its deviation: what a head should be told."""
    scale: Floats  # (F,)

    @classmethod
    def fit(cls, rows: Sequence[Floats], right: Sequence[int], seed: int = 0) -> ChoiceProbe:
        """Chooses the strength by the likelihood of a fifth of the rows, then fits all of them."""
        features = np.concatenate(rows)
        centre, scale = features.mean(axis=0), features.std(axis=0).clip(min=SMALLEST)
        scaled = [torch.from_numpy((row - centre) / scale) for row in rows]
        order = np.random.default_rng(seed).permutation(len(rows))
        held, fit = order[: max(1, len(rows) // FOLDS)], order[max(1, len(rows) // FOLDS) :][:SEARCH_ROWS]
        unseen, best, least, start = _Problem.of(scaled, right, held), STRENGTHS[0], np.inf, None
        known = _Problem.of(scaled, right, fit if len(fit) else held)
        for strength in STRENGTHS:
            start = known.solve(strength, start, SEARCH_STEPS)
            loss = unseen.loss(torch.from_numpy(start))
            if loss < least:
                best, least = strength, loss
        weight = _Problem.of(scaled, right, order).solve(best, None, STEPS)
        return cls(weight / scale, centre, scale)

    def probabilities(self, rows: Sequence[Floats]) -> list[list[float]]:
        """One probability a choice."""
        found = (torch.from_numpy(row @ self.weight).softmax(-1) for row in rows)
        return [one.tolist() for one in found]


@dataclass(frozen=True)
class _Problem:
    """Rows of which the right choice is known."""

    features: Tensor  # (N, F)
    owner: Tensor  # (N,) the row of each choice
    right: Tensor  # (R,)

    @classmethod
    def of(cls, rows: Sequence[Tensor], right: Sequence[int], chosen: NDArray[np.int64]) -> _Problem:
        taken = [rows[i] for i in chosen]
        owner = torch.tensor([r for r, row in enumerate(taken) for _ in row])
        return cls(torch.cat(taken), owner, torch.tensor([right[i] for i in chosen]))

    def loss(self, weight: Tensor) -> float:
        """Mean cross-entropy, in nats a row."""
        return float(cross_entropy(by_row(self.features @ weight, self.owner), self.right))

    def solve(self, strength: float, start: Floats | None, steps: int) -> Floats:
        """Weights of the least summed cross-entropy plus strength / 2 x squared weights, by L-BFGS: it is convex."""

        def loss_and_slope(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            weight = torch.from_numpy(flat).float().requires_grad_()
            with torch.enable_grad():
                scores = by_row(self.features @ weight, self.owner)
                loss = cross_entropy(scores, self.right) + strength / len(self.right) / 2 * weight.square().sum()
            (slope,) = torch.autograd.grad(loss, weight)
            return float(loss.detach()), slope.double().numpy()

        first = np.zeros(self.features.shape[1]) if start is None else start.astype(np.float64)
        with threadpool_limits(1):  # as in `linear.fit_logistic`
            found = minimize(loss_and_slope, first, jac=True, method="L-BFGS-B", options={"maxiter": steps})
        solution: Floats = found.x.astype(np.float32)
        return solution
