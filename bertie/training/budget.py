"""Time: how much is used, how many more steps it holds.

In:  a limit in seconds, the clock
Out: seconds used and left; the number of steps that fit
Knows nothing of schedules: it says how many steps, not what they are for.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

MARKS = (0.03, 0.1, 0.25, 0.5, 0.75, 0.9)
"""Parts of the time at which the number of steps is looked at again: machines slow down when others use them."""
MARGIN = 0.97
"""Part of the time left that is planned for; the rest is for checkpoints and surprises."""
WARM = 2
"""First steps, which are slower (memory is claimed, kernels are chosen) and are not measured."""


@dataclass
class Budget:
    """The clock of one session of a run."""

    seconds: float | None
    """Limit over all sessions; None: no limit."""
    before: float = 0.0
    """Used by earlier sessions."""
    start: float = field(default_factory=time.monotonic)
    evaluation: float = 0.0
    """Seconds of the longest evaluation so far."""
    _steps: int = 0
    _tokens: int = 0
    _measured: float = 0.0
    _last: float = field(default_factory=time.monotonic)
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

    def stepped(self, tokens: int) -> None:
        """Notes a step; what happened since the last one, checkpoints included, is its time."""
        now = time.monotonic()
        if self._steps >= WARM:
            self._tokens += tokens
            self._measured += now - self._last
        self._steps += 1
        self._last = now

    def evaluated(self, seconds: float) -> None:
        """Notes an evaluation, whose time is not the next step's."""
        self.evaluation = max(self.evaluation, seconds)
        self._last = time.monotonic()

    def look(self) -> bool:
        """Whether it is time to ask `steps_left` again; True once for each mark."""
        part = self.part()
        due = self._tokens > 0 and any(self._looked < mark <= part for mark in MARKS)
        if due:
            self._looked = part
        return due

    def steps_left(self, tokens_per_step: float, evaluations_per_step: float) -> int:
        """Steps that fit into what is left, with their evaluations and a last one."""
        assert self.seconds is not None, "without a limit every step fits"
        step = self._measured / self._tokens * tokens_per_step + evaluations_per_step * self.evaluation
        left = (self.seconds - self.used()) * MARGIN - self.evaluation
        return max(0, int(left / step))
