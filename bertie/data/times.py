"""Time order: rows to parts and folds of which each one only comes after what was learned.

In:  rows with a time beside each, a number or a date as ISO 8601 writes it
Out: indices of the parts, or of each fold: rows to learn from, to choose by, to be judged on
Knows nothing of files and tasks.

Rows of one time are never parted. A text that came before is left out where it would be judged: whoever has learned it
knows the answer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from bertie.core.errors import DataError
from bertie.data.rows import Rows
from bertie.data.split import text_key

CHOOSING = 0.1
"""Part of the past, its latest, by which the model of a fold is chosen."""


@dataclass(frozen=True)
class Fold:
    """One division of rows, by their indices, ascending."""

    train: list[int]
    held: list[int]
    """Judged by a model that learned from `train`."""
    dev: list[int] | None = None
    """Rows to choose by, where the fold needs its own."""


def time_split(rows: Rows, fractions: Sequence[float]) -> list[list[int]]:
    """Indices of the rows of each part, oldest part first; DataError: too few different times."""
    order, times = _ordered(rows)
    cuts = [_cut(times, len(times) * sum(fractions[: i + 1]) / sum(fractions)) for i in range(len(fractions) - 1)]
    return _new_texts(rows, _between(rows, order, cuts, len(fractions)))


def time_folds(rows: Rows, count: int) -> list[Fold]:
    """Folds of growing past: the rows in `count` + 1 runs, each but the first judged by what learned from all before.

    DataError: too few different times.
    """
    order, times = _ordered(rows)
    cuts = [_cut(times, len(times) * i / (count + 1)) for i in range(1, count + 1)]
    runs = _between(rows, order, cuts, count + 1)
    folds = []
    for i in range(1, count + 1):
        past, held = [place for run in runs[:i] for place in run], runs[i]
        latest = _cut(times[: len(past)], len(past) * (1 - CHOOSING))
        train, dev, held = _new_texts(rows, [*_between(rows, past, [latest], 2), held])
        folds.append(Fold(train, held, dev))
    return folds


def times_of(rows: Rows) -> list[float]:
    """The time of each row: numbers as they are, dates as seconds; without a zone in that of Greenwich.

    DataError names the rows with neither, and those with NaN or infinity: among them rows would have no order.
    """
    try:
        found = [float(value) for value in rows.beside]
    except ValueError:
        found = [_seconds(value) for value in rows.beside]
    problems = [
        f"{rows.where(i)}: the time is {rows.beside[i]!r}, expected a number, or a date such as 2026-03-01 or "
        "2026-03-01T12:30; correct the row"
        for i, time in enumerate(found)
        if not math.isfinite(time)
    ]
    if problems:
        raise DataError(problems)
    return found


def _seconds(date: str) -> float:
    """Since 1970; NaN where it is no date."""
    try:
        moment = datetime.fromisoformat(date)
    except ValueError:
        return math.nan
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _ordered(rows: Rows) -> tuple[list[int], list[float]]:
    """Indices by time, oldest first, and their times."""
    times = times_of(rows)
    order = sorted(range(len(rows)), key=lambda i: (times[i], i))
    return order, [times[i] for i in order]


def _cut(times: Sequence[float], wanted: float) -> int:
    """The place of a change of times nearest to the wanted one, between 1 and the end; the end where there is none."""
    changes = [i for i in range(1, len(times)) if times[i] != times[i - 1]]
    return min(changes, key=lambda place: abs(place - wanted), default=len(times))


def _between(rows: Rows, order: Sequence[int], cuts: Sequence[int], parts: int) -> list[list[int]]:
    """The runs between these cuts; DataError where one would be empty."""
    ends = [0, *cuts, len(order)]
    found = [list(order[start:end]) for start, end in pairwise(ends)]
    if not all(found):
        different = len({rows.beside[i] for i in order})
        raise DataError(
            f"{rows.source}: {len(order)} rows with {different} different times cannot be divided into {parts} parts "
            "of which each comes after the one before; take fewer --folds, or a finer --time-column"
        )
    return found


def _new_texts(rows: Rows, parts: Sequence[Sequence[int]]) -> list[list[int]]:
    """The parts without texts that stand in an earlier one, ascending; DataError where nothing is left of one."""
    seen: set[str] = set()
    kept = []
    for part in parts:
        keys = {i: text_key(rows[i]) for i in part}
        kept.append(sorted(i for i, key in keys.items() if key not in seen))
        seen |= set(keys.values())
    if not all(kept):
        raise DataError(
            f"{rows.source}: every text of one part stands in an earlier one too; take fewer --folds, or drop "
            "duplicates"
        )
    return kept
