"""A few rows of each class, drawn by a seed; the others are left to judge by.

In:  rows with one label each, how many of each class, a seed
Out: the rows that are drawn, and those that are not
Knows nothing of files, tasks and models.
"""

from __future__ import annotations

import random
from collections import defaultdict

from bertie.core.errors import DataError, UsageError
from bertie.data.rows import Rows
from bertie.data.split import text_key


def draw_few(rows: Rows, each: int, seed: int) -> tuple[Rows, Rows]:
    """`each` rows of every class, and the rest without the texts that were drawn; the order of the file is kept.

    DataError: fewer than two classes, or several labels a row. UsageError: a class has fewer rows, each text counted
    once: who draws a duplicate has a row less to learn from.
    """
    groups = _by_class(rows)
    smallest = min(groups, key=lambda label: (len(groups[label]), label))
    if len(groups[smallest]) < each:
        raise UsageError(
            f"{rows.source}: the smallest class, {smallest!r}, has {len(groups[smallest])} different texts, asked for "
            f"are {each} of each class; take --examples {len(groups[smallest])} or fewer, or add rows of this class"
        )
    rng = random.Random(seed)
    drawn = {i for label in sorted(groups) for i in rng.sample(groups[label], each)}
    known = {text_key(rows[i]) for i in drawn}
    rest = [i for i in range(len(rows)) if text_key(rows[i]) not in known]
    return rows.take(sorted(drawn)), rows.take(rest)


def _by_class(rows: Rows) -> dict[str, list[int]]:
    """Label to the first places of its different texts."""
    several = next((i for i, row in enumerate(rows) if isinstance(row.get("label"), list)), None)
    if several is not None:
        raise DataError(f"{rows.where(several)}: found a list of labels, expected one label a row; use bertie train")
    places: dict[str, dict[str, int]] = defaultdict(dict)
    for i, row in enumerate(rows):
        places[row["label"]].setdefault(text_key(row), i)
    if len(places) < 2:
        found = ", ".join(map(repr, places)) or "none"
        raise DataError(
            f"{rows.source}: found {len(places)} label ({found}), expected at least two; add rows of another"
        )
    return {label: list(found.values()) for label, found in places.items()}
