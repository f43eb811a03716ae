"""What a recipe leaves open about a training on few rows.

In:  what was prepared, the usual numbers of a way to learn
Out: settings of the loop, complete
Knows nothing of what is learned.
"""

from __future__ import annotations

from dataclasses import replace

from bertie.training.settings import Training
from bertie.training.tuning import filled_optimizer
from bertie.workflow.preparation import Prepared


def fill(prepared: Prepared, *, epochs: int, rows: int, rate: float) -> Training:
    """These numbers where the recipe says none, the method's own rate factor among them.

    The last weights stay: there are no rows to choose better ones by.
    """
    training = prepared.recipe.training
    return replace(
        training,
        epochs=training.epochs or epochs,
        rows_per_batch=training.rows_per_batch or rows,
        keep="last",
        optimizer=filled_optimizer(training.optimizer, prepared.method, rate, decay=1.0, head=1.0),
    )
