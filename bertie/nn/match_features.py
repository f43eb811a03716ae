"""Where the words of a question stand in its passage, as features of every token.

In:  piece ids (S, T); which of them are the question (S, T); the sentence of each token of the passage (S, T)
Out: features (S, T, F)
Knows nothing of texts, encoders or answers.

An encoder finds equal words by itself once it has seen enough questions; a few thousand are not enough, so it is told
(Chen et al. 2017, section 3.2, exact match). There the features went through a network that carried them from token to
token. Here a linear layer reads them, and the answer stands beside the words of the question and not on them; so each
token is also told what stands near it and in its sentence. A piece that is frequent in the passage says little: all
places of one piece share one vote. Single Han characters meet by chance, so pairs of neighbours are counted too.

    question   who  led  the  norman  army          votes: led 1, norman 1, the 1/2
    passage    the  norman  duke  led  .  the  king ...
    match       1     1      0     1   0   1    0
    pair        1     1      0     0   0   0    0
"""

# S sequences, T tokens, F features

from __future__ import annotations

import torch
from torch import Tensor

FEATURES = ("match", "pair", "near", "near_pair", "sentence", "sentence_pair", "first")
"""Is the piece in the question; with a neighbour; the share of the question that stands around it, and in its sentence,
by pieces and by pairs; and a 1 at the first token, which stands for no answer and else would have nothing."""
REACH = 8.0
"""Tokens at which `near` counts 1 / e of a vote."""


def match_features(input_ids: Tensor, question: Tensor, sentence: Tensor) -> Tensor:
    """Features of every token, float32; zero outside the passage but for `first`.

    Args:
        input_ids: (S, T).
        question: (S, T), True at the pieces of the question.
        sentence: (S, T), the number of the sentence at the pieces of the passage, -1 elsewhere.

    Returns:
        (S, T, F) in the order of `FEATURES`, 0 to 1.
    """
    passage = sentence >= 0  # (S, T)
    equal = (input_ids.unsqueeze(-1) == input_ids.unsqueeze(-2)) & passage.unsqueeze(-1)  # (S, T, T)
    asked = equal & question.unsqueeze(-2)
    match = asked.any(dim=-1)  # (S, T)
    follows = (asked[:, :-1, :-1] & asked[:, 1:, 1:]).any(dim=-1)  # (S, T - 1), with its right neighbour
    pair = torch.zeros_like(match)
    pair[:, :-1] |= follows
    pair[:, 1:] |= follows
    places = (equal & passage.unsqueeze(-2)).sum(dim=-1).clamp(min=1)  # (S, T), how often the piece is in the passage
    here = torch.stack([match, pair], dim=-1).float()  # (S, T, 2)
    votes = here / places.unsqueeze(-1) / question.sum(dim=-1).clamp(min=1).view(-1, 1, 1)
    place = torch.arange(input_ids.shape[1], device=input_ids.device)
    near = torch.exp(-(place.unsqueeze(-1) - place).abs() / REACH)  # (T, T)
    together = (sentence.unsqueeze(-1) == sentence.unsqueeze(-2)) & passage.unsqueeze(-1)  # (S, T, T)
    with torch.autocast(input_ids.device.type, enabled=False):
        around = torch.cat([near @ votes, together.float() @ votes], dim=-1) * passage.unsqueeze(-1)  # (S, T, 4)
    first = (place == 0).float().expand(len(input_ids), -1).unsqueeze(-1)  # (S, T, 1)
    return torch.cat([here, around, first], dim=-1)
