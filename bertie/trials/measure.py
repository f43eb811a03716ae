"""Measuring: how long a row takes, how large a model is, what the parts of a search will cost.

In:  predictors, rows, the field
Out: milliseconds with their interval, bytes, `Costs`
Knows nothing of trials or storage. No test row is looked at.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bertie.bundle.folder import Model
from bertie.metrics.intervals import Interval
from bertie.predict import BasePredictor, Predictor
from bertie.trials.budget import Costs
from bertie.trials.field import Field
from bertie.tuning.base import Method
from bertie.workflow.choose import TRAINING_COST
from bertie.workflow.train import RESERVE, SAMPLE, judging_seconds

TIMED = 100
"""Rows that are timed, one at a time; the first ones warm up and are not counted."""
WARM = 5
COUNTING = 2e-3
"""Seconds a training row that fitting TF-IDF takes, about: it is only to be known before anything was fitted."""
LOADING = 3.0
"""Seconds for loading an encoder and what is made of it anew in each trial."""


def latency(predictor: BasePredictor, rows: Sequence[dict[str, object]]) -> Interval:
    """Milliseconds a row, asked one at a time: the median with its interval by ranks, which no outlier moves."""
    asked = [predictor.task.asked(rows[i * len(rows) // TIMED]) for i in range(TIMED)]
    for row in asked[:WARM]:
        predictor.predict([row])
    taken = []
    for row in asked:
        began = time.perf_counter()
        predictor.predict([row])
        taken.append(1000 * (time.perf_counter() - began))
    return median(taken)


def median(values: Sequence[float]) -> Interval:
    """The median and its 95 % interval by order statistics (Conover 1999, section 3.2)."""
    ordered, count = sorted(values), len(values)
    reach = 0.98 * math.sqrt(count)
    low, high = max(0, math.floor(count / 2 - reach)), min(count - 1, math.ceil(count / 2 + reach))
    return Interval(ordered[count // 2], ordered[low], ordered[high])


def size_of(model: Model) -> int:
    """Bytes of a bundle's weights and of its tokenizer."""
    tensors = [*model.encoder.state_dict().values(), *model.task.state_dict().values()]
    with TemporaryDirectory() as place:
        model.tokenizer.save(Path(place))
        tokenizer = sum(path.stat().st_size for path in Path(place).iterdir())
    return int(tokenizer + sum(tensor.nbytes for tensor in tensors))


def untuned(field: Field, model: str, method: Method | None = None) -> Predictor:
    """What answers as fast as any model that is tuned from this one: merged, or with what `method` adds to it."""
    ground = field.ground(model)
    if method is not None:
        method.apply(ground.encoder)
        method.settle(ground.encoder)
    parts = Model(ground.encoder, ground.task, ground.tokenizer, ground.max_length, origin=model)
    return Predictor(parts, model)  # in float32, as it is asked where nobody says otherwise


def rough(field: Field, model: str) -> Costs:
    """What a search on this model will cost, by the speed on a few dev rows and before anything was fitted."""
    splits = field.splits
    # As a training judges. A head at random is unsure of every row, and none shall be answered twice.
    predictor = Predictor(untuned(field, model).model, model, field.dtype, exact=False)
    few = splits.dev.take(range(min(SAMPLE, len(splits.dev))))
    judging_seconds(predictor, few)  # the first time kernels are chosen, which takes longer than they do
    a_row = judging_seconds(predictor, few) / len(few)
    epoch = TRAINING_COST * a_row * len(splits.train)
    return Costs(
        trial=LOADING + a_row * len(splits.dev),
        least=epoch + 2 * a_row * len(splits.dev),
        finish=RESERVE + 2 * LOADING + a_row * (2 * len(field.test) + len(splits.dev) + 4 * TIMED),
    )


def floors_seconds(field: Field, costs: Costs) -> float:
    """What fitting the floors will take: the frozen encoder reads all training rows once, TF-IDF counts them."""
    return _reading(costs) + COUNTING * len(field.splits.train)


def frozen_seconds(costs: Costs) -> float:
    """What the trial of a linear head will take: a frozen encoder reads the training rows, judged before and after."""
    return costs.trial + _reading(costs) + 2 * (costs.trial - LOADING)


def _reading(costs: Costs) -> float:
    """Seconds in which an encoder reads the training rows once and learns nothing."""
    return (costs.least - 2 * (costs.trial - LOADING)) / TRAINING_COST
