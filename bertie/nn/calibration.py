"""Calibration: a scale and a bias for logits, fitted on rows that a model did not learn from.

In:  logits (N, C) and labels (N,) of held-out rows
Out: Calibration, which a linear layer can take into its own weights; None where it would not be clearly better
Knows nothing of tasks and models.
"""

# N rows, C labels

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FOLDS = 5
FEWEST = 100
"""Held-out rows below which nothing is fitted: a bias from 20 rows is luck."""
STEPS = 100


@dataclass(frozen=True)
class Calibration:
    """Bias-corrected temperature scaling (Alexandari et al. 2020, equation 4): logits * scale + bias."""

    scale: float
    bias: Tensor  # (C,), float32

    def __call__(self, logits: Tensor) -> Tensor:
        """Logits (N, C), calibrated."""
        return logits * self.scale + self.bias.to(logits)

    @torch.no_grad()
    def into(self, layer: nn.Linear) -> None:
        """Changes the layer that gives the logits so that it gives calibrated ones: nothing else need know of it."""
        layer.weight.mul_(self.scale)
        layer.bias.mul_(self.scale).add_(self.bias.to(layer.bias))


def fit_calibration(logits: Tensor, labels: Tensor) -> Calibration | None:
    """Scale alone, or scale and bias, whichever foretells held-out rows better; None where neither clearly does.

    What a model has learned by heart it is too sure of (Guo et al. 2017), and rows like those of its use may lie on
    another side of the border than the training rows did. Each of the two steps has to make the labels of rows that it
    was not fitted on likelier by more than one standard error (five folds), else it is left out. Both are drawn towards
    doing nothing: log scale and bias have a standard normal prior.

    Args:
        logits: (N, C), or their log-softmax.
        labels: (N,).
    """
    if len(labels) < FEWEST:
        return None
    logits, labels = logits.detach().double().cpu(), labels.cpu()
    best: Calibration | None = None
    before = F.cross_entropy(logits, labels, reduction="none")  # (N,)
    for with_bias in (False, True):
        nats = _held_out_nats(logits, labels, with_bias)  # (N,)
        gain = before - nats
        if float(gain.mean()) > float(gain.std()) / len(gain) ** 0.5:
            best, before = _fit(logits, labels, with_bias), nats
    return best


def _held_out_nats(logits: Tensor, labels: Tensor, with_bias: bool) -> Tensor:
    """Negative log-likelihood (N,) of each label by what was fitted on the other folds."""
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    nats = torch.empty_like(logits[:, 0])
    for fold in range(FOLDS):
        held = torch.zeros(len(labels), dtype=torch.bool)
        held[order[fold::FOLDS]] = True
        found = _fit(logits[~held], labels[~held], with_bias)
        nats[held] = F.cross_entropy(found(logits[held]), labels[held], reduction="none")
    return nats


def _fit(logits: Tensor, labels: Tensor, with_bias: bool) -> Calibration:
    """The likeliest scale and bias under their priors, by L-BFGS: the loss is convex in both but for the logarithm."""
    log_scale = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(logits.shape[1], dtype=torch.float64, requires_grad=with_bias)
    asked = [log_scale, bias] if with_bias else [log_scale]
    optimizer = torch.optim.LBFGS(asked, max_iter=STEPS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        prior = 0.5 * (log_scale.square().sum() + bias.square().sum())
        loss = F.cross_entropy(logits * log_scale.exp() + bias, labels, reduction="sum") + prior
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return Calibration(float(log_scale.detach().exp()), bias.detach().float())
