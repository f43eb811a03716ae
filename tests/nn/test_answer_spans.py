"""Likely spans: the best of all starts and ends, by brute force, with their odds against no answer."""

from __future__ import annotations

import pytest
import torch

from bertie.nn.answer_spans import LikelySpan, likely_spans

LOWEST = torch.finfo(torch.float32).min
LOGITS = torch.randn(3, 9, 2, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("longest", [1, 3, 50])
def test_as_by_brute_force(longest: int) -> None:
    for sequence, found in zip(LOGITS, likely_spans(LOGITS, longest=longest, most=5), strict=True):
        margins = sequence - sequence[0]
        every = [
            LikelySpan(i, j, float(margins[i, 0] + margins[j, 1]))
            for i in range(1, 9)
            for j in range(i, min(i + longest, 9))
        ]
        expected = sorted(every, key=lambda span: -span.log_odds)[:5]
        assert [span[:2] for span in found] == [span[:2] for span in expected]
        assert [span.log_odds for span in found] == pytest.approx([span.log_odds for span in expected], abs=1e-5)


def test_no_span_touches_what_is_hidden() -> None:
    logits = LOGITS.clone()
    logits[:, 1:4] = LOWEST
    logits[:, 7:] = LOWEST
    for found in likely_spans(logits, longest=9, most=100):
        assert {(span.first, span.last) for span in found} == {(4, 4), (4, 5), (4, 6), (5, 5), (5, 6), (6, 6)}


def test_odds_are_those_of_the_softmax() -> None:
    chances = LOGITS[0].softmax(dim=0)
    best = likely_spans(LOGITS[:1], longest=9, most=1)[0][0]
    odds = chances[best.first, 0] * chances[best.last, 1] / (chances[0, 0] * chances[0, 1])
    assert best.log_odds == pytest.approx(float(odds.log()), abs=1e-5)


def test_a_sequence_without_a_passage_has_none() -> None:
    logits = torch.full((2, 4, 2), LOWEST)
    logits[:, 0] = torch.tensor([5.0, -5.0])
    assert likely_spans(logits, longest=4, most=10) == [[], []]
