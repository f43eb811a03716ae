"""Time: how much of the rest the next trial gets, and whether one fits at all.

In:  seconds left, what the parts of a trial cost on this machine
Out: seconds for a training, or none; the least that a search needs
Knows nothing of clocks, trials or models: plain arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass

WORTH = 0.6
"""Part of the default recipe's time below which another recipe is not tried: it would lose for want of time alone."""
SPARE = 1.5
"""Times the default recipe's own time that another one may take: more epochs, smaller batches."""
MARGIN = 0.95
"""Part of the time left that is given away; the rest is for a machine that others use too."""


@dataclass(frozen=True)
class Costs:
    """Seconds, as measured on this machine."""

    trial: float
    """What a trial takes beside its training: loading a model, and judging the dev rows once more."""
    least: float
    """The shortest training that says anything: one epoch, judged before and after."""
    finish: float
    """Measuring, judging the test rows and writing the bundle."""
    default: float | None = None
    """What the training of the default recipe took; None before it is done."""

    @property
    def needed(self) -> float:
        """The least time that is left before the first neural trial for it to end in a bundle."""
        return (self.trial + self.least) / MARGIN + self.finish


def allot(left: float, costs: Costs) -> float | None:
    """Seconds for the next training, or None where none is worth while.

    The first one, with the default recipe, may take all that is left: nothing else is known to be as good. A later one
    needs most of the time that the default recipe took, and may take a little more.
    """
    free = (left - costs.finish) * MARGIN - costs.trial
    if costs.default is None:
        return free if free >= costs.least else None
    worth = max(costs.least, WORTH * costs.default)
    return min(free, max(SPARE * costs.default, costs.least)) if free >= worth else None
