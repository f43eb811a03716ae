"""The Python API of learning from few examples: the same request as the command line's, from plain arguments.

In:  arguments named as the options of the command line
Out: the result of a training
Knows nothing of how the work is done.
"""

from __future__ import annotations

from typing import Any

from bertie.core.stderr import tell
from bertie.data.given_rows import Data
from bertie.learning.few_shot import run_few_shot
from bertie.learning.request import FewShotRequest
from bertie.workflow.api import made
from bertie.workflow.options import check_options
from bertie.workflow.request import Reading, Say
from bertie.workflow.train import TrainResult


def few_shot(
    data: Data, *, settings: dict[str, Any] | None = None, say: Say | None = None, **options: Any
) -> TrainResult:
    """Learns from a few rows of each class of a table, or from what the labels mean, and leaves a verified bundle.

    Args:
        data: a file, a folder with train/test files, or `hub:name`; or rows, as a list of mappings or a data frame.
            `test` is given likewise.
        settings: changes of the recipe by their dotted names, such as `{"contrast.temperature": 0.05}`.
        say: told what is chosen and done, a line at a time; otherwise stderr is.
        options: the other fields of `FewShotRequest` and `Reading`: examples, by, descriptions, model, test, out, ...
            What belongs to a training alone (folds, seeds, budget, groups, times, another task) is a UsageError.

    Returns:
        The folder of the bundle, its evaluation (the object of `evaluate --json`), and a predictor.

    Raises:
        BertieError: with what was found, where, what was expected and what to do.
    """
    check_options("few_shot", options, FewShotRequest, Reading)
    return run_few_shot(made(FewShotRequest, settings, {"data": data, **options}), say or tell)
