"""Distillation: a token's state, mapped to the teacher's width, points where the teacher's state does.

The cosine loss of Sanh et al. 2019 (section 2), with the linear map of Jiao et al. 2020 (equation 8), so that the two
may differ in width.

In:  last states of the passages as the student sees them, and the teacher's of the same ids
Out: for every token 1 - cosine, and whether of the passage's tokens its own is the nearest to the teacher's state
Knows nothing of which encoder teaches, or of why pieces are hidden.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

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
        mapped = F.normalize(self.map(views.states).float(), dim=-1)  # (S, T, E)
        wanted = F.normalize(views.taught.float(), dim=-1)  # (S, T, E)
        mask = views.mask
        distance = 1.0 - (mapped * wanted).sum(dim=-1)  # (S, T)
        with torch.no_grad():
            likeness = (wanted @ mapped.transpose(1, 2)).masked_fill(~mask[:, None, :], -torch.inf)  # (S, T, T)
            nearest = likeness.argmax(dim=-1)  # (S, T)
        own = torch.arange(mask.shape[1], device=mask.device)
        return Outcome(distance[mask], (nearest == own)[mask])
