"""How far what labels mean is believed beside what the examples show, and both as one linear head.

In:  features of a few rows by an encoder that nobody has tuned, weights that hold the descriptions
Out: Belief; a head in which both opinions stand
Knows nothing of encoders and texts.

A description is worth much where it says what the label means ("positive") and nothing where it is a code ("ENTY"). The
rows have taught an untuned encoder nothing, so they can judge: each is asked of the descriptions, and of the means of
the other rows, and the share is taken by which the right labels are likeliest.
"""

# N rows, D width, C labels

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bertie.evaluation.linear import Floats, Targets, best_scale, surprise
from bertie.nn.heads import normalised

SHARES = (0.0, 0.25, 0.5, 0.75, 0.9)
"""Candidates; never all, for then no row would have a say."""
QUIET = 1e-6
"""Smallest deviation of an opinion's scores."""


@dataclass(frozen=True)
class Seen:
    """A few rows as an encoder sees them."""

    inputs: Tensor  # (N, D) normalised
    targets: Targets

    @classmethod
    def of(cls, features: Floats, labels: Sequence[str], names: Sequence[str]) -> Seen:
        """From means of states (N, D); `names` are the labels in the order of the task."""
        inputs = normalised(torch.from_numpy(np.ascontiguousarray(features, dtype=np.float32)))
        return cls(inputs, Targets.of(labels, names))

    def class_means(self, values: Tensor) -> Tensor:
        """Values of the rows (N, X) to their mean in each class (C, X)."""
        belongs = torch.from_numpy(self.targets.matrix)  # (N, C)
        return belongs.T @ values / belongs.sum(dim=0).clamp(min=1.0)[:, None]


@dataclass(frozen=True)
class Head:
    """A linear opinion on normalised states."""

    weight: Tensor  # (C, D)
    bias: Tensor  # (C,)

    def logits(self, seen: Seen) -> Tensor:
        """(N, C)."""
        return seen.inputs @ self.weight.T + self.bias

    def level(self, seen: Seen) -> Head:
        """Scores of deviation 1, and of mean 0 for each label, where every class weighs alike."""
        logits = self.logits(seen)
        loud = float(logits.std(correction=0).clamp(min=QUIET))
        return Head(self.weight / loud, (self.bias - seen.class_means(logits).mean(dim=0)) / loud)


@dataclass(frozen=True)
class Belief:
    """The share of the descriptions, and how sure both together may be."""

    share: float
    scale: float

    def mixed(self, learned: Head, described: Head, seen: Seen) -> Head:
        """Both as one head; the rows are as the encoder sees them that the heads are for."""
        one, other = learned.level(seen), described.level(seen)
        weights = [(1.0 - self.share) * self.scale, self.share * self.scale]
        return Head(
            weights[0] * one.weight + weights[1] * other.weight, weights[0] * one.bias + weights[1] * other.bias
        )


def believe(seen: Seen, described: Head) -> Belief:
    """Judged by each row: what the means of the other rows say of it, and what the descriptions do."""
    shown, told = left_out(seen), described.level(seen).logits(seen).numpy()
    shown = shown / max(float(shown.std()), QUIET)
    found = []
    for share in SHARES:
        both = ((1.0 - share) * shown + share * told).astype(np.float32)
        scale = best_scale(both, seen.targets)
        found.append((surprise(both * np.float32(scale), seen.targets), share, scale))
    _, share, scale = min(found)
    return Belief(share, scale)


def left_out(seen: Seen) -> Floats:
    """What each row is likened to (N, C): the mean of each class, its own vector left out; centred between them."""
    inputs, belongs = seen.inputs.numpy(), seen.targets.matrix
    sums: Floats = belongs.T @ inputs  # (C, D)
    scores = np.empty_like(belongs)
    for i, own in enumerate(belongs):
        means = normalised(torch.from_numpy(sums - own[:, None] * inputs[i])).numpy()  # (C, D)
        scores[i] = (means - means.mean(axis=0)) @ inputs[i] / inputs.shape[1]
    return scores
