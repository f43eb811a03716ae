"""First attention of an encoder that starts from nothing: the heads of its first block see the neighbours of a token.

In:  an encoder with random weights and a table of positions
Out: the same encoder with other positions and another first block; other programs read it as any other
Knows nothing of corpora and of training.

What stands beside a hidden piece says most of it, but from random weights every token looks at all others alike, and a
small encoder takes thousands of steps to find its neighbours. So positions begin as waves in a few directions of the
width (Vaswani et al. 2017, section 3.5, with wavelengths from 2 places to twice the table), and queries and keys of the
first block read these directions, the query turned by an offset, so that it fits the key of the token there (compare
Trockman and Kolter 2023, who start attention so that it resembles what training makes of it):

    position t            (cos wt, sin wt) for each frequency w
    query of token t      the same of t + offset, offsets -1, 1, -2, 2 for one head after the other
    key of token u        the same of u: their product is largest at u = t + offset
    value, output         a part of the width for each head, and back to where it was
"""

# D width, H heads, K width of one head, T positions

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from bertie.nn.encoder import Encoder
from bertie.nn.layers import Block

OFFSETS = (-1, 1, -2, 2)
"""Where the heads look, from the token on, one after the other and again."""


@torch.no_grad()
def start_attention(encoder: Encoder, seed: int) -> None:
    """Replaces positions and the attention of the first block; biases stay zero."""
    config = encoder.config
    table = encoder.embeddings.position_embeddings
    assert table is not None and config.embedding_size is None, "the sizes that start from nothing have a table"
    device, head = table.weight.device, config.head_size
    random = torch.Generator().manual_seed(seed)
    places = _directions(config.hidden_size, random)[:, : head - head % 2]  # (D, K)
    waves = math.pi * float(config.max_positions) ** -torch.linspace(0.0, 1.0, head // 2)  # (K / 2,)
    turns = torch.arange(config.max_positions).unsqueeze(-1) * waves  # (T, K / 2)
    length = config.initializer_range * math.sqrt(config.hidden_size)  # as long as the random vectors of words
    unit = torch.cat([turns.cos(), turns.sin()], dim=-1) / math.sqrt(head // 2)  # (T, K), of length one
    table.weight.copy_((unit @ places.T * length).to(device))
    parts = torch.split(_directions(config.hidden_size, random), head, dim=1)  # H times (D, K)
    block = encoder.layers[0]
    assert isinstance(block, Block)
    layers = [getattr(block.attention, name) for name in ("query", "key", "value", "output")]
    query, key, value, output = (layer.weight for layer in layers if isinstance(layer, nn.Linear))
    for n, part in enumerate(parts):
        rows = slice(n * head, n * head + places.shape[1])
        query[rows] = (_turn(OFFSETS[n % len(OFFSETS)] * waves) @ places.T).to(device)
        key[rows] = places.T.to(device)
        value[n * head : (n + 1) * head] = part.T.to(device)
        output[:, n * head : (n + 1) * head] = part.to(device)


def _directions(width: int, random: torch.Generator) -> Tensor:
    """(D, D) directions at right angles, by lot."""
    found: Tensor = torch.linalg.qr(torch.randn(width, width, generator=random))[0]
    return found


def _turn(angles: Tensor) -> Tensor:
    """(K, K), the matrix that turns (cos a, sin a) into (cos(a + angle), sin(a + angle)), of angles (K / 2,)."""
    cos, sin = angles.cos().diag(), angles.sin().diag()
    return torch.cat([torch.cat([cos, -sin], dim=1), torch.cat([sin, cos], dim=1)])
