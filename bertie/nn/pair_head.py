"""Two texts compared: from the states of both to what a linear layer can read.

In:  states (S, T, D) of pairs that went through the encoder as one sequence; which token belongs to which text
Out: features (S, F); a score (S,)
Knows nothing of encoders, tasks or losses.

The cosine of the two texts is one of the answers that a linear layer over these features can give. So a head need not
find out by itself that texts belong together that are alike: it starts from there (Reimers & Gurevych 2019, section 3).
"""

# S sequences, T tokens, D width, F features

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bertie.nn.heads import mean_pool, normalised

SCALE = 20.0
"""What a cosine counts at the start: 1 / temperature."""


def comparison(a: Tensor, b: Tensor) -> Tensor:
    """D times u * v and sqrt(D) times |u - v| of two vectors (S, D) at length one, (S, 2 D)."""
    width = a.shape[-1]
    a, b = F.normalize(a, dim=-1), F.normalize(b, dim=-1)
    return torch.cat([width * a * b, math.sqrt(width) * (a - b).abs()], dim=-1)


def pair_features(states: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """(S, T, D) and two masks (S, T) of the texts' tokens: both means compared, and the mean of all, (S, 3 D)."""
    means = [mean_pool(states, mask).float() for mask in (first, second, first | second)]  # (S, D) each
    return torch.cat([comparison(*means[:2]), normalised(means[2])], dim=-1)


class PairHead(nn.Module):
    """Features of the pair, one linear layer with one output."""

    def __init__(self, hidden_size: int) -> None:
        """Starts as the cosine, times `SCALE`."""
        super().__init__()
        self.output = nn.Linear(3 * hidden_size, 1)
        with torch.no_grad():
            self.output.weight.copy_(cosine_weight(hidden_size)[None])
            self.output.bias.zero_()

    def forward(self, states: Tensor, first: Tensor, second: Tensor) -> Tensor:
        """(S, T, D), (S, T), (S, T) to scores (S,), float32."""
        with torch.autocast(states.device.type, enabled=False):
            scores: Tensor = self.output(pair_features(states, first, second)).squeeze(-1)
        return scores


def cosine_weight(hidden_size: int) -> Tensor:
    """The weight over `pair_features` with which they give the cosine times `SCALE`, (3 D,)."""
    weight = torch.zeros(3 * hidden_size)
    weight[:hidden_size] = SCALE / hidden_size
    return weight
