"""Match features: equal pieces, their pairs, and how much of the question stands around each token."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from bertie.nn.match_features import FEATURES, REACH, match_features

# [CLS] 7 8 [SEP] 7 8 9 5 | 7 6 6 [SEP] [PAD]; the passage has two sentences
IDS = torch.tensor([[1, 7, 8, 2, 7, 8, 9, 5, 7, 6, 6, 2, 0]])
QUESTION = torch.tensor([[0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]]).bool()
SENTENCE = torch.tensor([[-1, -1, -1, -1, 0, 0, 0, 0, 1, 1, 1, -1, -1]])


def column(name: str, features: Tensor) -> list[float]:
    found: list[float] = features[0, :, FEATURES.index(name)].tolist()
    return found


def test_matches_pairs_and_shares() -> None:
    features = match_features(IDS, QUESTION, SENTENCE)
    assert features.shape == (1, 13, len(FEATURES)) and features.dtype is torch.float32
    assert column("match", features) == [0, 0, 0, 0, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    assert column("pair", features) == [0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0]
    # Piece 7 stands in the passage twice, so each place has half of a vote; the question has two pieces.
    assert column("sentence", features) == [0, 0, 0, 0, 0.75, 0.75, 0.75, 0.75, 0.25, 0.25, 0.25, 0, 0]
    assert column("sentence_pair", features)[4:11] == [0.75] * 4 + [0] * 3
    assert column("first", features) == [1] + [0] * 12
    votes = {4: 0.25, 5: 0.5, 8: 0.25}
    expected = sum(vote * math.exp(-abs(place - 6) / REACH) for place, vote in votes.items())
    assert math.isclose(column("near", features)[6], expected, rel_tol=1e-6)


def test_the_batch_changes_nothing() -> None:
    longer = torch.tensor([[1, 7, 2, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 2]])
    pad = (0, 2)
    ids = torch.cat([torch.nn.functional.pad(IDS, pad), longer])
    question = torch.cat([torch.nn.functional.pad(QUESTION, pad), longer.new_zeros(1, 15).bool()])
    question[1, 1] = True
    sentence = torch.cat([torch.nn.functional.pad(SENTENCE, pad, value=-1), torch.full((1, 15), -1)])
    sentence[1, 3:14] = 0
    found = match_features(ids, question, sentence)[:1, :13]
    torch.testing.assert_close(found, match_features(IDS, QUESTION, SENTENCE))


def test_float32_under_autocast() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        rounded = match_features(IDS, QUESTION, SENTENCE)
    assert torch.equal(rounded, match_features(IDS, QUESTION, SENTENCE))


def test_neither_question_nor_passage() -> None:
    features = match_features(IDS, torch.zeros_like(QUESTION), torch.full_like(SENTENCE, -1))
    assert torch.isfinite(features).all() and features.sum() == 1.0
