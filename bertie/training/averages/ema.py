"""EMA: the weights of the last steps count most, all before them less and less.

In:  how many weights are in the average
Out: the part of the next one
Knows nothing of weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bertie.training.averages.base import Average


@dataclass(frozen=True, kw_only=True)
class Ema(Average):
    """Exponential moving average (Polyak and Juditsky 1992 take the mean; Tarvainen and Valpola 2017 this one)."""

    name: ClassVar[str] = "ema"
    about: ClassVar[str] = "an exponential moving average of the weights"

    decay: float = 0.99
    """Part of the old average that stays with each step: 0.99 remembers about 100 steps."""
    warmup: bool = True
    """Remember less in the beginning, (1 + steps) / (10 + steps) until that is `decay`: else a short training would end
    with much of what it began with."""

    def __post_init__(self) -> None:
        if not 0.0 < self.decay < 1.0:
            raise ValueError(f"decay is {self.decay}, expected between 0 and 1")

    def share(self, held: int, done: int, total: int) -> float | None:
        kept = min(self.decay, (1 + held) / (10 + held)) if self.warmup else self.decay
        return 1.0 - kept
