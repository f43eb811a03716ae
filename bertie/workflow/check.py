"""Looking at data before training on it.

In:  a file or folder, how to read it
Out: Health
Knows nothing of the command line.
"""

from __future__ import annotations

from bertie.core.errors import DataError
from bertie.data.health import Health, check
from bertie.data.kinds import LABELS
from bertie.data.sources import load_splits
from bertie.training.settings import Training
from bertie.workflow.preparation import read_options
from bertie.workflow.request import Reading


def run_check(data: str, reading: Reading) -> Health:
    """Balance, duplicates, leaks, lengths, languages, encodings, suspicious labels."""
    splits = load_splits(data, seed=Training().seed, options=read_options(reading))
    if splits.train.kind != LABELS:
        raise DataError(
            f"{splits.train.source}: the rows are read as {splits.train.kind}; `data check` looks at texts with labels "
            "so far, a training checks these rows itself"
        )
    return check(splits)
