"""SWA: the plain mean of the weights of the last part of a training.

In:  how many weights are in the mean, how many steps are done
Out: the part of the next one
Knows nothing of weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bertie.training.averages.base import Average


@dataclass(frozen=True, kw_only=True)
class Swa(Average):
    """Stochastic weight averaging (Izmailov et al. 2018, algorithm 1).

    The paper's learning rate stays up meanwhile: `--set training.schedule.name=constant`. There is nothing to update
    afterwards, as no encoder here has batch norms.
    """

    name: ClassVar[str] = "swa"
    about: ClassVar[str] = "the mean of the weights from some step on"

    begin: float = 0.5
    """Part of all steps after which weights count."""
    every: int = 1
    """Steps from one that counts to the next; the paper takes an epoch."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.begin < 1.0:
            raise ValueError(f"begin is {self.begin}, expected 0 to below 1")
        if self.every < 1:
            raise ValueError(f"every is {self.every}, expected at least 1")

    def share(self, held: int, done: int, total: int) -> float | None:
        counts = done > self.begin * total and (total - done) % self.every == 0
        return 1.0 / (held + 1) if counts else None
