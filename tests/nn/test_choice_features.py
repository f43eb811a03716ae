"""Choice features: means over windows, the cosine among them, and scores by row."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from bertie.nn.choice_features import CHOICE, PAIR, QUESTION, by_row, choice_features
from bertie.nn.heads import normalised

OWNER = torch.tensor([0, 0, 1, 1, 1])


def test_apart_they_hold_the_cosine_and_the_distance() -> None:
    torch.manual_seed(0)
    pooled = torch.randn(7, 8)  # question, 2 choices; question, 3 choices
    role = torch.tensor([QUESTION, CHOICE, CHOICE, QUESTION, CHOICE, CHOICE, CHOICE])
    features = choice_features(pooled, role, torch.tensor([0, 0, 1, 1, 2, 3, 4]), OWNER)
    question, choices = pooled[[0, 0, 3, 3, 3]], pooled[[1, 2, 4, 5, 6]]
    assert torch.allclose(features[:, :8].mean(-1), F.cosine_similarity(question, choices), atol=1e-6)
    apart = F.normalize(question, dim=-1) - F.normalize(choices, dim=-1)
    assert torch.allclose(features[:, 8:].square().mean(-1), apart.square().sum(-1), atol=1e-5)


def test_windows_of_one_thing_are_one_mean() -> None:
    torch.manual_seed(0)
    pooled = torch.randn(8, 4)
    role, place = torch.full((8,), PAIR), torch.tensor([0, 0, 1, 2, 2, 2, 3, 4])
    features = choice_features(pooled, role, place, OWNER)
    expected = torch.stack([pooled[:2].mean(0), pooled[2], pooled[3:6].mean(0), pooled[6], pooled[7]])
    assert torch.allclose(features, normalised(expected), atol=1e-6)


def test_scores_stand_by_row_and_what_is_not_there_is_never_chosen() -> None:
    scores = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0], requires_grad=True)
    table = by_row(scores, OWNER)
    assert table[:, :2].tolist() == [[1.0, 2.0], [3.0, 4.0]] and table[1, 2].item() == 5.0
    assert table.softmax(-1)[0, 2] == 0.0
    F.cross_entropy(table, torch.tensor([0, 2])).backward()
    assert scores.grad is not None and bool((scores.grad != 0).all())
