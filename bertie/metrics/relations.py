"""Relations: labels that name a relation and its direction, judged as SemEval-2010 task 8 judges them.

In:  gold and predicted labels such as `Cause-Effect(e1,e2)`, `Cause-Effect(e2,e1)` and `Other`
Out: `DirectedScores`: the official macro F1, the table per relation, a Sample with its interval
Knows nothing of texts, entities or models.

The official score (Hendrickx et al. 2010, and version 1.2 of their script) is the mean F1 over the relations, of which
both directions are one. The right relation with the wrong direction is wrong, and counts twice: as something claimed
that is not so, and as something that is so and was not found.

    gold                   predicted              Cause-Effect    Content-Container
    Cause-Effect(e1,e2)    Cause-Effect(e1,e2)    right
    Cause-Effect(e1,e2)    Cause-Effect(e2,e1)    extra, missed
    Cause-Effect(e1,e2)    Content-Container(..)  missed          extra
    Other                  Cause-Effect(e2,e1)    extra

As in the script, the mean runs over the relations that occur in gold; what is claimed of any other is as if it were
Other. `Other` has no F1 of its own, only its rows that are taken for a relation count.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bertie.metrics.intervals import RESAMPLES, Interval, f1_interval, paired_f1_difference
from bertie.metrics.labels import AVERAGES, Cell, Counts, Floats, Outcomes, f1_of_counts, per_class
from bertie.metrics.rows import check_rows
from bertie.metrics.samples import F1Sample, Sample

# K relations
OFFICIAL = "official_macro_f1"
OTHER = "Other"
_DIRECTED = re.compile(r"(.+)\((?:e1,e2|e2,e1)\)")


@dataclass(frozen=True)
class DirectedScores:
    """What `directed_scores` gives."""

    value: float
    """The official macro F1, 0 to 1."""
    outcomes: Outcomes
    """Right, extra and missed of each relation, both directions as one."""
    per_relation: list[dict[str, Any]]
    """As `per_class` of labels."""


@dataclass(frozen=True)
class DirectedSample(Sample):
    """Averages of F1 over labels, and the official one over relations."""

    labels: F1Sample
    relations: Outcomes
    names = (*AVERAGES, OFFICIAL)

    def interval(self, name: str) -> Interval:
        return directed_interval(self.relations) if name == OFFICIAL else self.labels.interval(name)

    def difference(self, other: Sample, name: str) -> Interval:
        assert isinstance(other, DirectedSample), "two models are compared by the same metric"
        if name != OFFICIAL:
            return self.labels.difference(other.labels, name)
        return paired_directed_difference(self.relations, other.relations)


def are_directed(labels: Sequence[str]) -> bool:
    """Whether every label is `Other` or names a relation and its direction, and there is one that does."""
    named = [label for label in labels if label != OTHER]
    return bool(named) and all(_DIRECTED.fullmatch(label) for label in named)


def relation_of(label: str) -> str | None:
    """The relation of a label, without its direction; None for `Other`, or any label without one."""
    match = _DIRECTED.fullmatch(label)
    return match[1] if match else None


def directed_scores(gold: Sequence[str], predicted: Sequence[str], labels: Sequence[str]) -> DirectedScores:
    """The official score; `labels` are those of the training. DataError: no rows."""
    check_rows(gold, predicted)
    relations = sorted({name for label in [*labels, *gold] if (name := relation_of(label)) is not None})
    place = {name: i for i, name in enumerate(relations)}
    pairs: dict[tuple[str, str], int] = {}
    of_row = np.array([pairs.setdefault(pair, len(pairs)) for pair in zip(gold, predicted, strict=True)])
    outcomes = Outcomes.of(_cells(pairs, place), len(relations), of_row)
    total = outcomes.total()  # (3, K)
    return DirectedScores(float(official_macro_f1(total)), outcomes, per_class(relations, total))


def _cells(pairs: Iterable[tuple[str, str]], place: Mapping[str, int]) -> Iterator[Cell]:
    """What pairs of gold and predicted labels count of each relation, by its place."""
    for number, (truth, guess) in enumerate(pairs):
        asked, said = place.get(relation_of(truth) or ""), place.get(relation_of(guess) or "")
        if asked is not None:
            yield number, asked, 0 if truth == guess else 2, 1
        if said is not None and truth != guess:
            yield number, said, 1, 1


def official_macro_f1(counts: Counts | Floats) -> Floats:
    """Mean F1 of the relations that occur in gold, of (..., 3, K) counts to (...).

    Without any, where the script divides by zero: 1.0 where none is claimed either, else 0.0.
    """
    occurs = counts[..., 0, :] + counts[..., 2, :] > 0  # (..., K)
    f1 = np.where(occurs, f1_of_counts(np.moveaxis(counts, -2, -1)), 0.0)
    return np.where(occurs.any(-1), f1.sum(-1) / np.maximum(occurs.sum(-1), 1), f1_of_counts(counts.sum(-1)))


def directed_interval(outcomes: Outcomes, seed: int = 0, resamples: int = RESAMPLES) -> Interval:
    """95 % interval of the official score, by bootstrap over rows; where all or none is right, Wilson's over rows."""
    return f1_interval(outcomes, official_macro_f1, seed, resamples)


def paired_directed_difference(a: Outcomes, b: Outcomes, seed: int = 0, resamples: int = RESAMPLES) -> Interval:
    """95 % interval of the official score of `a` minus that of `b`, two models on the same rows and labels.

    Both on the same draws; zero is inside where they differ in four rows or fewer.
    """
    assert a.kinds.shape[1] == b.kinds.shape[1], "two models of one task have the same relations"
    return paired_f1_difference(a, b, official_macro_f1, seed, resamples)
