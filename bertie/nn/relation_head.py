"""From the states of a text and the places of its entities to the scores of what they are.

In:  states (S, T, D), the tokens of two entities (S, 2, T), or those of one (S, T); or states of units, and pairs of
     stretches of them
Out: what is known of a row (R, P, D), or of each of several pairs; logits (R, C)
Knows nothing of encoders, labels or losses.
"""

# S sequences, R rows, T tokens, N units, P parts or pairs, D width, C outputs

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bertie.nn.heads import init_head, normalised
from bertie.nn.layers import ACTIVATIONS


def entity_means(states: Tensor, entities: Tensor) -> Tensor:
    """The mean state of each entity, (S, 2, D); zero for an entity without tokens.

    Args:
        states: (S, T, D).
        entities: (S, 2, T) bool, the tokens of head and tail; they need not be neighbours.
    """
    weights = entities.to(states.dtype)  # (S, 2, T)
    return weights @ states / weights.sum(dim=-1, keepdim=True).clamp(min=1.0)


def entity_states(states: Tensor, entities: Tensor) -> Tensor:
    """First token, mean of the head entity, mean of the tail entity, as R-BERT reads them (Wu & He 2019): (S, 3, D).

    In this order, for relations have a direction. Arguments as those of `entity_means`.
    """
    return torch.cat([states[:, :1], entity_means(states, entities)], dim=1)


def near_mean(states: Tensor, entity: Tensor, attention_mask: Tensor | None, reach: float) -> Tensor:
    """The mean of a text's states (S, D), in which a token counts the less the further it stands from the entity.

    Args:
        states: (S, T, D).
        entity: (S, T) bool, its tokens, perhaps at several places; without any the mean is zero.
        attention_mask: (S, T), None where nothing is padded.
        reach: tokens at which one counts 1 / e of the entity's own.
    """
    place = torch.arange(states.shape[1], device=states.device)
    apart = (place.unsqueeze(-1) - place).abs().expand(len(states), -1, -1)  # (S, T, T)
    nearest = apart.masked_fill(~entity.unsqueeze(-2), len(place)).amin(dim=-1)  # (S, T) tokens to the entity
    weights = torch.exp(-nearest / reach) * entity.any(dim=-1, keepdim=True)
    if attention_mask is not None:
        weights = weights * attention_mask
    weights = weights / weights.sum(dim=-1, keepdim=True).clamp(min=1.0)  # the entity's own tokens count 1 each
    return (weights.to(states.dtype).unsqueeze(-2) @ states).squeeze(-2)


PAIR_PARTS = 5
"""Vectors that `pair_states` gives of a pair."""


def pair_states(first: Tensor, units: Tensor, row: Tensor, pairs: Tensor) -> Tensor:
    """What is known of pairs of entities without markers around them (P, 5, D).

    First token, mean of the head, mean of the tail, and the mean of all units from the one to the other: as the fourth
    vector where the head stands first, as the fifth where the tail does; the other is zero. The stretch tells more than
    the first token does (Eberts & Ulges 2020), and a linear layer cannot join words with the order of two entities.

    Args:
        first: (R, D), the state of the first token.
        units: (R, N, D).
        row: (P,) long, the row of each pair.
        pairs: (P, 4) long, first and last unit of the head, first and last unit of the tail.
    """
    sums = F.pad(units.cumsum(dim=1), (0, 0, 1, 0))  # (R, N + 1, D)

    def mean(start: Tensor, end: Tensor) -> Tensor:
        return (sums[row, end + 1] - sums[row, start]) / (end + 1 - start).unsqueeze(-1)

    head_start, head_end, tail_start, tail_end = pairs.unbind(1)  # (P,) each
    stretch = mean(torch.minimum(head_start, tail_start), torch.maximum(head_end, tail_end))  # (P, D)
    forward = (head_start <= tail_start).unsqueeze(-1).to(units.dtype)  # (P, 1)
    parts = (first[row], mean(head_start, head_end), mean(tail_start, tail_end))
    return torch.stack([*parts, stretch * forward, stretch * (1.0 - forward)], dim=1)


def joined(parts: Tensor) -> Tensor:
    """Vectors of a row (R, P, D), each brought to mean 0 and deviation 1, beside each other: (R, P D).

    The scale of a vector does not matter. As each part has mean 0 and deviation 1, so has the whole, which a linear
    probe would normalise once more (`evaluation/probe.py`): its solution is one for the head as it stands.
    """
    return normalised(parts).flatten(1)


class RelationHead(nn.Module):
    """Dropout and one linear layer over what `joined` gives; with `dense`, one hidden layer in front of it.

    R-BERT has a hidden layer for the first token and one that the two entities share; here one sees all three, so that
    it can compare them. Without any the head can start from a linear solution.
    """

    def __init__(
        self,
        hidden_size: int,
        outputs: int,
        *,
        parts: int = 3,
        dense: bool = False,
        dropout: float = 0.1,
        activation: str = "tanh",
    ) -> None:
        """`parts`: vectors that are joined."""
        super().__init__()
        width = parts * hidden_size
        self.dense = nn.Linear(width, hidden_size) if dense else None
        self.activation = ACTIVATIONS[activation]
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden_size if dense else width, outputs)
        self.centre: Tensor
        self.scale: Tensor
        self.register_buffer("centre", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        init_head(self, self.output)

    @torch.no_grad()
    def start_from(self, weight: Tensor, bias: Tensor, centre: Tensor, scale: Tensor) -> None:
        """Takes over a linear solution, weight (C, P D) and bias (C,) over features as they come.

        `centre` and `scale` (P D,) are mean and deviation of each feature over the training rows. The head keeps them
        and learns weights for what is centred and scaled. Trap: a first token's features hardly differ from row to row;
        their weights are large, and dropout would take away large constants, not what tells rows apart.
        """
        assert self.dense is None, "a hidden layer has no place for a linear solution"
        self.centre.copy_(centre)
        self.scale.copy_(scale)
        self.output.weight.copy_(weight * scale)
        self.output.bias.copy_(bias + weight @ centre)

    def forward(self, features: Tensor) -> Tensor:
        """Features (R, P D) to logits (R, C)."""
        # As in `ClassificationHead`: bfloat16 would round a logit of 10 by 0.03.
        with torch.autocast(features.device.type, enabled=False):
            features = (features.to(self.output.weight.dtype) - self.centre) / self.scale
            if self.dense is not None:
                features = self.activation(self.dense(features))  # (R, D)
            logits: Tensor = self.output(self.dropout(features))  # (R, C)
        return logits
