"""Folds: rows divided several times, so that each is judged by a model that has not learned from it.

In:  rows, perhaps with a group beside each, the number of folds, a seed
Out: for each fold the indices of the rows to learn from and of those to be judged; DataError where that cannot be
Knows nothing of files, tasks and models. Folds in the order of time are made in `times`.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence

from bertie.core.errors import DataError
from bertie.data.rows import Rows
from bertie.data.split import as_numbers, inseparable, strata_of
from bertie.data.times import Fold


def stratified_folds(rows: Rows, count: int, seed: int) -> list[Fold]:
    """Every class in each fold, duplicates in one of them; DataError names a class with fewer texts than folds."""
    together = inseparable(rows)
    _refuse_small_class(rows, together, count)
    _refuse_few(rows, len(together), count, "different texts", "add rows")
    return _deal(rows, together, count, seed)


def grouped_folds(rows: Rows, count: int, seed: int) -> list[Fold]:
    """A group, and texts that stand in several, in one fold; classes as evenly as that allows.

    DataError: fewer groups than folds.
    """
    together = inseparable(rows, rows.beside)
    named = len(set(rows.beside))
    shared = "" if named == len(together) else f" (of {named}, some of which share a text)"
    _refuse_few(rows, len(together), count, f"groups{shared}", "take a --group-column with more of them")
    return _deal(rows, together, count, seed)


def _deal(rows: Rows, together: Sequence[list[int]], count: int, seed: int) -> list[Fold]:
    """What is inseparable to the folds: rare classes first, large ones of a class first, each to the fold that has
    fewest of its class, and of those to the one with fewest rows.
    """
    names = strata_of(rows)
    strata: dict[str, list[list[int]]] = defaultdict(list)
    for group in together:
        counts = Counter(names[i] for i in group)
        strata[min(counts, key=lambda name: (-counts[name], name))].append(group)
    rng = random.Random(seed)
    held: list[list[int]] = [[] for _ in range(count)]
    have: list[Counter[str]] = [Counter() for _ in range(count)]
    for name in sorted(strata, key=lambda name: (len(strata[name]), name)):
        for group in sorted(rng.sample(strata[name], len(strata[name])), key=len, reverse=True):
            fold = min(range(count), key=lambda k: (have[k][name], len(held[k]), k))
            held[fold].extend(group)
            have[fold].update(names[i] for i in group)
    everything = set(range(len(rows)))
    return [Fold(sorted(everything - set(part)), sorted(part)) for part in held]


def _refuse_few(rows: Rows, found: int, count: int, what: str, advice: str) -> None:
    if found < count:
        raise DataError(
            f"{rows.source}: {len(rows)} rows to be divided have {found} {what}, fewer than the {count} folds; "
            f"take --folds {found} or less, or {advice}"
        )


def _refuse_small_class(rows: Rows, together: Sequence[list[int]], count: int) -> None:
    labels = rows.column("label")
    if labels[0] is None or as_numbers(labels) is not None:
        return
    texts: Counter[str] = Counter()
    for group in together:
        texts.update({name for i in group for name in (labels[i] if isinstance(labels[i], list) else [labels[i]])})
    smallest = min(texts, key=lambda name: (texts[name], name), default=None)
    if smallest is not None and texts[smallest] < count:
        fewer = f"take --folds {texts[smallest]} or less, " if texts[smallest] > 1 else ""
        raise DataError(
            f"{rows.source}: label {smallest!r} has {texts[smallest]} different texts among the {len(rows)} rows to be "
            f"divided, fewer than the {count} folds, so that a fold would be without it; {fewer}"
            "add rows of it, or leave it out"
        )
