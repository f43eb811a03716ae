"""What a recipe leaves open about a training on few rows.

In:  what was prepared, the usual numbers of a way to learn
Out: settings of the loop, complete
Knows nothing of what is learned.
"""

from __future__ import annotations

from dataclasses import replace

from bertie.training.settings import Training
from bertie.workflow.preparation import Prepared


def fill(prepared: Prepared, *, epochs: int, rows: int, rate: float) -> Training:
    """These numbers where the recipe says none, the method's own rate factor among them.

    The last weights stay: there are no rows to choose better ones by.
    """
    training, method = prepared.recipe.training, prepared.method
    optimizer = training.optimizer
    raised = 1.0 if optimizer.rate else method.rate_factor  # by the method, above the head's; a given rate is both's
    return replace(
        training,
        epochs=training.epochs or epochs,
        rows_per_batch=training.rows_per_batch or rows,
        keep="last",
        optimizer=replace(
            optimizer,
            rate=optimizer.rate or rate * method.rate_factor,
            layer_decay=optimizer.layer_decay or method.layer_decay() or 1.0,
            head_rate_factor=optimizer.head_rate_factor or 1.0 / raised,
        ),
    )
