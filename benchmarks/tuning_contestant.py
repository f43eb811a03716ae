"""What the two programs share that `tuning_speed.py` runs in turn, beside what stands in `contestant.py`.

In:  arguments of the command line; when each step was done
Out: the arguments with method, rank and batch; figures of the steps
Knows nothing of Bertie and of peft.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from itertools import pairwise

import contestant


def parse(about: str | None) -> argparse.Namespace:
    """The arguments of every contestant, and three that only those of this benchmark take."""
    own = argparse.ArgumentParser(add_help=False)
    own.add_argument("--method", choices=("full", "lora"), required=True)
    own.add_argument("--rank", type=int, default=0, help="of lora; 0 where there is none")
    own.add_argument("--batch", type=int, required=True, help="rows of a step")
    found, rest = own.parse_known_args()
    sys.argv[1:] = rest
    return argparse.Namespace(**vars(contestant.parse(about)), **vars(found))


def times(ends: Sequence[float]) -> dict[str, float]:
    """Figures of the loop from its start and the end of each step; the first step, which claims memory, counts."""
    steps = [after - before for before, after in pairwise(ends)]
    return {"steps": len(steps), "loop_seconds": ends[-1] - ends[0], "step_seconds": statistics.fmean(steps)}
