"""First word embeddings of an encoder that know something already, for a training from nothing.

In:  an encoder with random weights; vectors of pieces
Out: the same encoder, its table replaced; other programs read it as any other
Knows nothing of corpora and of training.
"""

# V pieces of the vocabulary, E width of the table

from __future__ import annotations

import math

import torch
from torch import Tensor

from bertie.nn.encoder import Encoder


@torch.no_grad()
def start_words(encoder: Encoder, vectors: Tensor) -> None:
    """Vectors (V, E) of length one as word embeddings, as long as random ones are; rows of zeros stay random."""
    table = encoder.embeddings.word_embeddings.weight
    length = encoder.config.initializer_range * math.sqrt(table.shape[1])
    known = vectors.any(dim=1, keepdim=True).to(table.device)  # (V, 1)
    table.copy_(torch.where(known, vectors.to(table) * length, table))
