"""Contrastive: a passage with hidden pieces is nearest to itself, whole, among all of a batch.

Van den Oord et al. 2018, equation 4; with masks instead of dropout as the difference, as in Wu et al. 2020.

In:  mean states of the passages as the model sees them, and as they stand
Out: nats of the right one among the batch
Knows nothing of which pieces are hidden, or why.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

from bertie.nn.config import EncoderConfig
from bertie.nn.heads import mean_pool
from bertie.objectives.base import Objective, Outcome, Views

TEMPERATURE = 0.05
"""As in SimCSE (Gao et al. 2021)."""


class Contrastive(Objective):
    """Makes mean states fit for comparing texts. It has no weights of its own."""

    name = "contrastive"
    masks = True
    compares = True

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__(config)

    def outcome(self, views: Views) -> Outcome:
        mask = views.batch.attention_mask
        seen = F.normalize(mean_pool(views.states, mask).float(), dim=-1)  # (S, D)
        whole = F.normalize(mean_pool(views.read(views.plain), mask).float(), dim=-1)  # (S, D)
        return Outcome.of(seen @ whole.T / TEMPERATURE, torch.arange(len(seen), device=seen.device))
