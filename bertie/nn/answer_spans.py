"""From scores of starts and ends to the most likely spans of each sequence.

In:  logits (S, T, 2) of every token as the first and the last one of an answer
Out: spans with their odds against no answer, the best first
Knows nothing of texts, windows of one text, or which span is to be answered.
"""

# S sequences, T tokens, L longest span, K spans of each sequence

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F


class LikelySpan(NamedTuple):
    """A candidate for the answer."""

    first: int
    """First token."""
    last: int
    """Last token, which belongs to it."""
    log_odds: float
    """log of p(span) / p(no answer), in nats."""


def likely_spans(logits: Tensor, *, longest: int, most: int) -> list[list[LikelySpan]]:
    """The best spans of at most `longest` tokens, at most `most` of them, in falling order.

    Start and end are drawn for themselves, and no answer is a span of the first token alone (Devlin et al. 2019,
    section 4.3), so what softmax divides by is gone from the odds:

        log p(i, j) / p(none) = start_i - start_0 + end_j - end_0

    Args:
        logits: (S, T, 2); the lowest finite number where no answer may start or end.
        longest: L, tokens from first to last, both counted.
        most: K.

    Returns:
        A list for each sequence; empty where it has no place for an answer.
    """
    hidden = logits <= torch.finfo(logits.dtype).min  # (S, T, 2)
    margins = (logits - logits[:, :1]).float().masked_fill(hidden, -torch.inf)
    margins[:, 0] = -torch.inf  # the first token is no place of the text
    starts, ends = margins.unbind(dim=-1)  # (S, T) each
    longest = min(longest, logits.shape[1])
    reachable = F.pad(ends, (0, longest - 1), value=-torch.inf).unfold(1, longest, 1)  # (S, T, L): ends of each start
    scores = (starts.unsqueeze(-1) + reachable).flatten(1)  # (S, T L)
    values, places = scores.topk(min(most, scores.shape[1]))  # (S, K) each
    return [
        [
            LikelySpan(place // longest, place // longest + place % longest, value)
            for value, place in zip(*sequence, strict=True)
            if value > -torch.inf
        ]
        for sequence in zip(values.tolist(), places.tolist(), strict=True)
    ]
