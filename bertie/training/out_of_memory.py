"""Where memory runs out in a step, its batches go through the model in smaller parts; what is learned stays the same.

    step 12:  8 rows x 512 tokens    memory runs out, nothing of the step has happened
              4 rows, 4 rows         the same rows, the same loss, half the memory; so from here on

In:  the batches of a step, how to compute them, what earlier steps could not hold
Out: the step's loss, computed in parts that fit; BertieError where nothing is left to cut
Knows nothing of optimisers or of what is stored where: it is given functions for that.

On a CPU, Linux mostly hands out more memory than there is and kills the process that uses it, which nobody can catch;
this file is for a GPU, for containers and users with a limit of their own, and for other systems.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TypeVar

import torch
from accelerate import Accelerator
from torch import Tensor

from bertie.core.errors import BertieError
from bertie.data.batches import Example, pack
from bertie.tasks.base import Task
from bertie.training.model import TrainingModel
from bertie.training.shares import Share
from bertie.training.state import random_state, set_random_state

T = TypeVar("T")
SIGNS = ("not enough memory", "out of memory", "can't allocate memory", "bad_alloc", "could not create a memory")
"""What torch and its kernels say, in a RuntimeError, where an allocation is refused."""
ADVICE = (
    "set training.activation_checkpointing=true, with which --resume goes on; or start again with a smaller "
    "max_length, a --method that trains less (lora, bitfit, frozen), training.optimizer.name=adafactor, or another "
    "--model"
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory was asked for and not given."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in SIGNS)


def until_it_fits(work: Callable[[], T], smaller: Callable[[str], None]) -> T:
    """What `work` gives; each time it runs out of memory `smaller` is told why, before it is tried again."""
    while True:
        try:
            return work()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            reason = _first_line(error)
        # Only here the error is gone, and with it the tensors in the frames that it went through.
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        smaller(reason)


@contextmanager
def explained() -> Iterator[None]:
    """Memory that runs out where nothing can be cut (the optimiser's state, a judgement) as a BertieError."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise BertieError(f"memory ran out ({_first_line(error)}); {ADVICE}") from error


@dataclass
class Room:
    """How much goes through the model at once, from which step on."""

    model: TrainingModel
    accelerator: Accelerator
    limits: list[tuple[int, int]] = field(default_factory=list)
    """(step, most padded tokens at once from there on)."""
    keep: Callable[[list[tuple[int, int]]], None] = lambda limits: None
    """Writes the limits down, so that a resumed run cuts where this one did."""
    tell: Callable[[str], None] = lambda line: None
    """Tells the person."""

    def limit(self, step: int) -> int | None:
        """Most padded tokens at once in this step; None: as many as a batch has."""
        return min((tokens for since, tokens in self.limits if since <= step), default=None)

    def compute(
        self,
        step: int,
        shares: Sequence[Share],
        examples: Sequence[Example],
        row_costs: Sequence[int],
        work: Callable[[Sequence[Share]], Tensor],
    ) -> Tensor:
        """What `work` makes of the step's shares, cut where they must be.

        A step that ran out of memory begins again with the random numbers that it had, so that a run which is resumed
        before it, and knows the limit, is the same.
        """
        generators = random_state()

        def attempt() -> Tensor:
            parts = self._parts(step, shares, examples, row_costs)
            return work(parts)

        def smaller(reason: str) -> None:
            self.model.zero_grad(set_to_none=True)
            set_random_state(generators)
            self._halve(step, shares, row_costs, reason)

        return until_it_fits(attempt, smaller)

    def _parts(
        self, step: int, shares: Sequence[Share], examples: Sequence[Example], row_costs: Sequence[int]
    ) -> list[Share]:
        limit = self.limit(step)
        if limit is None or self.model.task.compares_rows:
            return list(shares)
        found = []
        for share in shares:
            parts = cut(share, limit, row_costs)
            found.extend(self._weighed(share, parts, examples) if len(parts) > 1 else parts)
        return found

    def _weighed(self, share: Share, parts: Sequence[Share], examples: Sequence[Example]) -> list[Share]:
        """The parts with what each mean is over, where a task's means are not over rows alone.

        A part's weight is its part of the rows, which is right for everything that is a mean over rows, and for what is
        added to a loss whatever the rows are. The other means are scaled from that to what they are over, which only
        the output tells: so the parts go through the model once more, without gradients.
        """
        if type(self.model.task).means is Task.means:
            return list(parts)
        generators = random_state()
        numbers = [self._numbers([examples[i] for i in part.indices]) for part in parts]
        set_random_state(generators)
        sums = [max(sum(column), 1e-12) for column in zip(*numbers, strict=True)]
        rows = len(share.indices)
        return [replace(part, usual=tuple(one * len(part.indices) / rows for one in sums)) for part in parts]

    def _numbers(self, examples: Sequence[Example]) -> list[float]:
        batch = self.model.collate(examples).to(self.accelerator.device)
        with torch.no_grad(), self.accelerator.autocast():
            output = self.model.task.forward(self.model.encoder, batch)
            return [float(number) for _, number in self.model.task.means(output, batch)]

    def _halve(self, step: int, shares: Sequence[Share], row_costs: Sequence[int], reason: str) -> None:
        """Half of the largest part from this step on; BertieError where no part has two rows, or none may be cut."""
        if self.model.task.compares_rows:
            rows = max(len(share.indices) for share in shares)
            raise BertieError(
                f"step {step + 1}: memory ran out with {rows} rows at once ({reason}). They are compared with each "
                "other, so that a batch in parts would teach something else, and none is cut; start again with "
                f"training.rows_per_batch={max(2, rows // 2)}, or {ADVICE}"
            )
        if self.accelerator.num_processes > 1:
            raise BertieError(
                f"step {step + 1}: memory ran out in process {self.accelerator.process_index} ({reason}), and several "
                "processes cannot agree on smaller parts in the middle of a step; start again with half of "
                f"training.tokens_per_batch and twice training.accumulation, or {ADVICE}"
            )
        limit = self.limit(step)
        parts = [part for share in shares for part in (cut(share, limit, row_costs) if limit else [share])]
        several = [part for part in parts if len(part.indices) > 1]
        if not several:
            longest = max(row_costs[i] for part in parts for i in part.indices)
            raise BertieError(
                f"step {step + 1}: memory ran out with a single row of {longest:,} tokens at once ({reason}); {ADVICE}"
            )
        largest = max(several, key=lambda part: tokens(part, row_costs))
        size = tokens(largest, row_costs)
        self.limits.append((step, size // 2))
        self.keep(self.limits)
        self.tell(
            f"step {step + 1}: memory ran out with {len(largest.indices)} rows, {size:,} tokens, at once; from here on "
            f"at most {size // 2:,} go through the model at once, in more parts a step, which learns from the same "
            "rows as before"
        )


def cut(share: Share, limit: int, row_costs: Sequence[int]) -> list[Share]:
    """Parts of at most `limit` padded tokens, a longer row alone; the share itself where it is not larger, or several
    processes have a part of its batch each."""
    if share.part is not None or tokens(share, row_costs) <= limit:
        return [share]
    order = sorted(share.indices, key=lambda i: row_costs[i])
    rows = len(order)
    return [Share(tuple(part), share.weight * len(part) / rows) for part in pack(order, row_costs, rows, limit)]


def tokens(share: Share, row_costs: Sequence[int]) -> int:
    """Padded tokens of a share."""
    return max(row_costs[i] for i in share.indices) * len(share.indices)


def _first_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return text[0][:200] if text else type(error).__name__
