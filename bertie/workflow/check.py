"""Looking at data before training on it.

In:  a file or folder, how to read it
Out: Health
Knows nothing of the command line.
"""

from __future__ import annotations

from bertie.data.health import Health, check
from bertie.data.sources import load_splits
from bertie.training.settings import Training
from bertie.workflow.preparation import read_options
from bertie.workflow.request import Reading


def run_check(data: str, reading: Reading) -> Health:
    """Balance, duplicates, leaks, lengths, languages, encodings, suspicious labels, oddities of rows of each kind."""
    splits = load_splits(data, seed=Training().seed, options=read_options(reading))
    return check(splits)
