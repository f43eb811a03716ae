"""Trainings of two kinds with the same seeds: the difference is taken seed by seed.

What a seed draws is alike for both.

In:  records of trainings, as `kept` holds them
Out: the mean difference with its interval, and what a step costs
Knows nothing of what was trained.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from kept import Record
from scipy import stats

SURE = 0.95


@dataclass(frozen=True)
class Difference:
    """A method beside plain training, over the seeds that both have."""

    by_seed: dict[int, float]
    costs: tuple[float, ...]
    """Seconds of a step as a multiple of plain training's, by seed."""

    @classmethod
    def of(cls, method: Sequence[Record], plain: Sequence[Record]) -> Difference:
        """From the records of one set."""
        beside = {record["seed"]: record for record in plain}
        pairs = [(one, beside[one["seed"]]) for one in method if one["seed"] in beside]
        pairs = [(one, other) for one, other in pairs if one["model"] == other["model"]]
        values = {one["seed"]: one["primary"]["value"] - other["primary"]["value"] for one, other in pairs}
        return cls(values, tuple(per_step(one) / per_step(other) for one, other in pairs))

    @property
    def mean(self) -> float:
        """Of the differences."""
        return statistics.fmean(self.by_seed.values())

    @property
    def deviation(self) -> float | None:
        """Of the differences, that of a sample; None for a single one."""
        return statistics.stdev(self.by_seed.values()) if len(self.by_seed) > 1 else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Of the mean difference, by Student's t; None for a single one."""
        if self.deviation is None:
            return None
        count = len(self.by_seed)
        reach = float(stats.t.ppf((1.0 + SURE) / 2.0, count - 1)) * self.deviation / math.sqrt(count)
        return self.mean - reach, self.mean + reach


def per_step(record: Record) -> float:
    """Seconds of a step, evaluations included."""
    return float(record["loop_seconds"]) / max(record["steps"], 1)
