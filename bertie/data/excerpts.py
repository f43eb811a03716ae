"""Excerpts: of a long passage the sentences around its answer, which are all that a training row needs to show.

In:  rows of question answering
Out: the same rows with shorter passages, and of some a part that holds no answer
Knows nothing of models, windows or pieces of a vocabulary.

A model must read what it learns from, and most of a passage teaches nothing: of 700 Han characters the answer has ten.
What stands elsewhere in long passages is met by parts without an answer, as each window of a long text is one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from bertie.data.rows import Row
from bertie.text.least_pieces import least_pieces
from bertie.text.sentences import Place, sentences

EMPTY = 3
"""Of so many rows with a long passage one is also shown a part without its answer."""


def excerpts(row: Row, pieces: int, random: Random) -> list[Row]:
    """The row with the sentences around its first answer that are at most so many pieces, and perhaps a part without
    any answer. A short passage stays whole; of one without an answer some part is taken.
    """
    places = sentences(row["context"])
    sizes = [least_pieces(row["context"][slice(*place)]) for place in places]
    if sum(sizes) <= pieces:
        return [row]
    if not row["answers"]:
        return [_part(row, places, _grown(sizes, _any(sizes, random), pieces, random))]
    answer = row["answers"][0]
    first, last = _at(places, answer["start"]), _at(places, answer["start"] + len(answer["text"]) - 1)
    found = [_part(row, places, _grown(sizes, (first, last), pieces, random))]
    if random.randrange(EMPTY) == 0:
        other = _part(row, places, _grown(sizes, _any(sizes, random), pieces, random))
        if not any(one["text"] in other["context"] for one in row["answers"]):
            found.append(other)
    return found


def _any(sizes: Sequence[int], random: Random) -> Place:
    place = random.randrange(len(sizes))
    return place, place


def _at(places: Sequence[Place], character: int) -> int:
    """The sentence in which a character stands, or before which, where it is a space between two."""
    return next((i for i, (_, end) in enumerate(places) if character < end), len(places) - 1)


def _grown(sizes: Sequence[int], part: Place, pieces: int, random: Random) -> Place:
    """First and last sentence, with others before and behind them in random order, as long as they fit."""
    first, last = part
    left = pieces - sum(sizes[first : last + 1])
    while True:
        sides = [side for side in (first - 1, last + 1) if 0 <= side < len(sizes) and sizes[side] <= left]
        if not sides:
            return first, last
        side = random.choice(sides)
        left -= sizes[side]
        first, last = min(first, side), max(last, side)


def _part(row: Mapping[str, Any], places: Sequence[Place], part: Place) -> Row:
    """The row with these sentences alone; of its answers those that stand in them."""
    start, end = places[part[0]][0], places[part[1]][1]
    answers = [
        {**answer, "start": answer["start"] - start}
        for answer in row["answers"]
        if start <= answer["start"] and answer["start"] + len(answer["text"]) <= end
    ]
    return {**row, "context": row["context"][start:end], "answers": answers}
