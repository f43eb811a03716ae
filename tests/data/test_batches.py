"""Batches: every row once an epoch, bounds respected, padding counted."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bertie.data.batches import Example, length_buckets, pack, stack, waste
from bertie.text.tokenizer import Encoded

LENGTHS = st.lists(st.integers(1, 60), max_size=200)
BOUNDS = st.tuples(st.integers(1, 12), st.integers(1, 200))


def encoded(*ids: int, types: tuple[int, ...] = ()) -> Encoded:
    return Encoded(
        ids=list(ids),
        type_ids=list(types or (0,) * len(ids)),
        offsets=[(0, 0)] * len(ids),
        sequence=[0] * len(ids),
        truncated=False,
    )


def one(*ids: int, types: tuple[int, ...] = ()) -> Example:
    return Example((encoded(*ids, types=types),))


@given(LENGTHS, BOUNDS, st.integers(0, 9))
@settings(deadline=None)
def test_every_index_exactly_once(lengths: list[int], bounds: tuple[int, int], seed: int) -> None:
    batches = length_buckets(lengths, *bounds, seed)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    assert all(batches)


@given(LENGTHS, BOUNDS, st.integers(0, 9))
@settings(deadline=None)
def test_both_bounds_hold_except_for_one_row_that_is_too_long(
    lengths: list[int], bounds: tuple[int, int], seed: int
) -> None:
    rows_per_batch, tokens_per_batch = bounds
    for batch in length_buckets(lengths, rows_per_batch, tokens_per_batch, seed):
        assert len(batch) <= rows_per_batch
        assert len(batch) == 1 or max(lengths[i] for i in batch) * len(batch) <= tokens_per_batch


@given(LENGTHS, BOUNDS)
@settings(deadline=None)
def test_pack_keeps_the_order(lengths: list[int], bounds: tuple[int, int]) -> None:
    order = list(range(len(lengths)))
    assert [i for batch in pack(order, lengths, *bounds) for i in batch] == order


@given(LENGTHS, BOUNDS, st.integers(0, 9))
@settings(deadline=None)
def test_the_same_seed_gives_the_same_batches(lengths: list[int], bounds: tuple[int, int], seed: int) -> None:
    assert length_buckets(lengths, *bounds, seed) == length_buckets(lengths, *bounds, seed)


def test_another_seed_gives_other_batches_of_other_rows() -> None:
    lengths = [i % 40 + 1 for i in range(400)]
    first, second = length_buckets(lengths, 8, 256, 0), length_buckets(lengths, 8, 256, 1)
    assert first != second
    assert {frozenset(batch) for batch in first} != {frozenset(batch) for batch in second}


@given(LENGTHS.filter(bool), BOUNDS, st.integers(0, 9))
@settings(deadline=None)
def test_waste_is_what_stack_pads(lengths: list[int], bounds: tuple[int, int], seed: int) -> None:
    batches = length_buckets(lengths, *bounds, seed)
    padded = real = 0
    for indices in batches:
        batch = stack([one(*[5] * lengths[i]) for i in indices], pad_id=0)
        padded += batch.input_ids.numel()
        real += batch.input_ids.numel() if batch.attention_mask is None else int(batch.attention_mask.sum())
    assert waste(lengths, batches) == pytest.approx(1 - real / padded)


def test_buckets_waste_little_where_random_order_wastes_much() -> None:
    lengths = [3 + i * 37 % 120 for i in range(2000)]
    in_order = pack(range(2000), lengths, 16, 10_000)
    assert waste(lengths, length_buckets(lengths, 16, 10_000, 0)) < 0.05
    assert waste(lengths, in_order) > 0.3
    assert waste([], []) == 0.0


def test_stack_pads_ids_types_and_mask() -> None:
    batch = stack([one(7, 8, 9, types=(0, 1, 1)), one(5)], pad_id=1)
    assert batch.input_ids.tolist() == [[7, 8, 9], [5, 1, 1]]
    assert batch.attention_mask is not None and batch.attention_mask.tolist() == [[True] * 3, [True, False, False]]
    assert batch.token_type_ids is not None and batch.token_type_ids.tolist() == [[0, 1, 1], [0, 0, 0]]
    assert (batch.row.tolist(), batch.rows) == ([0, 1], 2)


def test_nothing_padded_and_one_type_need_no_tensors() -> None:
    batch = stack([one(7, 8), one(5, 6)], pad_id=0)
    assert batch.attention_mask is None
    assert batch.token_type_ids is None


def test_several_sequences_of_a_row_know_their_row() -> None:
    windows = Example((encoded(1, 2), encoded(3)))
    batch = stack([one(9), windows], pad_id=0)
    assert batch.row.tolist() == [0, 1, 1]
    assert batch.rows == 2
    assert windows.length == 2


def test_to_moves_every_tensor_and_keeps_the_rest() -> None:
    batch = stack([one(7, 8), one(5)], pad_id=0).to(torch.device("meta"))
    assert batch.input_ids.device.type == batch.row.device.type == "meta"
    assert batch.attention_mask is not None and batch.attention_mask.device.type == "meta"
    assert batch.targets is None
    assert len(batch.examples) == 2
