"""Replay: the share is kept, every passage can be read, and a round is the same whenever it is asked for."""

from __future__ import annotations

import numpy as np
import pytest

from bertie.data.batches import Rounds
from bertie.data.passages import Curriculum, Pace
from bertie.data.replay import Replay
from tests.data.test_passages import HOW, Text, Texts

OTHERS = 50
"""Numbers of other documents begin here, so that their ids tell them apart."""


class Others(Texts):
    """The same with ids of their own."""

    def __getitem__(self, index: int, /) -> Text:
        one = super().__getitem__(index)
        return Text((one.ids + 100 * OTHERS).astype(np.uint16), one.marks)


def replay(share: float, others: list[int], seed: int = 0) -> Replay:
    own = Curriculum(Texts([60] * 20), HOW, seed, Pace(rounds=4, a_pass=2, short=(16, 0.5)), "own")
    return Replay(own, Others(others), share, "others")


def origins(made: Replay, epoch: int) -> list[bool]:
    """Of each passage whether it is of the other text."""
    return [int(example.target[0].plain[1]) >= 100 * OTHERS for example in made.at(epoch)]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.8])
@pytest.mark.parametrize("others", [[40] * 30, [40], [3, 500, 40]], ids=["many", "one", "long"])
def test_the_share_of_each_round_is_the_other_text(share: float, others: list[int]) -> None:
    for epoch in range(4):
        found = origins(replay(share, others), epoch)
        assert sum(found) == pytest.approx(share * len(found), abs=0.51)
        assert len(found) - sum(found) == len(replay(share, others).own.at(epoch))


def test_passages_are_as_long_as_their_round_and_cost_what_they_say() -> None:
    for epoch, most in ((0, 16), (3, 32)):
        made = replay(0.4, [100] * 9).at(epoch)
        lengths = [len(example.sequences[0].ids) for example in made]
        assert max(lengths) <= most
        assert made.costs == lengths  # type: ignore[attr-defined]


def test_the_same_seed_and_round_give_the_same_and_others_others() -> None:
    def ids(made: Replay, epoch: int) -> list[list[int]]:
        return [example.sequences[0].ids for example in made.at(epoch)]

    first, again, other = replay(0.5, [40] * 30), replay(0.5, [40] * 30), replay(0.5, [40] * 30, seed=1)
    assert isinstance(first, Rounds)
    assert ids(first, 2) == ids(again, 2) != ids(first, 3)
    assert ids(first, 2) != ids(other, 2)
    drawn = first.at(2)
    assert drawn[-1].sequences == drawn[len(drawn) - 1].sequences == drawn[:][-1].sequences
    with pytest.raises(IndexError):
        drawn[len(drawn)]
    assert len({one.fingerprint for one in (first, other, replay(0.4, [40] * 30))}) == 3


def test_all_other_documents_are_drawn_before_one_is_drawn_again() -> None:
    made = replay(0.5, [20] * 10)  # 20 passages of the own text in a round, 10 of the others in a pass
    ids = np.array([int(example.target[0].plain[1]) for example in made.at(3)])
    _, times = np.unique(ids[ids >= 100 * OTHERS], return_counts=True)
    assert times.tolist() == [2] * 10


def test_what_stands_twice_in_a_round_is_masked_anew() -> None:
    made = [example for example in replay(0.8, [30]).at(3) if int(example.target[0].plain[1]) >= 100 * OTHERS]
    assert len({tuple(example.target[0].places.tolist()) for example in made}) > 1
