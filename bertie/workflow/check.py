"""Looking at data before training on it.

In:  a file or folder, or rows, how to read them, the task that they are for
Out: Health
Knows nothing of the command line.
"""

from __future__ import annotations

from bertie.data.given_rows import GivenRows
from bertie.data.health import Health, check
from bertie.data.sources import load_splits
from bertie.training.settings import Training
from bertie.workflow.preparation import kind_for, read_options
from bertie.workflow.request import Reading


def run_check(
    data: str | GivenRows,
    reading: Reading,
    task: str | None = None,
    dev: str | GivenRows | None = None,
    test: str | GivenRows | None = None,
) -> Health:
    """Balance, duplicates, leaks, lengths, languages, encodings, suspicious labels, oddities of rows of each kind; the
    rows are read as a training for `task` reads them."""
    options = read_options(reading, kind_for(task))
    return check(load_splits(data, dev, test, seed=Training().seed, options=options))
