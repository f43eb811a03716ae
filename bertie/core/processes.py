"""Several processes on one command: how many there are, and which of them this one is.

In:  what torchrun and `accelerate launch` put into the environment
Out: numbers
Knows nothing of how processes talk to each other.
"""

from __future__ import annotations

import os


def count() -> int:
    """Processes that do this work together; 1 without a launcher."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Which of them this one is, from 0."""
    return int(os.environ.get("RANK", "0"))


def is_first() -> bool:
    """Whether this is the one that reads, decides, writes and speaks for all."""
    return rank() == 0
