"""Split: rows into parts of given sizes, every class in each part, duplicates never on two sides.

In:  rows, fractions, a seed
Out: for each fraction the indices of its rows, ascending
Knows nothing of files and tasks.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bertie.data.rows import Row
from bertie.text.normalise import fold

BINS = 5
"""Strata of a label that is a number with many values."""


def stratified_split(
    rows: Iterable[Row], fractions: Sequence[float], seed: int, groups: Sequence[str] = ()
) -> list[list[int]]:
    """Indices of the rows of each part; together every row exactly once.

    Rows that are `inseparable` stay together. The first part (train) gets what exists only once. The others get
    at least one of them of a class where that leaves at least half of the class to the first.
    """
    table = list(rows)
    strata: dict[str, list[list[int]]] = defaultdict(list)
    names = strata_of(table)
    for group in inseparable(table, groups):
        strata[names[group[0]]].append(group)
    rng = random.Random(seed)
    parts: list[list[int]] = [[] for _ in fractions]
    for name in sorted(strata):
        for part, found in zip(parts, _deal(strata[name], fractions, rng), strict=True):
            part.extend(found)
    return [sorted(part) for part in parts]


def inseparable(rows: Sequence[Row], groups: Sequence[str] = ()) -> list[list[int]]:
    """Rows that must stay on one side, together every row once, in the order of their first ones.

    They share their folded texts, also in the other order, or the name of a group, or both with a third one: a text
    that two groups share makes one of the two.
    """
    parents = list(range(len(rows)))

    def first(i: int) -> int:
        while parents[i] != i:
            parents[i] = parents[parents[i]]
            i = parents[i]
        return i

    for keys in ([text_key(row) for row in rows], [pair_key(row) for row in rows], groups):
        seen: dict[str, int] = {}
        for i, key in enumerate(keys):
            one, other = sorted((first(seen.setdefault(key, i)), first(i)))
            parents[other] = one
    found: dict[int, list[int]] = defaultdict(list)
    for i in range(len(rows)):
        found[first(i)].append(i)
    return list(found.values())


def text_key(row: Mapping[str, Any]) -> str:
    """What two rows share that are duplicates: their folded texts without the label; all questions on one passage."""
    texts = [fold(str(row[name])) for name in ("text", "text_a", "text_b", "context") if name in row]
    return "\0".join(texts) or fold(str(row.get("query", row.get("question", row))))


def pair_key(row: Mapping[str, Any]) -> str:
    """What two rows share that are one pair, whichever way round: what is learned of (a, b) is known of (b, a)."""
    for sides in (("text_a", "text_b"), ("query", "positive")):
        if all(side in row for side in sides):
            return "\0".join(sorted(fold(str(row[side])) for side in sides))
    return text_key(row)


def strata_of(rows: Sequence[Row]) -> list[str]:
    """The class of each row: its label, the rarest of several, or the fifth of the range that a number falls into.

    Of a row without a label the labels in it are those of its relations, else of its entities.
    """
    labels = [row["label"] if "label" in row else _labels_inside(row) for row in rows]
    numbers = as_numbers(labels)
    if numbers is not None:
        ordered = sorted(numbers)
        edges = [ordered[len(ordered) * k // BINS] for k in range(1, BINS)]
        return [str(sum(number >= edge for edge in edges)) for number in numbers]
    counts = Counter(name for label in labels for name in (label if isinstance(label, list) else [label]))
    return [
        min(label, key=lambda name: (counts[name], name), default="") if isinstance(label, list) else str(label)
        for label in labels
    ]


def _labels_inside(row: Row) -> list[str] | str:
    if "entities" not in row:
        return ""
    return [part["label"] for part in row.get("relations") or row["entities"]]


def as_numbers(labels: Sequence[Any]) -> list[float] | None:
    """The labels as numbers if they measure something (a regression), else None: few numbers are names of classes.

    So are many whole numbers where a value comes back, as 0 to 149 for 150 intents do.
    """
    distinct = {label if isinstance(label, str) else "" for label in labels}
    try:
        values = {label: float(label) for label in distinct}
    except ValueError:
        return None
    whole = all(value.is_integer() for value in values.values())
    numbered = whole and 2 * len(values) <= len(labels)
    if numbered or len(values) <= (max(20, len(labels) // 50) if whole else 20):
        return None
    return [values[label] for label in labels]


def _deal(groups: list[list[int]], fractions: Sequence[float], rng: random.Random) -> list[list[int]]:
    """The groups of one class to the parts: large groups first, each to the part that lacks most of its share."""
    order = sorted(rng.sample(groups, len(groups)), key=len, reverse=True)
    sizes = _sizes([len(group) for group in order], fractions)
    parts: list[list[int]] = [[] for _ in fractions]
    for group in order:
        lacking = [size - len(part) for size, part in zip(sizes, parts, strict=True)]
        # A group goes where it fits; the first part takes what fits nowhere, for it must not be the smallest.
        fitting = [k for k in range(len(parts)) if len(group) <= lacking[k]]
        parts[max(fitting, key=lambda k: lacking[k], default=0)].extend(group)
    return parts


def _sizes(groups: Sequence[int], fractions: Sequence[float]) -> list[int]:
    """Rows of each part for a class of these groups; the first part takes what rounding leaves."""
    rows, smallest = sum(groups), min(groups)
    free = min(rows // 2, rows - smallest)
    sizes = []
    for fraction in fractions[1:]:
        size = min(max(smallest, round(rows * fraction / sum(fractions))), free)
        size = size if size >= smallest else 0
        sizes.append(size)
        free -= size
    return [rows - sum(sizes), *sizes]
