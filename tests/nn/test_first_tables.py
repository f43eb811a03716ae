"""Tables that know something: words keep their directions, positions their distances, everything its usual length."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from bertie.nn.config import EncoderConfig
from bertie.nn.encoder import Encoder
from bertie.nn.first_tables import sinusoids, start_positions, start_words

WIDTH = 32
TINY = EncoderConfig(vocab_size=50, hidden_size=WIDTH, layers=2, heads=2, intermediate_size=24, max_positions=20)


def encoder(**changes: Any) -> Encoder:
    torch.manual_seed(0)
    return Encoder(replace(TINY, **changes))


def test_sinusoids_are_those_of_the_paper() -> None:
    found = sinusoids(50, 6)
    for position in (0, 1, 49):
        for i in range(3):
            angle = position / 10_000 ** (2 * i / 6)
            assert float(found[position, 2 * i]) == pytest.approx(math.sin(angle), abs=1e-5)
            assert float(found[position, 2 * i + 1]) == pytest.approx(math.cos(angle), abs=1e-5)
    assert sinusoids(4, 5).shape == (4, 5), "an odd width ends with a sine"


def test_the_product_of_two_positions_hangs_on_their_distance_alone() -> None:
    made = encoder()
    start_positions(made)
    assert made.embeddings.position_embeddings is not None
    table = made.embeddings.position_embeddings.weight
    near = table @ table.T
    for distance in (0, 1, 5):
        assert torch.allclose(near.diagonal(distance), near[0, distance], atol=1e-6)
    assert float(table.square().mean().sqrt()) == pytest.approx(made.config.initializer_range, rel=0.01)


def test_words_keep_their_directions_and_unknown_ones_stay_random() -> None:
    made = encoder()
    table = made.embeddings.word_embeddings.weight
    before = table.detach().clone()
    vectors = torch.zeros(len(table), WIDTH)
    vectors[7:20] = torch.nn.functional.normalize(torch.randn(13, WIDTH), dim=1)
    start_words(made, vectors)
    assert torch.allclose(table[7:20] / table[7:20].norm(dim=1, keepdim=True), vectors[7:20], atol=1e-6)
    assert float(table[7].norm()) == pytest.approx(made.config.initializer_range * math.sqrt(WIDTH), rel=1e-5)
    assert torch.equal(table[:7], before[:7]) and torch.equal(table[20:], before[20:])


def test_an_encoder_without_a_table_of_positions_is_left_alone() -> None:
    made = encoder(positions="rotary")
    before = {name: weight.clone() for name, weight in made.state_dict().items()}
    start_positions(made)
    assert all(torch.equal(weight, before[name]) for name, weight in made.state_dict().items())


def test_positions_that_are_counted_from_behind_the_pad_begin_there() -> None:
    made = encoder(position_offset=2, pad_id=1, max_positions=20)
    assert made.embeddings.position_embeddings is not None
    before = made.embeddings.position_embeddings.weight.detach().clone()
    start_positions(made)
    after = made.embeddings.position_embeddings.weight
    assert torch.equal(after[:2], before[:2])
    assert torch.allclose(after[2:], sinusoids(18, WIDTH) * made.config.initializer_range * math.sqrt(2.0))
