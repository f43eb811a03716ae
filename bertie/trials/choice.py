"""The choice: which of the finished trials is published, and why.

In:  the scores of each on the same development rows, what it costs, the cross-validated score of counting words
Out: the chosen one with its reasons
Knows nothing of how anything was trained; never sees a test row.

The default recipe is known to be good on many sets, a score on a few hundred rows is not: so another one replaces it
only where it is clearly better, all comparisons together erring in one of twenty searches (Bonferroni). From there a
simpler model is taken where it is not clearly worse and cannot be much worse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from bertie.evaluation.front import Reason
from bertie.evaluation.judge import difference
from bertie.metrics.intervals import LEVEL, RESAMPLES, Interval, paired_difference
from bertie.tasks.base import Scores
from bertie.trials.space import Variation
from bertie.workflow.train import FEW_DEV

CLOSE = 0.01
"""Most by which a simpler model may be behind, at the far end of the interval of the difference."""
ROOM = 0.02
"""Most that any model could gain on the training rows, where words alone decide the labels."""
FASTER = 1.5
"""How many times as fast another encoder must be to count as the simpler one."""


@dataclass(frozen=True)
class Candidate:
    """A finished trial."""

    variation: Variation
    scores: Scores
    """On the development rows."""
    latency: float
    """Seconds a row."""
    room: Interval | None = None
    """Its score by cross-validation on the training rows, of counting words alone."""


@dataclass(frozen=True)
class Choice:
    """Places in the list of candidates."""

    place: int
    reasons: tuple[Reason, ...]


def choose(candidates: Sequence[Candidate], default: Variation, rows: int) -> Choice:
    """The one to publish; `default` is the default recipe on its model, `rows` the number of development rows."""
    place, reasons = _champion(candidates, default)
    simpler = sorted(_simpler(candidates, place), key=lambda i: _plainness(candidates[i]))
    for i in simpler:
        found = _taken_instead(candidates[i], candidates[place], rows, place)
        if found is not None:
            return Choice(i, (found,))
    doubtful = any(difference(candidates[i].scores, candidates[place].scores).high >= 0.0 for i in simpler)
    if rows < FEW_DEV and doubtful:
        reasons = (*reasons, Reason(why="few"))
    return Choice(place, reasons)


def _champion(candidates: Sequence[Candidate], default: Variation) -> tuple[int, tuple[Reason, ...]]:
    """The default recipe, or what is clearly better; without it the best score."""
    best = max(range(len(candidates)), key=lambda i: candidates[i].scores.value)
    known = next((i for i, one in enumerate(candidates) if one.variation == default), None)
    if known is None:
        tuned = any(one.variation.kind == "tuned" for one in candidates)
        return best, (Reason(why="best" if tuned else "alone"),)
    others = [i for i in range(len(candidates)) if i != known]
    gaps = {i: _gap(candidates[i].scores, candidates[known].scores, len(others)) for i in others}
    better = [i for i in others if gaps[i].low > 0.0]
    if not better:
        return known, (Reason(why="default"),)
    place = max(better, key=lambda i: candidates[i].scores.value)
    return place, (Reason(why="better", other=known, difference=gaps[place]),)


def _simpler(candidates: Sequence[Candidate], place: int) -> list[int]:
    """Places of what is simpler: it counts words, its encoder is frozen, or its encoder is much faster."""
    champion = candidates[place]
    return [
        i
        for i, one in enumerate(candidates)
        if _kind(one) < _kind(champion) or (_kind(one) == _kind(champion) and one.latency * FASTER <= champion.latency)
    ]


def _taken_instead(simple: Candidate, champion: Candidate, rows: int, place: int) -> Reason | None:
    """Why the simpler one is taken instead; None where it is clearly worse, or may be much worse."""
    gap = difference(simple.scores, champion.scores)
    if gap.high < 0.0:
        return None
    if rows >= FEW_DEV and gap.low >= -CLOSE:
        return Reason(why="simpler", other=place, difference=gap)
    if simple.room is not None and simple.room.low >= 1.0 - ROOM:
        return Reason(why="room", other=place, difference=gap, room=simple.room)
    return None


def _kind(one: Candidate) -> int:
    return ("words", "frozen", "tuned").index(one.variation.kind)


def _plainness(one: Candidate) -> tuple[int, float]:
    return _kind(one), one.latency


def _gap(one: Scores, other: Scores, comparisons: int) -> Interval:
    """The difference with its interval at the level that so many comparisons need.

    Where rows are right or wrong it is exact. What is resampled has no such far quantiles: there those of the normal
    distribution stretch it.
    """
    level, name = 1 - (1 - LEVEL) / comparisons, one.primary
    if name in one.per_row and np.isin([*one.per_row[name], *other.per_row[name]], (0.0, 1.0)).all():
        resamples = RESAMPLES * comparisons  # of at most three values, which takes no time
        return paired_difference(one.per_row[name], other.per_row[name], resamples=resamples, level=level)
    gap, normal = difference(one, other), NormalDist()
    factor = normal.inv_cdf(0.5 + level / 2) / normal.inv_cdf(0.5 + LEVEL / 2)
    return Interval(gap.value, gap.value - factor * (gap.value - gap.low), gap.value + factor * (gap.high - gap.value))
