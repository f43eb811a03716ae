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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bertie.metrics.intervals import LEVEL, RESAMPLES, Interval, cautious, percentile_interval, wilson_interval
from bertie.metrics.labels import AVERAGES, Counts, Floats, Kinds, Outcomes, f1_of_counts, per_class
from bertie.metrics.rows import check_rows
from bertie.metrics.samples import F1Sample, Sample

# N rows, U kinds of rows, K relations, R resamples
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
    kinds = np.zeros((len(pairs), 3, len(relations)), dtype=np.int8)  # (U, 3, K)
    for (truth, guess), number in pairs.items():
        asked, said = place.get(relation_of(truth) or ""), place.get(relation_of(guess) or "")
        if asked is not None:
            kinds[number, 0 if truth == guess else 2, asked] = 1
        if said is not None and truth != guess:
            kinds[number, 1, said] = 1
    total = np.einsum("u,ukl->kl", np.bincount(of_row), kinds)  # (3, K)
    return DirectedScores(float(official_macro_f1(total)), Outcomes(kinds, of_row), per_class(relations, total))


def official_macro_f1(counts: Counts | Floats) -> Floats:
    """Mean F1 of the relations that occur in gold, of (..., 3, K) counts to (...).

    Without any, where the script divides by zero: 1.0 where none is claimed either, else 0.0.
    """
    occurs = counts[..., 0, :] + counts[..., 2, :] > 0  # (..., K)
    f1 = np.where(occurs, f1_of_counts(np.moveaxis(counts, -2, -1)), 0.0)
    return np.where(occurs.any(-1), f1.sum(-1) / np.maximum(occurs.sum(-1), 1), f1_of_counts(counts.sum(-1)))


def directed_interval(outcomes: Outcomes, seed: int = 0, resamples: int = RESAMPLES) -> Interval:
    """95 % interval of the official score, by bootstrap over rows; where all or none is right, Wilson's over rows."""
    times = np.bincount(outcomes.of_row, minlength=len(outcomes.kinds))
    value, drawn = _drawn(outcomes.kinds, times, official_macro_f1, seed, resamples)
    if value in (0.0, 1.0):
        return wilson_interval(round(value * times.sum()), int(times.sum()))
    return percentile_interval(value, drawn)


def paired_directed_difference(a: Outcomes, b: Outcomes, seed: int = 0, resamples: int = RESAMPLES) -> Interval:
    """95 % interval of the official score of `a` minus that of `b`, two models on the same rows and labels.

    Both on the same draws; zero is inside where they differ in four rows or fewer.
    """
    assert a.kinds.shape[2] == b.kinds.shape[2], "two models of one task have the same relations"
    pairs, times = np.unique(np.stack([a.of_row, b.of_row], axis=1), axis=0, return_counts=True)  # (U, 2)
    kinds = np.stack([a.kinds[pairs[:, 0]], b.kinds[pairs[:, 1]]], axis=1)  # (U, 2, 3, K)

    def difference(counts: Counts | Floats) -> Floats:
        scores = official_macro_f1(counts)  # (..., 2)
        return np.asarray(scores[..., 0] - scores[..., 1])

    changed = int(times[(kinds[:, 0] != kinds[:, 1]).any(axis=(1, 2))].sum())
    return cautious(percentile_interval(*_drawn(kinds, times, difference, seed, resamples)), changed, LEVEL)


def _drawn(
    kinds: Kinds, times: Counts, statistic: Callable[[Counts | Floats], Floats], seed: int, resamples: int
) -> tuple[float, NDArray[np.float64]]:
    """A statistic of kinds of rows (U, ...) of which each is there so often (U,), and of as many draws of them (R,).

    Rows of one kind are interchangeable, so that a draw is one multinomial number for each kind.
    """
    rows = int(times.sum())
    flat = kinds.reshape(len(kinds), -1).astype(np.float64)  # (U, F)
    weights = np.random.default_rng(seed).multinomial(rows, times / rows, size=resamples)  # (R, U)
    drawn = statistic((weights @ flat).reshape(resamples, *kinds.shape[1:]))
    return float(statistic((times @ flat).reshape(kinds.shape[1:]))), drawn
