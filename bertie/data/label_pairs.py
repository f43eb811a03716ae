"""Pairs of rows of the same class and of different classes, as many of the one as of the other.

In:  the class of each row, how many pairs, a seed
Out: pair k, made when it is asked for: memory grows with the rows, never with their square
Knows nothing of texts and models.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple, overload


class Pair(NamedTuple):
    """Two rows by their places."""

    first: int
    second: int
    same: bool
    """Whether they are of one class."""


class LabelPairs(Sequence[Pair]):
    """Every row stands first in turn, once with a partner of its class, once with one of another, and so on.

    The partners of a row go round: its own class is gone through before one comes again, and of the others each class
    has its turn, so a rare one is met as often. A row that is alone in its class is its own partner.
    """

    def __init__(self, classes: Sequence[int], pairs: int, seed: int) -> None:
        """`classes` holds the class of each row; at least two are needed."""
        members: dict[int, list[int]] = defaultdict(list)
        for row, name in enumerate(classes):
            members[name].append(row)
        assert len(members) > 1, "rows of one class have no partner of another"
        rng = random.Random(seed)
        for rows in members.values():
            rng.shuffle(rows)
        order = list(range(len(classes)))
        rng.shuffle(order)
        self._members = [members[name] for name in sorted(members)]
        number = {name: c for c, name in enumerate(sorted(members))}
        self._class = [number[name] for name in classes]
        self._place = {row: i for rows in self._members for i, row in enumerate(rows)}
        self._order, self._pairs = order, pairs

    def __len__(self) -> int:
        return self._pairs

    @overload
    def __getitem__(self, index: int) -> Pair: ...
    @overload
    def __getitem__(self, index: slice) -> list[Pair]: ...
    def __getitem__(self, index: int | slice) -> Pair | list[Pair]:
        if isinstance(index, slice):
            return [self[k] for k in range(self._pairs)[index]]
        if not 0 <= index < self._pairs:
            raise IndexError(f"pair {index} of {self._pairs}")
        turn, at = divmod(index, len(self._order))
        row, same = self._order[at], (at + turn) % 2 == 0
        own, place, step = self._class[row], self._place[row], turn // 2
        if same:
            rows = self._members[own]
            return Pair(row, rows[(place + 1 + step % max(1, len(rows) - 1)) % len(rows)], True)
        others = len(self._members) - 1
        rows = self._members[(own + 1 + (place + step) % others) % len(self._members)]
        return Pair(row, rows[(place + step // others) % len(rows)], False)
