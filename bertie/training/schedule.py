"""How far a run is, and how high the learning rate is there.

In:  a step, or a progress from 0 to 1
Out: progress from 0 to 1; a factor from 0 to 1 for the learning rate
Knows nothing of optimisers or clocks: a time budget becomes a number of steps before it comes here.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass

from bertie.training.settings import Schedule


def factor(schedule: Schedule, progress: float) -> float:
    """The learning rate at `progress` (0 before the first step, 1 after the last) as a part of the highest one."""
    if progress < schedule.warmup:
        return progress / schedule.warmup
    if schedule.name == "constant":
        return 1.0
    left = 1.0 if schedule.warmup >= 1.0 else max(0.0, (1.0 - progress) / (1.0 - schedule.warmup))
    if schedule.name == "cosine":
        return 0.5 * (1.0 - math.cos(math.pi * left))
    return float(left**schedule.power) if schedule.name == "polynomial" else left


@dataclass(frozen=True)
class Plan:
    """Progress as a line with corners: what is done stays as it was, what is left is spread over the steps left.

        1 |            /.      first plan: 100 steps; at step 50 the machine proves slow, and the budget
          |          / .       holds 75: the second half of the progress goes over the next 25 steps
        0 +--------/-----
          0       50   75

    The learning rate so never jumps, and reaches zero where the time ends.
    """

    corners: tuple[tuple[int, float], ...]
    """(step, progress), both rising; from (0, 0.0) to (last step, 1.0)."""

    @classmethod
    def of(cls, total: int) -> Plan:
        """Even progress over `total` steps."""
        return cls(((0, 0.0), (max(1, total), 1.0)))

    @property
    def total(self) -> int:
        """Number of the last step."""
        return self.corners[-1][0]

    @property
    def decided(self) -> int:
        """The step at which the plan was last changed."""
        return self.corners[-2][0]

    def total_at(self, step: int) -> int:
        """The total as it was planned when step number `step` was done: that of the line it lies on, without the bends
        that were decided after it. So a run that is resumed before a bend does again what it did."""
        place = max(1, bisect_left(self.corners, (step, 0.0)))
        if place >= len(self.corners) - 1:
            return self.total
        (start, low), (end, high) = self.corners[place - 1], self.corners[place]
        return round(start + (1.0 - low) * (end - start) / (high - low))

    def progress(self, step: int) -> float:
        """Progress after `step` steps, 0 to 1."""
        if step >= self.total:
            return 1.0
        place = bisect_right(self.corners, (step, 2.0))
        (start, low), (end, high) = self.corners[place - 1], self.corners[place]
        return low + (high - low) * (step - start) / (end - start)

    def middle(self, step: int) -> float:
        """Progress in the middle of the step after `step`: at their starts the first one, at their ends the last one
        would have a learning rate of zero and be wasted."""
        return 0.5 * (self.progress(step) + self.progress(step + 1))

    def changed(self, step: int, total: int) -> Plan:
        """The plan from `step` on with another last step; nothing before `step` changes."""
        if step <= self.decided:
            raise ValueError(f"step {step} lies before the last decision at {self.decided}")
        return Plan((*self.corners[:-1], (step, self.progress(step)), (max(step + 1, total), 1.0)))
