"""Pruning: whether a trial is stopped early because it lags behind earlier ones.

In:  a study; its trials report each score under the part of their steps that was done then
Out: yes or no
Knows nothing of how a trial is run.
"""

from __future__ import annotations

import math
from statistics import median

from optuna import Study
from optuna.pruners import BasePruner
from optuna.trial import FrozenTrial, TrialState

FIRST = 3
"""Finished trials of the same encoder before another one may be stopped because it lags behind them."""
PARTS = 1000
"""Whole numbers that Optuna takes for the steps of a trial: 0 is before the first one, so many are all."""


def part_of(step: int, total: int) -> int:
    """The number under which a score after `step` of `total` steps is reported."""
    return round(PARTS * min(step, total) / total)


class Median(BasePruner):
    """Stops a trial whose best score is below the median of what trials of the same encoder had by then.

    By then: in the same part of their steps. With more epochs the learning rate falls later, so that equal numbers of
    evaluations say nothing. A smaller encoder is not measured by a larger one, as it may be chosen for its speed.
    """

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Never before the first step: from there on the encoder is tuned."""
        part = trial.last_step
        if not part:
            return False
        finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        earlier = [_best(one, part) for one in finished if one.intermediate_values and _alike(one, trial)]
        return len(earlier) >= FIRST and _best(trial, part) < median(earlier)


def _alike(one: FrozenTrial, other: FrozenTrial) -> bool:
    """Whether both tune the same encoder, or both leave it frozen."""
    known, asked = one.user_attrs["variation"], other.user_attrs["variation"]
    return all(known[name] == asked[name] for name in ("kind", "model"))


def _best(trial: FrozenTrial, part: int) -> float:
    """The best score in this part of the steps; minus infinity where there is none that is a number."""
    scores = (score for at, score in trial.intermediate_values.items() if at <= part and not math.isnan(score))
    return max(scores, default=-math.inf)
