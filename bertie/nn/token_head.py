"""From the states of a text to scores at every token.

In:  states (S, T, D)
Out: logits (S, T, C) for tags, or (S, T, 2) for the start and the end of an answer
Knows nothing of encoders, tags or losses.
"""

# S sequences, T tokens, D width, C tags

from __future__ import annotations

import torch
from torch import Tensor, nn

from bertie.nn.heads import init_head


class TokenHead(nn.Module):
    """Dropout and one linear layer over every token (Devlin et al. 2019, section 5.3)."""

    def __init__(self, hidden_size: int, tags: int, *, dropout: float = 0.1) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden_size, tags)
        init_head(self, self.output)

    def forward(self, states: Tensor) -> Tensor:
        """States (S, T, D) to logits (S, T, C), also at padding, which the loss has to leave out."""
        # As in `ClassificationHead`: bfloat16 would round a logit of 10 by 0.03.
        with torch.autocast(states.device.type, enabled=False):
            logits: Tensor = self.output(self.dropout(states.to(self.output.weight.dtype)))  # (S, T, C)
        return logits


class SpanPointer(nn.Module):
    """Scores of every token as the first and the last one of an answer (Devlin et al. 2019, section 4.2)."""

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.tokens = TokenHead(hidden_size, 2, dropout=0.0)

    def forward(self, states: Tensor, mask: Tensor | None = None) -> Tensor:
        """Score starts and ends.

        Args:
            states: (S, T, D), last hidden states.
            mask: (S, T), 1 or True where an answer may start and end: the passage, and [CLS] where no answer is an
                answer. None: everywhere.

        Returns:
            Logits (S, T, 2): start, end. Elsewhere the lowest finite number, which softmax over T makes an exact 0;
            cross-entropy of a label there, or with label smoothing, is therefore huge.
        """
        logits: Tensor = self.tokens(states)  # (S, T, 2)
        if mask is not None:
            logits = logits.masked_fill(mask.unsqueeze(-1) == 0, torch.finfo(logits.dtype).min)
        return logits
