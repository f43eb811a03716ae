"""An epoch as steps, and each step as the shares of each process.

In:  lengths of the rows, sizes of batches, how many processes there are
Out: for each step of an epoch the batches of one process, or its part of each, with their weights in the step's loss
Knows nothing of models or tensors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bertie.data.batches import Example, length_buckets
from bertie.training.settings import Training

COUNTED_ROWS = 1_000_000
"""Rows that are packed at most only to count the steps: about a second."""


@dataclass(frozen=True)
class Share:
    """One batch of one step."""

    indices: tuple[int, ...]
    """Rows, as places in the training examples."""
    weight: float
    """Factor of the batch's loss."""
    part: float | None = None
    """As in `Batch`."""
    usual: tuple[float, ...] | None = None
    """As in `Batch`."""


def epoch_steps(costs: Sequence[int], settings: Training, epoch: int) -> list[list[list[int]]]:
    """The batches of each step of an epoch, however many processes share them; another epoch is another order."""
    batches = length_buckets(costs, settings.rows_per_batch, settings.tokens_per_batch, settings.seed + epoch)
    size = settings.accumulation
    return [batches[start : start + size] for start in range(0, len(batches), size)]


def count_steps(costs: Sequence[int], settings: Training) -> int:
    """Steps of all epochs. They differ by a few, as rows are packed anew; many epochs are taken to be as the first."""
    counted = min(settings.epochs, max(1, COUNTED_ROWS // len(costs)))
    steps = sum(len(epoch_steps(costs, settings, epoch)) for epoch in range(counted))
    return round(steps * settings.epochs / counted)


def shares(batches: Sequence[Sequence[int]], rank: int, processes: int, *, whole: bool = False) -> list[Share]:
    """This process's part of a step.

    A batch's loss is the mean over its rows, and buckets differ in rows. So that every row of a step weighs the same,
    whichever batch it fell into, a batch counts by its rows: the sum of weight x loss is the mean over all rows of the
    step. Gradients are averaged over processes afterwards, hence the factor `processes`.

    Where the batches do not come out even, each is cut, a part for every process; with `whole` none is (its rows are
    compared with each other). Every process must go through the model equally often, or the others would wait for it
    for ever: who has no rows repeats some that count for nothing.
    """
    rows = sum(len(batch) for batch in batches)
    if len(batches) % processes and not whole:
        return [_cut(batch, rank, processes, len(batch) * processes / rows) for batch in batches]
    own = [Share(tuple(batch), len(batch) * processes / rows) for batch in batches[rank::processes]]
    most = -(-len(batches) // processes)
    return own + [Share(tuple(batches[0]), 0.0)] * (most - len(own))


def _cut(batch: Sequence[int], rank: int, processes: int, weight: float) -> Share:
    """Every so many-th row: buckets are sorted by length, so that each process has short and long ones."""
    own = tuple(batch[rank::processes])
    return Share(own, weight, 1.0) if own else Share(tuple(batch[:1]), weight, 0.0)


def costs(examples: Sequence[Example]) -> list[int]:
    """Padded tokens that each row brings into a batch: all its windows, sides or candidates count."""
    known: list[int] | None = getattr(examples, "costs", None)  # of examples that are made as they are read
    return [example.cost for example in examples] if known is None else known


def padded_tokens(row_costs: Sequence[int], batches: Sequence[Sequence[int]]) -> int:
    """Tokens that a step computes, padding included."""
    return sum(max(row_costs[i] for i in batch) * len(batch) for batch in batches)
