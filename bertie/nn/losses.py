"""Losses: scores and labels to one number.

In:  logits, labels
Out: a scalar, the mean over what is labelled
Knows nothing of tasks or models.
"""

# N rows or tokens, C classes

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from bertie.core.errors import ConfigError

IGNORED = -100
"""A label that counts for nothing: padding, pieces inside a word."""
SURE = 1e-7


@dataclass(frozen=True, kw_only=True)
class LossSettings:
    """How classification is punished."""

    class_weights: tuple[float, ...] | None = None
    """One factor a class, in the order of the labels; rare classes get more. None: all alike."""
    label_smoothing: float = 0.0
    """Part of the target spread over all classes, 0 to below 1 (Szegedy et al. 2016)."""
    focal_gamma: float = 0.0
    """How much easy rows are turned down (Lin et al. 2017); 0 is cross-entropy, 2 is usual."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.label_smoothing < 1.0:
            raise ConfigError(f"label_smoothing is {self.label_smoothing}, expected 0 to below 1; correct the setting")
        if self.focal_gamma < 0.0:
            raise ConfigError(f"focal_gamma is {self.focal_gamma}, expected 0 or more; correct the setting")
        if self.class_weights is not None and min(self.class_weights, default=-1.0) < 0.0:
            raise ConfigError(f"class_weights are {self.class_weights}, expected numbers of 0 or more, one a class")
        if self.focal_gamma > 0.0 and self.label_smoothing > 0.0:
            raise ConfigError("focal_gamma and label_smoothing are both set; they contradict each other, choose one")


def classification_loss(logits: Tensor, labels: Tensor, settings: LossSettings | None = None) -> Tensor:
    """Cross-entropy or focal loss, as the settings say.

    Args:
        logits: (N, C) or (B, T, C).
        labels: (N,) or (B, T) long; `IGNORED` counts for nothing.
        settings: None for plain cross-entropy.
    """
    settings = settings or LossSettings()
    flat, targets = logits.flatten(0, -2), labels.flatten()  # (N, C), (N,)
    weights = None if settings.class_weights is None else flat.new_tensor(settings.class_weights)  # (C,)
    if settings.focal_gamma > 0.0:
        return focal_loss(flat, targets, gamma=settings.focal_gamma, class_weights=weights)
    return cross_entropy(flat, targets, class_weights=weights, label_smoothing=settings.label_smoothing)


def cross_entropy(
    logits: Tensor, labels: Tensor, *, class_weights: Tensor | None = None, label_smoothing: float = 0.0
) -> Tensor:
    """Weighted mean negative log-likelihood over (N, C) and (N,); 0 with a gradient where nothing is labelled."""
    if not bool((labels != IGNORED).any()):
        return logits.sum() * 0.0  # torch would give NaN
    return F.cross_entropy(logits, labels, weight=class_weights, ignore_index=IGNORED, label_smoothing=label_smoothing)


def focal_loss(logits: Tensor, labels: Tensor, *, gamma: float = 2.0, class_weights: Tensor | None = None) -> Tensor:
    """-(1 - p)^gamma log p of the right class (Lin et al. 2017, equation 5), for many classes; weights are alpha.

    (N, C) and (N,) to the mean over labelled rows, weighted as cross-entropy is: gamma 0 is cross-entropy.
    """
    labelled = labels != IGNORED
    logits, labels = logits[labelled], labels[labelled]
    if labels.numel() == 0:
        return logits.sum() * 0.0
    log_right = logits.log_softmax(dim=-1).gather(-1, labels[:, None]).squeeze(-1)  # (N,)
    factor = torch.ones_like(log_right) if class_weights is None else class_weights[labels]  # (N,)
    # expm1 keeps 1 - p exact where p is nearly 1; the clamp keeps the slope of its root finite.
    easy = (-torch.expm1(log_right)).clamp(min=SURE)  # (N,)
    hard = easy**gamma if gamma else torch.ones_like(easy)
    return (factor * hard * -log_right).sum() / factor.sum()


def binary_cross_entropy(logits: Tensor, targets: Tensor, *, positive_weights: Tensor | None = None) -> Tensor:
    """Mean over (N, C) of C yes-or-no questions.

    Args:
        logits: (N, C).
        targets: (N, C), 0 to 1; NaN counts for nothing.
        positive_weights: (C,), the factor on the yes side, usually noes / yeses of the class. None: 1.
    """
    known = ~targets.isnan()
    losses = F.binary_cross_entropy_with_logits(
        logits, targets.nan_to_num(0.0).to(logits.dtype), pos_weight=positive_weights, reduction="none"
    )  # (N, C)
    return (losses * known).sum() / known.sum().clamp(min=1)


def balanced_weights(counts: Tensor) -> Tensor:
    """Class weights from the rows of each class (C,): rows / (classes x count); 0 for a class without rows."""
    counts = counts.to(torch.float32)
    seen = counts > 0
    return torch.where(seen, counts.sum() / (seen.sum() * counts.clamp(min=1.0)), torch.zeros_like(counts))
