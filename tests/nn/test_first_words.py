"""First word embeddings: words keep their directions and have the length of random ones."""

from __future__ import annotations

import math

import pytest
import torch

from bertie.nn.config import EncoderConfig
from bertie.nn.encoder import Encoder
from bertie.nn.first_words import start_words

WIDTH = 32
TINY = EncoderConfig(vocab_size=50, hidden_size=WIDTH, layers=2, heads=2, intermediate_size=24, max_positions=20)


def encoder() -> Encoder:
    torch.manual_seed(0)
    return Encoder(TINY)


def test_words_keep_their_directions_and_unknown_ones_stay_random() -> None:
    made = encoder()
    table = made.embeddings.word_embeddings.weight
    before = table.detach().clone()
    vectors = torch.zeros(len(table), WIDTH)
    vectors[7:20] = torch.nn.functional.normalize(torch.randn(13, WIDTH), dim=1)
    start_words(made, vectors)
    assert torch.allclose(table[7:20] / table[7:20].norm(dim=1, keepdim=True), vectors[7:20], atol=1e-6)
    assert float(table[7].detach().norm()) == pytest.approx(made.config.initializer_range * math.sqrt(WIDTH), rel=1e-5)
    assert torch.equal(table[:7], before[:7]) and torch.equal(table[20:], before[20:])
