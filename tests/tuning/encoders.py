"""Tiny random encoders of every family, by the families' own tables."""

from __future__ import annotations

import torch
from torch import Tensor

from bertie.nn.encoder import Encoder
from bertie.nn.translation import read_config

KINDS = ("albert", "bert", "electra", "modernbert", "roberta")
"""Families that are arranged differently; `bertie doctor --matrix` has all of them."""
SMALL = {
    "vocab_size": 60,
    "hidden_size": 16,
    "dim": 16,
    "num_hidden_layers": 3,
    "n_layers": 3,
    "num_attention_heads": 2,
    "n_heads": 2,
    "intermediate_size": 24,
    "hidden_dim": 24,
    "embedding_size": 8,
    "max_position_embeddings": 40,
    "pad_token_id": 0,
    "local_attention": 4,
    "initializer_range": 0.2,
}


def tiny(family: str, seed: int = 0) -> Encoder:
    """Every weight random, in evaluation mode."""
    torch.manual_seed(seed)
    encoder = Encoder(read_config({"model_type": family, **SMALL})).eval()
    with torch.no_grad():
        for parameter in encoder.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.2 * torch.randn_like(parameter))
    return encoder


def batch(seed: int = 0) -> tuple[Tensor, Tensor]:
    """Three texts of different lengths: ids (3, 9) and their mask."""
    ids = torch.randint(5, 60, (3, 9), generator=torch.Generator().manual_seed(seed))
    mask = torch.ones(3, 9, dtype=torch.long)
    for row, length in enumerate((9, 6, 3)):
        ids[row, length:], mask[row, length:] = 0, 0
    return ids, mask


def moved(encoder: Encoder, scale: float = 0.1) -> Encoder:
    """All that is trained a little changed at random, as after training."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in encoder.parameters():
            if parameter.requires_grad:
                parameter.add_(scale * torch.randn(parameter.shape, generator=generator))
    return encoder
