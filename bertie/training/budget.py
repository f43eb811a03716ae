"""Time: how much is used, how many more steps it holds.

In:  a limit in seconds, the clock
Out: seconds used and left; the number of steps that fit
Knows nothing of schedules: it says how many steps, not what they are for.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

MARKS = (0.03, *(n / 20 for n in range(2, 20)))
"""Parts of the time at which the number of steps is looked at again: machines slow down when others use them."""
MEMORY = 30.0
"""Seconds after which a step counts a third for the speed. Without forgetting, a machine that was busy for the first
minutes ended a training of 15 minutes after 6, less than half done."""
MARGIN = 0.97
"""Part of the time left that is planned for; the rest is for checkpoints and surprises."""
WARM = 2
"""First steps, which are slower (memory is claimed, kernels are chosen) and are not measured."""


def _now() -> float:
    return time.monotonic()


@dataclass
class Budget:
    """The clock of one session of a run."""

    seconds: float | None
    """Limit over all sessions; None: no limit."""
    before: float = 0.0
    """Used by earlier sessions."""
    start: float = field(default_factory=_now)
    evaluation: float = 0.0
    """Seconds of the last evaluation."""
    changed: bool = False
    """Whether the plan at hand was made for another limit: then `look` does not wait for a mark."""
    _steps: int = 0
    _tokens: float = 0.0
    _measured: float = 0.0
    _last: float = field(default_factory=_now)
    _looked: float = 0.0

    def __post_init__(self) -> None:
        self._looked = self.part()

    def used(self) -> float:
        """Seconds used by all sessions."""
        return self.before + time.monotonic() - self.start

    def part(self) -> float:
        """Used part of the limit; 0 without one."""
        return self.used() / self.seconds if self.seconds else 0.0

    def over(self) -> bool:
        """Whether only the last evaluation still fits."""
        return self.seconds is not None and self.used() + 1.1 * self.evaluation >= self.seconds

    def stepped(self, tokens: int) -> float:
        """Notes a step; returns its seconds: what happened since the last one, checkpoints included, is its time."""
        now = time.monotonic()
        seconds = now - self._last
        if self._steps >= WARM:
            kept = math.exp((self._last - now) / MEMORY)
            self._tokens = self._tokens * kept + tokens
            self._measured = self._measured * kept + seconds
        self._steps += 1
        self._last = now
        return seconds

    def evaluated(self, seconds: float) -> None:
        """Notes an evaluation, whose time is not the next step's."""
        self.evaluation = seconds
        self._last = time.monotonic()

    def look(self) -> bool:
        """Whether it is time to ask `steps_left` again; True once for each mark."""
        part = self.part()
        due = self._tokens > 0 and (self.changed or any(self._looked < mark <= part for mark in MARKS))
        if due:
            self._looked, self.changed = part, False
        return due

    def steps_left(self, tokens_per_step: float, evaluations_per_step: float) -> int:
        """Steps that fit into what is left, with their evaluations and a last one."""
        assert self.seconds is not None, "without a limit every step fits"
        step = self._measured / self._tokens * tokens_per_step + evaluations_per_step * self.evaluation
        left = (self.seconds - self.used()) * MARGIN - self.evaluation
        return max(0, int(left / step))
