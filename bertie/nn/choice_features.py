"""From the pooled states of a question, of its choices and of each pair to what tells which choice is right.

In:  pooled states of sequences (S, D), what each of them is of
Out: features of every choice (N, P D)
Knows nothing of encoders, texts or losses.

Read apart, an encoder of sentences has the question near its answer before any training; read together, it can compare
them word by word, which it has to learn. So the head sees both, and starts from what there is already.
"""

# S sequences, R rows, N choices of all rows, P parts, D width

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from bertie.nn.heads import normalised

QUESTION, CHOICE, PAIR = range(3)
"""What a sequence may be of: the question, a choice, or both together."""


def choice_features(pooled: Tensor, role: Tensor, place: Tensor, owner: Tensor) -> Tensor:
    """Features of every choice, (N, P D) in float32, P the parts that there are sequences for.

    Of sequences for the same thing (windows over a long text) the mean counts. Apart, two parts: D times u * v and
    sqrt(D) |u - v| of the vectors of question and choice at length one, as in `tasks/regression.py`. Together, one: the
    pair's vector, brought to mean 0 and deviation 1.

    Args:
        pooled: (S, D).
        role: (S,) QUESTION, CHOICE or PAIR.
        place: (S,) the row of a question, the choice of all others.
        owner: (N,) the row of each choice.
    """
    width, parts = pooled.shape[-1], []
    if (role == QUESTION).any():
        rows = int(owner.max()) + 1
        u = F.normalize(_means(pooled, place, role == QUESTION, rows), dim=-1)[owner]  # (N, D)
        v = F.normalize(_means(pooled, place, role == CHOICE, len(owner)), dim=-1)  # (N, D)
        parts += [width * u * v, math.sqrt(width) * (u - v).abs()]
    if (role == PAIR).any():
        parts.append(normalised(_means(pooled, place, role == PAIR, len(owner))))
    return torch.cat(parts, dim=-1)


def by_row(scores: Tensor, owner: Tensor) -> Tensor:
    """Scores (N,) to (R, K), K the most choices of a row; what a row does not have is the least number there is."""
    counts = owner.bincount()
    place = torch.arange(len(owner), device=owner.device) - (counts.cumsum(0) - counts)[owner]
    table = scores.new_full((len(counts), int(counts.max())), torch.finfo(scores.dtype).min)
    return table.index_put((owner, place), scores)


def _means(pooled: Tensor, place: Tensor, chosen: Tensor, count: int) -> Tensor:
    """The mean of the chosen sequences at each of `count` places."""
    values, where = pooled[chosen].float(), place[chosen]
    total = values.new_zeros(count, values.shape[-1]).index_add(0, where, values)
    return total / where.bincount(minlength=count).clamp(min=1).unsqueeze(-1)
