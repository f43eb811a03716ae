"""Units: the smallest parts of a text that an entity can be made of, and where a model sees them.

In:  a text, its pieces in one window or several; places in characters
Out: for each unit its characters, its shape and the token that carries it; places as runs of units
Knows nothing of tags, models and files.

A unit is a token of `tokens.marked_tokens`: a run of letters and digits, a Han character, or a mark. Its first piece
speaks for it (Devlin et al. 2019, section 5.3):

    characters     i P h o n e 1 5   在   上   海   发   布   。
    units          0                 1    2    3    4    5    6
    pieces   [CLS] iphone  ##15      在   上   海   发   布   。    [SEP]
    token    0     1       2         3    4    5    6    7    8     9
    carriers       1                 3    4    5    6    7    8

A vocabulary can hold several marks as one piece, such as `》，`. It then carries two units, the second of which has the
shape "rest", so that the two can be told apart.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf

from bertie.data.tokens import Offsets, marked_tokens
from bertie.text.tokenizer import Encoded

SHAPES = ("none", "mark", "digits", "caseless", "lower", "capital", "upper", "shouted", "mixed", "rest")
"""How a unit is written. "none" is beyond the text's ends; "caseless" are Han and other scripts; "shouted" is "upper"
in a text that has no small letter, where capitals say nothing; "rest" shares its piece with the unit before."""
_NONE, _MARK, _DIGITS, _CASELESS, _LOWER, _CAPITAL, _UPPER, _SHOUTED, _MIXED, _REST = range(len(SHAPES))


@dataclass(frozen=True, slots=True)
class Window:
    """Neighbouring units that one sequence shows."""

    first: int
    """The first of them."""
    tokens: tuple[int, ...]
    """The token of the sequence that carries each."""

    @property
    def end(self) -> int:
        """The unit behind the last."""
        return self.first + len(self.tokens)


@dataclass(frozen=True)
class Units:
    """The units of a text that a model sees; those without a piece (a control character, what was cut) are left out."""

    offsets: Offsets
    """Characters [start, end) of each."""
    shapes: tuple[int, ...]
    """Index into `SHAPES` of each."""
    windows: tuple[Window, ...]
    """One for each sequence of the row."""

    def __len__(self) -> int:
        return len(self.offsets)

    @cached_property
    def carriers(self) -> list[tuple[int, int]]:
        """For each unit the window in which it stands furthest from an edge, and its token there."""
        chosen = [self.best_window(unit, unit) for unit in range(len(self))]
        return [(w, self.windows[w].tokens[unit - self.windows[w].first]) for unit, w in enumerate(chosen)]

    def best_window(self, first: int, last: int) -> int:
        """The window in which the units first to last stand furthest from an edge; of equal ones the earlier."""
        return max(range(len(self.windows)), key=lambda w: self._margin(w, first, last))

    def _margin(self, number: int, first: int, last: int) -> float:
        """Units between the run and the nearest edge at which the text goes on; -1 where it is not all inside."""
        window = self.windows[number]
        if not window.first <= first <= last < window.end:
            return -1
        before = first - window.first if number > 0 else inf
        behind = window.end - 1 - last if number < len(self.windows) - 1 else inf
        return min(before, behind)


def units_of(text: str, sequences: Sequence[Encoded]) -> Units:
    """The units of a text as these sequences of it show them."""
    offsets = marked_tokens(text)
    found = [_carried(offsets, sequence) for sequence in sequences]
    seen = sorted(set().union(*found))
    place = {unit: i for i, unit in enumerate(seen)}
    shared = {unit for tokens in found for unit, token in tokens.items() if tokens.get(unit - 1) == token}
    shouting = text.isupper()
    return Units(
        [offsets[unit] for unit in seen],
        tuple(_REST if unit in shared else shape(text[slice(*offsets[unit])], shouting) for unit in seen),
        tuple(Window(place[min(tokens)] if tokens else 0, tuple(tokens.values())) for tokens in found),
    )


def _carried(offsets: Offsets, sequence: Encoded) -> dict[int, int]:
    """Unit to the first token that holds a character of it, in order."""
    places = zip(sequence.offsets, sequence.sequence, strict=True)
    pieces = [(token, start, end) for token, ((start, end), side) in enumerate(places) if side == 0 and start < end]
    found, at = dict[int, int](), 0
    for unit, (first, last) in enumerate(offsets):
        while at < len(pieces) and pieces[at][2] <= first:
            at += 1
        if at < len(pieces) and pieces[at][1] < last:
            found[unit] = pieces[at][0]
    return found


def shape(unit: str, shouting: bool) -> int:
    """How a unit is written, as an index into `SHAPES`; `shouting`: no small letter is in the whole text."""
    if not any(character.isalnum() for character in unit):
        return _MARK
    if unit.lower() == unit.upper():
        return _DIGITS if any(character.isdigit() for character in unit) else _CASELESS
    if unit.islower():
        return _LOWER
    if unit.isupper():
        return _SHOUTED if shouting else _UPPER
    return _CAPITAL if unit[0].isupper() and unit[1:].islower() else _MIXED


def run_of(offsets: Offsets, start: int, end: int) -> tuple[int, int] | None:
    """The first and the last unit of which [start, end) holds a character; None where it holds none."""
    first = bisect_right(offsets, start, key=lambda unit: unit[1])
    last = bisect_left(offsets, end, key=lambda unit: unit[0]) - 1
    return (first, last) if first <= last else None


def is_whole(offsets: Offsets, start: int, end: int) -> bool:
    """Whether [start, end) begins where a unit begins and ends where one ends."""
    run = run_of(offsets, start, end)
    return run is not None and (offsets[run[0]][0], offsets[run[1]][1]) == (start, end)
