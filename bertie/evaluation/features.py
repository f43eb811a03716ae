"""Features of an encoder that nobody has tuned: a vector a row.

In:  an encoder, encoded rows
Out: the mean of the last states of each row, in the order of the rows
Knows nothing of labels or of what is fitted on them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bertie.core.runtime import autocast
from bertie.data.batches import Batch, Example, pack, stack
from bertie.evaluation.linear import Floats
from bertie.nn.encoder import Encoder
from bertie.nn.heads import mean_pool

# N rows, D width, S sequences, T tokens, R rows of a batch


def pooled_features(
    encoder: Encoder,
    examples: Sequence[Example],
    pad_id: int,
    dtype: torch.dtype = torch.float32,
    *,
    rows_per_batch: int = 64,
    tokens_per_batch: int = 4096,
) -> Floats:
    """Mean of the last states of each row (N, D), in the order of the rows; of several sequences, the mean of means.

    `dtype` is what the encoder computes in; the means are float32.
    """
    lengths = [example.length for example in examples]
    order = sorted(range(len(examples)), key=lambda i: lengths[i])
    device = next(encoder.parameters()).device
    found: dict[int, NDArray[np.float32]] = {}
    trained = encoder.training
    encoder.eval()
    with torch.inference_mode(), autocast(device, dtype):
        for indices in pack(order, lengths, rows_per_batch, tokens_per_batch):
            batch = stack([examples[i] for i in indices], pad_id).to(device)
            found.update(zip(indices, _pooled(encoder, batch).cpu().numpy(), strict=True))
    encoder.train(trained)
    return np.stack([found[i] for i in range(len(examples))])


def sequence_features(
    encoder: Encoder, examples: Sequence[Example], pad_id: int, dtype: torch.dtype = torch.float32
) -> Floats:
    """Mean of the last states of each sequence (S, D), those of a row beside each other."""
    single = [Example((sequence,)) for example in examples for sequence in example.sequences]
    return pooled_features(encoder, single, pad_id, dtype)


def _pooled(encoder: Encoder, batch: Batch) -> Tensor:
    states = encoder(batch.input_ids, batch.attention_mask, batch.token_type_ids)  # (S, T, D)
    each = mean_pool(states, batch.attention_mask).float()  # (S, D)
    return batch.mean_of_rows(each)  # (R, D)
