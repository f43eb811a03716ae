"""How many training rows the floors learn from: all of them, or as many as fit into their part of the budget.

In:  the kinds of floors, training rows, the seconds that fitting may take, or what an earlier session decided
Out: the fitted floors, each with the number of rows that it learned from
Knows nothing of what a floor does: each is timed on a few rows, and where that is not clear, on more of them.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bertie.core.errors import DataError
from bertie.data.rows import Rows
from bertie.evaluation.floors.base import Floor, Ground
from bertie.workflow.choose import sample_places

FLOORS_SHARE = 1 / 3
"""Part of the budget in which the floors are fitted. Where a model is chosen by the time of an epoch, which is three
readings of all rows, the frozen encoder reads them in a fifth of the budget."""
TIMED, FEWEST = 50, 400
"""Rows on which a floor is timed, and on how many it learns in any case: less would be no start for a head."""
WORTH = 2
"""A draw must be so many times as large as the one before to be worth fitting again."""


@dataclass(frozen=True)
class Fitted:
    """A floor with what it learned from."""

    floor: Floor
    rows: int
    """How many rows."""
    size: int
    """How many were asked of `drawn`, which then gives the same rows again."""


@dataclass(frozen=True)
class FloorRows:
    """The bound of what floors learn from; unless something is said there is none."""

    seconds: float = math.inf
    """That fitting all of them may take."""
    decided: Mapping[str, int] = field(default_factory=dict)
    """The size of each floor's draw by its name, where that is known and not to be timed again."""
    seed: int = 0
    """By which rows are drawn."""

    def fit(self, kinds: Sequence[type[Floor]], train: Rows, ground: Ground) -> list[Fitted]:
        """The floors that have something to say about such rows, in the order of their kinds.

        What counts words comes first, as it is mostly quick; what it leaves of the time is the encoder's.
        """
        found, until = dict[str, Fitted | None](), time.monotonic() + self.seconds
        for done, kind in enumerate(sorted(kinds, key=lambda kind: kind.reads_encoder)):
            own = (until - time.monotonic()) / (len(kinds) - done)
            if kind.name in self.decided or self.seconds == math.inf or kind.bounds_rows:
                found[kind.name] = self._fitted(kind, train, ground, self.decided.get(kind.name, len(train)))
            else:
                found[kind.name] = self._fitted_within(own, kind, train, ground)
        return [one for kind in kinds if (one := found[kind.name]) is not None]

    def _fitted(self, kind: type[Floor], train: Rows, ground: Ground, size: int) -> Fitted | None:
        rows = drawn(train, size, self.seed, classes=bool(ground.task.counts(train)))
        floor = kind.fit(rows, ground)
        return None if floor is None else Fitted(floor, len(rows), size)

    def _fitted_within(self, seconds: float, kind: type[Floor], train: Rows, ground: Ground) -> Fitted | None:
        """On as many rows as it learns from in about so many seconds, the timing of smaller draws included."""
        size, until = TIMED, time.monotonic() + seconds
        while len(train) > FEWEST:
            began = time.monotonic()
            few = self._tried(kind, train, ground, size)
            now = time.monotonic()
            if few is None and size >= FEWEST:
                break
            affordable = 0.0 if few is None else few.rows * (until - now) / max(now - began, 1e-6)
            if affordable >= len(train):
                break
            if few is not None and size >= FEWEST and affordable < WORTH * few.rows:
                return few
            # The time of the first rows is rough: whatever they say, they are followed by the fewest.
            size = FEWEST if size < FEWEST else int(affordable)
        return self._fitted(kind, train, ground, len(train))

    def _tried(self, kind: type[Floor], train: Rows, ground: Ground, size: int) -> Fitted | None:
        """None also where so few rows do not hold enough; what all of them lack is said when all are learned from."""
        try:
            return self._fitted(kind, train, ground, size)
        except (DataError, ValueError):
            return None


ALL_ROWS = FloorRows()


def drawn(rows: Rows, size: int, seed: int, *, classes: bool = True) -> Rows:
    """About `size` rows in their order, drawn by the seed: each class in its share, and no label left out. Without
    `classes` a label is a quantity."""
    if size >= len(rows):
        return rows
    order = random.Random(seed).sample(range(len(rows)), len(rows))
    places = {order[i] for i in sample_places(rows.take(order), size)}
    return rows.take(sorted(places | _left_out(rows, places) if classes else places))


def told(fitted: Sequence[Fitted], rows: int) -> list[str]:
    """Lines on the floors that did not learn from all of so many rows."""
    return [
        f"{one.floor.name} learned from {one.rows:,} of {rows:,} rows: all of them would take more than its part of "
        "the budget; --budget gives more"
        for one in fitted
        if one.rows < rows
    ]


def _left_out(rows: Rows, places: set[int]) -> set[int]:
    """A row of each label that these places lack: of several labels a row one that is never the rarest is no class, and
    of labels that are decimal numbers only ranges are."""
    named = [row.get("label") for row in rows]
    labels = [label if isinstance(label, list) else [label] if isinstance(label, str) else [] for label in named]
    known = {label for i in places for label in labels[i]}
    first = {label: i for i in reversed(range(len(labels))) for label in labels[i] if label not in known}
    return set(first.values())
