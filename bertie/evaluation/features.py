"""Features of an encoder that nobody has tuned: a vector a row.

In:  an encoder, encoded rows, or texts with the pooling that their vectors want
Out: the mean of the last states of each row, in the order of the rows, or these states; vectors of texts
Knows nothing of labels or of what is fitted on them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bertie.core.runtime import autocast
from bertie.data.batches import Example, pack, stack
from bertie.data.rows import blocks
from bertie.evaluation.linear import Floats
from bertie.nn.encoder import Encoder
from bertie.nn.heads import mean_pool
from bertie.text.tokenizer import Tokenizer

# N rows, D width, S sequences, R rows of a batch
T = TypeVar("T")
Pool = Callable[[Tensor, Tensor | None], Tensor]
"""States (S, T, D) and their attention mask to vectors (S, D)."""
ROWS_PER_BATCH, TOKENS_PER_BATCH = 64, 4096


def pooled_features(
    encoder: Encoder,
    examples: Sequence[Example],
    pad_id: int,
    dtype: torch.dtype = torch.float32,
    *,
    rows_per_batch: int = ROWS_PER_BATCH,
    tokens_per_batch: int = TOKENS_PER_BATCH,
) -> Floats:
    """Mean of the last states of each row (N, D), in the order of the rows; of several sequences, the mean of means.

    `dtype` is what the encoder computes in; the means are float32.
    """
    return _features(encoder, examples, pad_id, mean_pool, dtype, (rows_per_batch, tokens_per_batch))


def frozen_batches(
    encoder: Encoder,
    examples: Sequence[Example],
    costs: Sequence[int],
    compute: Callable[[list[Example]], T],
    dtype: torch.dtype = torch.float32,
    sizes: tuple[int, int] = (ROWS_PER_BATCH, TOKENS_PER_BATCH),
) -> Iterator[tuple[list[int], T]]:
    """What `compute` gives for batches of similar cost, with the places of their examples; the encoder does not learn.

    `costs` are each example's tokens; `sizes` the most rows and tokens of a batch.
    """
    device, trained = next(encoder.parameters()).device, encoder.training
    encoder.eval()
    for indices in pack(sorted(range(len(examples)), key=lambda i: costs[i]), costs, *sizes):
        with torch.inference_mode(), autocast(device, dtype):
            found = compute([examples[i] for i in indices])
        yield indices, found
    encoder.train(trained)


def sequence_features(
    encoder: Encoder, examples: Sequence[Example], pad_id: int, dtype: torch.dtype = torch.float32
) -> Floats:
    """Mean of the last states of each sequence (S, D), those of a row beside each other."""
    single = [Example((sequence,)) for example in examples for sequence in example.sequences]
    return pooled_features(encoder, single, pad_id, dtype)


def token_features(
    encoder: Encoder, examples: Sequence[Example], pad_id: int, dtype: torch.dtype = torch.float32
) -> list[Floats]:
    """Last states (T, D) of the tokens of each example, which has one sequence; without padding."""
    device = next(encoder.parameters()).device

    def states(chosen: list[Example]) -> Tensor:
        batch = stack(chosen, pad_id).to(device)
        found: Tensor = encoder(batch.input_ids, batch.attention_mask, batch.token_type_ids)  # (R, T, D)
        return found.float().cpu()

    made: dict[int, Floats] = {}
    lengths = [len(example.sequences[0]) for example in examples]
    for indices, some in frozen_batches(encoder, examples, lengths, states, dtype):
        made.update((i, row[: lengths[i]].numpy()) for i, row in zip(indices, some, strict=True))
    return [made[i] for i in range(len(examples))]


def text_vectors(
    encoder: Encoder,
    tokenizer: Tokenizer,
    texts: Sequence[str],
    max_length: int,
    pool: Pool = mean_pool,
    dtype: torch.dtype = torch.float32,
) -> Floats:
    """The pooled last states of each text at length one, (N, D). Texts are encoded in blocks, as their tokens take far
    more memory than their vectors.
    """
    parts = []
    for block in blocks(texts):
        examples = [Example((one,)) for one in tokenizer.encode_batch(block, None, max_length)]
        parts.append(_features(encoder, examples, tokenizer.pad_id, pool, dtype))
    found = np.concatenate(parts)
    lengths: Floats = np.linalg.norm(found, axis=1, keepdims=True).clip(min=1e-12)
    return found / lengths


def _features(
    encoder: Encoder,
    examples: Sequence[Example],
    pad_id: int,
    pool: Pool,
    dtype: torch.dtype,
    sizes: tuple[int, int] = (ROWS_PER_BATCH, TOKENS_PER_BATCH),
) -> Floats:
    """Pooled last states of each row (N, D), in the order of the rows; of several sequences, the mean."""
    device = next(encoder.parameters()).device

    def pooled(chosen: list[Example]) -> Tensor:
        batch = stack(chosen, pad_id).to(device)
        states = encoder(batch.input_ids, batch.attention_mask, batch.token_type_ids)  # (S, T, D)
        return batch.mean_of_rows(pool(states, batch.attention_mask).float())  # (R, D)

    found: dict[int, NDArray[np.float32]] = {}
    for indices, features in frozen_batches(encoder, examples, [one.cost for one in examples], pooled, dtype, sizes):
        found.update(zip(indices, features.cpu().numpy(), strict=True))
    return np.stack([found[i] for i in range(len(examples))])
