"""Scores of pieces as a person reads them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bertie.data.guessed_pieces import Asked, Begun, Guesses
from bertie.data.passages import Passage

NAMES = ["[PAD]", "[SEP]", "good", "好", "bad", "坏", "slow"]
NONE = np.zeros(0, dtype=np.int64)


def spell(piece: int) -> str:
    return NAMES[piece]


@pytest.fixture
def guesses() -> Guesses:
    """Three places, two of them of row 0, none of row 1; a special is the likeliest everywhere."""
    shares = torch.tensor([0.01, 0.5, 0.2, 0.1, 0.1, 0.05, 0.04])
    scores = torch.tensor([[0.0, 9.0, 1, 2, 3, 4, 5], [0, 9, 5, 4, 3, 2, 1], [0, 9, 1, 5, 2, 3, 4]]).float()
    return Guesses(scores, torch.tensor([1, 2, 3]), torch.tensor([0, 0, 2]), shares.log(), (0, 1))


def test_a_text_is_foretold(guesses: Guesses) -> None:
    told = guesses.of(0, Passage(NONE, NONE))
    nats = -torch.tensor([guesses.scores[0].log_softmax(0)[1], guesses.scores[1].log_softmax(0)[2]])
    assert told["loss"] == pytest.approx(float(nats.mean()))
    assert told["perplexity"] == pytest.approx(float(nats.mean().exp()))
    assert (told["positions"], told["right"], told["unigram_right"]) == (2, 1, 1)
    assert told["unigram"] == pytest.approx(-(np.log(0.5) + np.log(0.2)) / 2)
    assert guesses.of(1, Passage(NONE, NONE))["positions"] == 0


def test_hidden_pieces_are_named(guesses: Guesses) -> None:
    asked = Asked(NONE, NONE, spell=spell)
    [one] = [guesses.of(2, asked)]
    assert [candidate["token"] for candidate in one["candidates"]] == ["[SEP]", "好", "slow", "坏", "bad"]
    two = guesses.of(0, asked)
    assert two["candidates"] == two["masks"][0]["candidates"] and len(two["masks"]) == 2


def test_what_comes_next_stands_behind_the_last_place_and_is_no_special(guesses: Guesses) -> None:
    answer = guesses.of(0, Begun(NONE, NONE, spell=spell))
    assert [one["token"] for one in answer["next"]] == ["good", "好", "bad", "坏", "slow"]
    assert sum(one["score"] for one in answer["next"]) == pytest.approx(1.0)
    assert answer["positions"] == 2
