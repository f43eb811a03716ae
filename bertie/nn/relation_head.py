"""From the states of a text and the places of two entities to the scores of their relation.

In:  states (S, T, D), the tokens of the two entities (S, 2, T)
Out: what is known of a row (R, 3, D), logits (R, C)
Knows nothing of encoders, labels or losses.
"""

# S sequences, R rows, T tokens, D width, C outputs

from __future__ import annotations

import torch
from torch import Tensor, nn

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


def joined(parts: Tensor) -> Tensor:
    """Vectors of a row (R, 3, D), each brought to mean 0 and deviation 1, beside each other: (R, 3 D).

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
        self, hidden_size: int, outputs: int, *, dense: bool = False, dropout: float = 0.1, activation: str = "tanh"
    ) -> None:
        super().__init__()
        self.dense = nn.Linear(3 * hidden_size, hidden_size) if dense else None
        self.activation = ACTIVATIONS[activation]
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden_size if dense else 3 * hidden_size, outputs)
        self.centre: Tensor
        self.scale: Tensor
        self.register_buffer("centre", torch.zeros(3 * hidden_size))
        self.register_buffer("scale", torch.ones(3 * hidden_size))
        init_head(self, self.output)

    @torch.no_grad()
    def start_from(self, weight: Tensor, bias: Tensor, centre: Tensor, scale: Tensor) -> None:
        """Takes over a linear solution, weight (C, 3 D) and bias (C,) over features as they come.

        `centre` and `scale` (3 D,) are mean and deviation of each feature over the training rows. The head keeps them
        and learns weights for what is centred and scaled. Trap: a first token's features hardly differ from row to row;
        their weights are large, and dropout would take away large constants, not what tells rows apart.
        """
        assert self.dense is None, "a hidden layer has no place for a linear solution"
        self.centre.copy_(centre)
        self.scale.copy_(scale)
        self.output.weight.copy_(weight * scale)
        self.output.bias.copy_(bias + weight @ centre)

    def forward(self, features: Tensor) -> Tensor:
        """Features (R, 3 D) to logits (R, C)."""
        # As in `ClassificationHead`: bfloat16 would round a logit of 10 by 0.03.
        with torch.autocast(features.device.type, enabled=False):
            features = (features.to(self.output.weight.dtype) - self.centre) / self.scale
            if self.dense is not None:
                features = self.activation(self.dense(features))  # (R, D)
            logits: Tensor = self.output(self.dropout(features))  # (R, C)
        return logits
