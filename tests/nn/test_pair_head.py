"""The pair head starts as the cosine of both sides, and sees no padding."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from bertie.nn.pair_head import SCALE, PairHead, comparison, cosine_weight, pair_features


def test_the_start_is_the_cosine() -> None:
    states = torch.randn(3, 7, 6, generator=torch.Generator().manual_seed(0))
    first = torch.tensor([[0, 1, 1, 0, 0, 0, 0]]).bool().expand(3, -1)
    second = torch.tensor([[0, 0, 0, 0, 1, 1, 0]]).bool().expand(3, -1)
    cosine = F.cosine_similarity(states[:, 1:3].mean(1), states[:, 4:6].mean(1))
    torch.testing.assert_close(PairHead(6)(states, first, second), SCALE * cosine)
    features = pair_features(states, first, second)
    assert features.shape == (3, 18)
    states[:, [0, 3, 6]] = 1e3  # specials and padding belong to neither
    torch.testing.assert_close(pair_features(states, first, second), features)


def test_a_comparison_knows_no_length() -> None:
    a, b = torch.randn(2, 4, 5).unbind(0)
    torch.testing.assert_close(comparison(3 * a, b), comparison(a, 0.1 * b))
    torch.testing.assert_close(comparison(a, b) @ cosine_weight(5)[:10], SCALE * F.cosine_similarity(a, b))
