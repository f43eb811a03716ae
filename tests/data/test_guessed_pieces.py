"""Scores of pieces as a person reads them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from bertie.data.guessed_pieces import Asked, Begun, Guesses
from bertie.data.passages import Passage

NAMES = ["[PAD]", "[SEP]", "good", "好", "bad", "坏", "slow"]
NONE = np.zeros(0, dtype=np.int64)


def spell(piece: int) -> str:
    return NAMES[piece]


SHARES = torch.tensor([0.01, 0.5, 0.2, 0.1, 0.1, 0.05, 0.04])
SCORES = torch.tensor([[0.0, 9.0, 1, 2, 3, 4, 5], [0, 9, 5, 4, 3, 2, 1], [0, 9, 1, 5, 2, 3, 4]]).float()
GOLD, ROW = torch.tensor([1, 2, 3]), torch.tensor([0, 0, 2])
"""Three places, two of them of row 0, none of row 1; a special is the likeliest everywhere."""


def answers(passage: Passage, blocks: tuple[slice, ...] = (slice(None),)) -> list[dict[str, Any]]:
    guesses = Guesses([passage] * 3, SHARES.log(), (0, 1))
    for block in blocks:
        guesses.add(SCORES[block], GOLD[block], ROW[block])
    return guesses.answers()


def test_a_text_is_foretold() -> None:
    told, nothing, _ = answers(Passage(NONE, NONE))
    nats = -torch.tensor([SCORES[0].log_softmax(0)[1], SCORES[1].log_softmax(0)[2]])
    assert told["loss"] == pytest.approx(float(nats.mean()))
    assert told["perplexity"] == pytest.approx(float(nats.mean().exp()))
    assert (told["positions"], told["right"], told["unigram_right"]) == (2, 1, 1)
    assert told["unigram"] == pytest.approx(-(np.log(0.5) + np.log(0.2)) / 2)
    assert nothing == {"loss": 0, "perplexity": 1, "positions": 0, "right": 0, "unigram": 0, "unigram_right": 0}


def test_hidden_pieces_are_named() -> None:
    asked = Asked(NONE, NONE, spell=spell)
    guesses = Guesses([asked, asked], SHARES.log(), (0, 1))
    guesses.add(SCORES, GOLD, torch.tensor([0, 0, 1]))
    two, one = guesses.answers()
    assert [candidate["token"] for candidate in one["candidates"]] == ["[SEP]", "好", "slow", "坏", "bad"]
    assert "masks" not in one
    assert two["candidates"] == two["masks"][0]["candidates"] and len(two["masks"]) == 2


def test_what_comes_next_is_no_special_and_of_several_windows_that_of_the_last() -> None:
    begun = Begun(NONE, NONE, spell=spell)
    guesses = Guesses([begun] * 3, SHARES.log(), (0, 1))
    guesses.add(SCORES, GOLD, ROW)
    guesses.go_on(SCORES[:2], torch.tensor([0, 0]))
    answer, _, other = guesses.answers()
    assert [one["token"] for one in answer["next"]] == ["good", "好", "bad", "坏", "slow"]
    assert sum(one["score"] for one in answer["next"]) == pytest.approx(1.0)
    assert answer["positions"] == 2 and other["next"] == []


def test_places_that_come_one_after_the_other_give_the_same() -> None:
    for passage in (Passage(NONE, NONE), Begun(NONE, NONE, spell=spell)):
        whole, parts = answers(passage), answers(passage, (slice(0, 1), slice(1, 2), slice(2, 3)))
        for one, other in zip(whole, parts, strict=True):
            assert one.get("next") == other.get("next")
            assert {**one, "next": 0} == pytest.approx({**other, "next": 0})
