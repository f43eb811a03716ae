"""Distillation: a token's state, mapped to the teacher's width, becomes the teacher's.

The squared distance of Jiao et al. 2020 (equation 8), in units of how much the teacher's states differ: 1 is what their
mean alone would leave, 0 is the teacher. A cosine (Sanh et al. 2019) hardly sees what matters where all states share a
large mean: any two of multilingual E5 have a cosine of 0.7.

In:  last states of the passages as the student sees them, and the teacher's of the same ids
Out: for every token its part of the variance that is not explained, and whether of the passage's tokens its own is the
     nearest to the teacher's state
Knows nothing of which encoder teaches, or of why pieces are hidden.
"""

from __future__ import annotations

import torch
from torch import nn

from bertie.nn.config import EncoderConfig
from bertie.objectives.base import Objective, Outcome, Views

# S passages, T tokens, M tokens that are no padding, D width of the student, E of the teacher


class Distillation(Objective):
    """Learns the states of a larger encoder; the map is used in training only."""

    name = "distillation"
    needs_teacher = True

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__(config)
        self.width = config.hidden_size

    def meet(self, width: int) -> None:
        """A student as wide as its teacher starts with its states as they are: it may be made of its layers."""
        self.map = nn.Linear(self.width, width, bias=False)
        if width == self.width:
            nn.init.eye_(self.map.weight)

    def outcome(self, views: Views) -> Outcome:
        mapped, wanted, mask = self.map(views.states).float(), views.taught.float(), views.mask  # (S, T, E) twice
        taught = wanted[mask]  # (M, E)
        variance = (taught - taught.mean(dim=0)).square().sum(dim=-1).mean()
        missed = (mapped[mask] - taught).square().sum(dim=-1) / variance.clamp(min=1e-6)  # (M,)
        with torch.no_grad():
            distances = torch.cdist(wanted, mapped).masked_fill(~mask[:, None, :], torch.inf)  # (S, T, T)
            nearest = distances.argmin(dim=-1)  # (S, T)
        own = torch.arange(mask.shape[1], device=mask.device)
        return Outcome(missed, (nearest == own)[mask])
