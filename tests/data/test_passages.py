"""Passages: everything is read, joined as it should be, and the same again from the same seed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from bertie.data.batches import Rounds, of_epoch
from bertie.data.masking import Vocabulary
from bertie.data.passages import Arrangement, Curriculum, Pace, Passages, most_rounds
from bertie.text.marks import SENTENCE, WORD

VOCABULARY = Vocabulary(size=60_000, mask=4, specials=(0, 1, 2, 3, 4))
HOW = Arrangement(vocabulary=VOCABULARY, cls=2, sep=3, length=32)


@dataclass(frozen=True)
class Text:
    """A tokenised text."""

    ids: NDArray[np.uint16]
    marks: NDArray[np.uint8]


class Texts:
    """Texts whose ids are 100 x their number + place, in words of two tokens and sentences of six."""

    def __init__(self, lengths: list[int]) -> None:
        self.lengths = np.array(lengths)

    def __getitem__(self, index: int, /) -> Text:
        places = np.arange(self.lengths[index])
        marks = np.where(places % 2 == 0, WORD, 0) | np.where(places % 6 == 0, SENTENCE, 0)
        return Text((100 * (index + 1) + places).astype(np.uint16), marks.astype(np.uint8))


def passages(lengths: list[int], seed: int = 0, **how: object) -> Passages:
    return Passages(Texts(lengths), range(len(lengths)), replace(HOW, **how), (seed,))


def test_every_token_stands_in_one_passage_and_none_is_too_long() -> None:
    made = passages([5, 30, 31, 95, 64, 2])
    seen = [token for i in range(len(made)) for token in made[i].target[0].plain.tolist() if token > 4]
    wanted = [100 * (n + 1) + k for n, length in enumerate([5, 30, 31, 95, 64]) for k in range(length)]
    assert sorted(seen) == sorted(wanted)
    assert all(len(example.sequences[0]) <= 32 for example in made[:])
    assert made.costs == [len(example.sequences[0]) for example in made[:]]


def test_the_model_sees_masks_where_pieces_are_asked_for_and_the_text_elsewhere() -> None:
    for example in passages([90], judging=True, rate=0.3)[:]:
        [passage], [sequence] = example.target, example.sequences
        seen = np.array(sequence.ids)
        assert (seen[passage.places] == 4).all()
        assert (np.delete(seen, passage.places) == np.delete(passage.plain, passage.places)).all()
        assert passage.plain[0] == 2 and passage.plain[-1] == 3


def test_the_same_seed_gives_the_same_whatever_was_read_before() -> None:
    first, second = passages([95, 64, 30]), passages([95, 64, 30])
    second[4]
    assert [e.sequences for e in first[:]] == [e.sequences for e in second[:]]
    assert [e.sequences for e in first[:]] != [e.sequences for e in passages([95, 64, 30], seed=1)[:]]


def test_a_second_part_follows_or_comes_from_another_text() -> None:
    made = passages([90] * 60, join="next", rate=0.0)
    flags = [example.target[0].joined for example in made[:]]
    assert 0.35 < np.mean(flags) < 0.65
    assert made.costs == [len(example.sequences[0]) for example in made[:]] and max(made.costs) <= 32
    for example in made[:]:
        plain, types = example.target[0].plain, np.array(example.sequences[0].type_ids)
        first, second = (plain[(types == side) & (plain > 4)] for side in (0, 1))
        same_text = first[-1] // 100 == second[0] // 100
        assert same_text == (example.target[0].joined == 1)
        if same_text:
            assert second[0] == first[-1] + 1 and (second[0] % 100) % 6 == 0  # at the start of a sentence


def test_in_order_or_swapped() -> None:
    made = passages([90] * 40, join="order", rate=0.0)
    assert {example.target[0].joined for example in made[:]} == {0, 1}
    for example in made[:]:
        plain, types = example.target[0].plain, np.array(example.sequences[0].type_ids)
        first, second = (plain[(types == side) & (plain > 4)] for side in (0, 1))
        assert (second[0] == first[-1] + 1) == (example.target[0].joined == 1)
        assert (first[0] == second[-1] + 1) == (example.target[0].joined == 0)


def test_the_length_of_a_second_part_does_not_tell_a_stranger_among_few_passages() -> None:
    lengths = np.random.default_rng(0).integers(8, 30, 300).tolist()
    made = passages(lengths, join="next")
    apart = [
        abs(lengths[chunk.document] - lengths[second[0]])
        for chunk, second, joined in zip(made.chunks, made.seconds, made.joined, strict=True)
        if joined == 0
    ]
    assert len(apart) > 100 and max(apart) <= 2


def test_beside_one_long_document_strangers_come_from_the_others() -> None:
    made = passages([600, *[60] * 3], join="next")
    strangers = {(chunk.document == 0, second[0] == 0) for chunk, second, joined in zip(
        made.chunks, made.seconds, made.joined, strict=True
    ) if joined == 0}  # fmt: skip
    assert 0.3 < np.mean(made.joined) < 0.7
    assert (True, True) not in strangers and (True, False) in strangers


def test_where_there_is_no_other_text_the_part_that_follows_is_taken() -> None:
    assert {example.target[0].joined for example in passages([90], join="next")[:]} == {1}


def test_rounds_read_every_document_once_a_pass_short_passages_first() -> None:
    texts = Texts([60] * 30)
    rounds = Curriculum(texts, HOW, 5, Pace(rounds=6, a_pass=3, short=(16, 0.5)), "x")
    assert isinstance(rounds, Rounds)
    documents = [{chunk.document for chunk in rounds.at(epoch).chunks} for epoch in range(6)]
    assert sorted(n for part in documents[:3] for n in part) == list(range(30))
    assert sorted(n for part in documents[3:] for n in part) == list(range(30))
    assert [max(rounds.at(epoch).costs) <= 16 for epoch in range(6)] == [True] * 3 + [False] * 3
    assert [e.sequences for e in of_epoch(rounds, 4)] == [e.sequences for e in rounds.at(4)[:]]


def test_of_few_documents_each_round_reads_some_passages_of_all() -> None:
    rounds = Curriculum(Texts([95] * 5), replace(HOW, join="next"), 5, Pace(rounds=4, a_pass=4), "x")
    made = [rounds.at(epoch) for epoch in range(4)]
    read = sorted((chunk.document, chunk.start) for one in made for chunk in one.chunks)
    assert read == sorted({(document, 95 * k // 4) for document in range(5) for k in range(4)})
    assert all(len(one) == 5 and {0, 1} == set(one.joined) for one in made[:2])


def test_how_finely_a_pass_can_be_divided() -> None:
    assert most_rounds(Texts([3] * 50 + [5]), HOW) == 1
    assert most_rounds(Texts([5] * 80), HOW) == 10
    assert most_rounds(Texts([2400]), HOW) == 10


@pytest.mark.parametrize(
    ("rounds", "fitting", "short"),
    [(1, 1.0, 0), (2, 1.0, 1), (3, 1.0, 2), (10, 1.0, 6), (11, 1.0, 7), (10, 0.5, 3), (20, 0.1, 1), (20, 0.01, 0)],
)
def test_the_short_part_is_one_of_the_rounds_that_fit_and_never_the_last(
    rounds: int, fitting: float, short: int
) -> None:
    pace = Pace(rounds=rounds, a_pass=1, short=(16, 0.6))
    assert [pace.is_short(epoch, fitting) for epoch in range(rounds)] == [True] * short + [False] * (rounds - short)
    made = Curriculum(Texts([60] * 4), HOW, 5, pace, "x")
    for epoch in range(rounds):
        assert (max(made.at(epoch, fitting).costs) <= 16) == (epoch < short)


@pytest.mark.parametrize("join", [None, "next", "order"])
def test_masks_are_drawn_anew_in_each_round(join: str | None) -> None:
    how = replace(HOW, join=join)
    rounds = Curriculum(Texts([60] * 4), how, 5, Pace(rounds=4, a_pass=1), "x")
    places = [[e.target[0].places.tolist() for e in rounds.at(epoch)[:]] for epoch in (0, 1)]
    assert places[0] != places[1]
