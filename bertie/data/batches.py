"""Batches: encoded rows to padded tensors, rows of similar length together.

In:  encoded rows (token ids, types, targets), a token budget, a seed
Out: `Batch` objects; lists of row indices in which every row stands exactly once an epoch; the share of padding
Knows nothing of tasks, models or files.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from bertie.text.tokenizer import Encoded


@dataclass(frozen=True)
class Example:
    """One row, encoded: its sequences (one, or several for windows, pairs of sides, candidates) and its target."""

    sequences: tuple[Encoded, ...]
    target: Any = None

    @property
    def length(self) -> int:
        """Tokens of the longest sequence."""
        return max(len(sequence.ids) for sequence in self.sequences)

    @property
    def cost(self) -> int:
        """Padded tokens that it brings into a batch: all its windows, sides or candidates count."""
        return self.length * len(self.sequences)


@runtime_checkable
class Rounds(Protocol):
    """Examples that are others in each epoch: masks drawn anew, longer passages later. Made as they are read."""

    @property
    def fingerprint(self) -> str:
        """Of what they are made from: equal ones give equal examples."""

    def at(self, epoch: int, fitting: float = 1.0) -> Sequence[Example]:
        """Those of an epoch, counted from 0; the same whenever it is asked. `fitting` is the part of all planned epochs
        that fits into the time, as it was known when this one began."""


Examples = Sequence[Example] | Rounds
"""What a training reads."""


def of_epoch(examples: Examples, epoch: int, fitting: float = 1.0) -> Sequence[Example]:
    """The examples of one epoch; `fitting` as in `Rounds`."""
    return examples.at(epoch, fitting) if isinstance(examples, Rounds) else examples


@dataclass(frozen=True)
class Batch:
    """Everything stacked along S, the sequences; `row` says which row each belongs to."""

    # S sequences, T tokens, R rows
    input_ids: Tensor  # (S, T) long
    attention_mask: Tensor | None  # (S, T) bool, None: nothing is padded
    token_type_ids: Tensor | None  # (S, T) long, None: all zero
    row: Tensor  # (S,) long, which of the batch's rows
    rows: int
    examples: tuple[Example, ...]
    targets: Tensor | None = None
    part: float | None = None
    """None: a whole batch. 1: some rows of one whose others are with other processes; 0: such rows that another process
    has too, so that they count for nothing here."""
    usual: tuple[float, ...] | None = None
    """Of some rows of a batch that goes through the model in parts, one after the other: for each mean of the loss the
    number that it would be over if all rows were alike. None: a whole batch."""

    def mean_of_rows(self, values: Tensor) -> Tensor:
        """Values of the sequences (S, ...) to their mean in each row (R, ...): unchanged where each row has one."""
        if len(values) == self.rows:
            return values
        total = values.new_zeros(self.rows, *values.shape[1:]).index_add_(0, self.row, values)
        counts = self.row.bincount(minlength=self.rows).to(values.dtype)
        return total / counts.view(-1, *[1] * (values.dim() - 1))

    def to(self, device: torch.device) -> Batch:
        """The same batch on another device."""
        moved = {
            name: value.to(device, non_blocking=True)
            for name in ("input_ids", "attention_mask", "token_type_ids", "row", "targets")
            if (value := getattr(self, name)) is not None
        }
        return replace(self, **moved)


def stack(examples: Sequence[Example], pad_id: int) -> Batch:
    """Examples to one Batch, padded to its longest sequence. `targets` is left to the task."""
    pairs = [(i, sequence) for i, example in enumerate(examples) for sequence in example.sequences]
    longest = max(len(sequence.ids) for _, sequence in pairs)
    ids = torch.full((len(pairs), longest), pad_id, dtype=torch.long)  # (S, T)
    types = torch.zeros((len(pairs), longest), dtype=torch.long)  # (S, T)
    mask = torch.zeros((len(pairs), longest), dtype=torch.bool)  # (S, T)
    for s, (_, sequence) in enumerate(pairs):
        length = len(sequence.ids)
        ids[s, :length] = torch.tensor(sequence.ids)
        types[s, :length] = torch.tensor(sequence.type_ids)
        mask[s, :length] = True
    return Batch(
        input_ids=ids,
        attention_mask=None if bool(mask.all()) else mask,
        token_type_ids=types if bool(types.any()) else None,
        row=torch.tensor([i for i, _ in pairs]),
        rows=len(examples),
        examples=tuple(examples),
    )


def stack_numbers(examples: Sequence[Example], pad_id: int) -> Batch:
    """`stack` with one number a row as targets (R,); None where any example has none."""
    batch, numbers = stack(examples, pad_id), [example.target for example in examples]
    return batch if None in numbers else replace(batch, targets=torch.tensor(numbers))


def length_buckets(lengths: Sequence[int], rows_per_batch: int, tokens_per_batch: int, seed: int) -> list[list[int]]:
    """Indices to batches of similar length, in random order; every index exactly once.

    Rows are shuffled, sorted by length inside windows of 50 batches, and cut where either bound would be passed.
    Another seed (say, another epoch) gives other batches.
    """
    rng = random.Random(seed)
    order = list(range(len(lengths)))
    rng.shuffle(order)
    window = rows_per_batch * 50
    batches: list[list[int]] = []
    for start in range(0, len(order), window):
        chunk = sorted(order[start : start + window], key=lambda i: lengths[i])
        batches.extend(pack(chunk, lengths, rows_per_batch, tokens_per_batch))
    rng.shuffle(batches)
    return batches


def pack(order: Sequence[int], lengths: Sequence[int], rows_per_batch: int, tokens_per_batch: int) -> list[list[int]]:
    """Cuts `order` into batches of at most `rows_per_batch` rows and `tokens_per_batch` padded tokens."""
    batches: list[list[int]] = []
    batch: list[int] = []
    longest = 0
    for index in order:
        longest = max(longest, lengths[index])
        if batch and (len(batch) >= rows_per_batch or longest * (len(batch) + 1) > tokens_per_batch):
            batches.append(batch)
            batch, longest = [], lengths[index]
        batch.append(index)
    if batch:
        batches.append(batch)
    return batches


def waste(lengths: Sequence[int], batches: Sequence[Sequence[int]]) -> float:
    """Share of the padded tokens that are padding, 0 to 1."""
    padded = sum(max(lengths[i] for i in batch) * len(batch) for batch in batches)
    return 1.0 - sum(lengths[i] for batch in batches for i in batch) / padded if padded else 0.0
