"""From the states of a text and the places of two entities to the scores of their relation.

In:  states (R, T, D), the tokens of the two entities (R, 2, T)
Out: logits (R, C)
Knows nothing of encoders, labels or losses.
"""

# R rows, T tokens, D width, C outputs

from __future__ import annotations

import torch
from torch import Tensor, nn

from bertie.nn.heads import init_head, normalised
from bertie.nn.layers import ACTIVATIONS


def entity_means(states: Tensor, entities: Tensor) -> Tensor:
    """The mean state of each entity, (R, 2, D); zero for an entity without tokens.

    Args:
        states: (R, T, D).
        entities: (R, 2, T) bool, the tokens of head and tail; they need not be neighbours.
    """
    weights = entities.to(states.dtype)  # (R, 2, T)
    return weights @ states / weights.sum(dim=-1, keepdim=True).clamp(min=1.0)


class RelationHead(nn.Module):
    """First token, mean of the head entity, mean of the tail entity; joined, through one hidden layer.

    After R-BERT (Wu & He 2019), which has a dense layer of its own for the first token and one that the two entities
    share; here one layer sees all three, so that it can compare them.
    """

    def __init__(
        self,
        hidden_size: int,
        outputs: int,
        *,
        dropout: float = 0.1,
        normalise: bool = False,
        activation: str = "tanh",
    ) -> None:
        """`normalise`: each of the three vectors gets mean 0 and deviation 1 first, see `heads.normalised`."""
        super().__init__()
        self.normalise = normalise
        self.dense = nn.Linear(3 * hidden_size, hidden_size)
        self.activation = ACTIVATIONS[activation]
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden_size, outputs)
        init_head(self, self.output)

    def forward(self, states: Tensor, entities: Tensor) -> Tensor:
        """Score relations.

        Args:
            states: (R, T, D), last hidden states.
            entities: (R, 2, T) bool, the tokens of head and tail, in this order: relations have a direction.

        Returns:
            Logits (R, C).
        """
        # R vectors, not R x T: float32 costs nothing here, and keeps the digits of means and logits.
        with torch.autocast(states.device.type, enabled=False):
            states = states.to(self.output.weight.dtype)
            parts = torch.cat([states[:, :1], entity_means(states, entities)], dim=1)  # (R, 3, D)
            if self.normalise:
                parts = normalised(parts)
            hidden = self.activation(self.dense(parts.flatten(1)))  # (R, D)
            logits: Tensor = self.output(self.dropout(hidden))  # (R, C)
        return logits
