"""First values of an encoder's tables that know something already, for a training from nothing.

In:  an encoder with random weights; vectors of pieces
Out: the same encoder, its tables replaced; other programs read them as any others
Knows nothing of corpora and of training.
"""

# V pieces of the vocabulary, N positions, E width of the tables

from __future__ import annotations

import math

import torch
from torch import Tensor

from bertie.nn.encoder import Encoder

BASE = 10_000.0


@torch.no_grad()
def start_words(encoder: Encoder, vectors: Tensor) -> None:
    """Vectors (V, E) of length one as word embeddings, as long as random ones are; rows of zeros stay random."""
    table = encoder.embeddings.word_embeddings.weight
    length = encoder.config.initializer_range * math.sqrt(table.shape[1])
    known = vectors.any(dim=1, keepdim=True).to(table.device)  # (V, 1)
    table.copy_(torch.where(known, vectors.to(table) * length, table))


@torch.no_grad()
def start_positions(encoder: Encoder) -> None:
    """Sinusoids as position embeddings, as long as random ones are.

    The product of two positions then hangs on how far they are apart, wherever they stand, so that a head learns to
    look at a neighbour once and not for each position anew. Encoders without such a table are left as they are.
    """
    table = encoder.embeddings.position_embeddings
    if table is None:
        return
    count = table.num_embeddings - encoder.config.position_offset
    values = sinusoids(count, table.embedding_dim) * encoder.config.initializer_range * math.sqrt(2.0)
    table.weight[encoder.config.position_offset :].copy_(values)


def sinusoids(count: int, width: int) -> Tensor:
    """sin and cos of position / 10000^(2i/E), (N, E) (Vaswani et al. 2017, section 3.5)."""
    position = torch.arange(count, dtype=torch.float32).unsqueeze(1)  # (N, 1)
    rate = torch.exp(-math.log(BASE) * torch.arange(0, width, 2, dtype=torch.float32) / width)  # (ceil(E / 2),)
    values = torch.zeros(count, width)
    values[:, 0::2] = torch.sin(position * rate)
    values[:, 1::2] = torch.cos(position * rate)[:, : width // 2]
    return values
