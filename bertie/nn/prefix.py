"""Prefixes: keys and values that every token of a block sees in front of the text.

In:  a batch size
Out: keys and values (B, H, P, K), as `SelfAttention.prefix` gives them
Knows nothing of texts, of tuning methods or of files.
"""

# B batch, H heads, P prefix length, K width of one head, M width of the reparametrisation

from __future__ import annotations

import torch
from torch import Tensor, nn

from bertie.nn.attention import SelfAttention

DEVIATION = 0.02
"""Of the random numbers that a prefix begins with, as those of an encoder's weights."""


class Prefix(nn.Module):
    """The keys and values themselves are the parameters (deep prompts; Liu et al. 2022, section 3.2)."""

    def __init__(self, key: Tensor, value: Tensor) -> None:
        """Both (H, P, K)."""
        super().__init__()
        self.key, self.value = nn.Parameter(key), nn.Parameter(value)

    @classmethod
    def random(cls, attention: SelfAttention, length: int) -> Prefix:
        """For this block's attention, on its device."""
        like = next(attention.parameters())
        shape = (attention.heads, length, attention.head_size)
        return cls(*(DEVIATION * torch.randn(shape, device=like.device, dtype=like.dtype) for _ in range(2)))

    def forward(self, batch: int) -> tuple[Tensor, Tensor]:
        """Keys and values, (B, H, P, K) each."""
        return self.key.expand(batch, -1, -1, -1), self.value.expand(batch, -1, -1, -1)


class ReparametrisedPrefix(nn.Module):
    """Keys and values that two matrices make of a smaller table (Li and Liang 2021, section 4.3): steadier to train.

    Each block has its own table and matrices, where the paper has one pair for all blocks.
    """

    def __init__(self, attention: SelfAttention, length: int, width: int) -> None:
        super().__init__()
        self.heads, self.head_size = attention.heads, attention.head_size
        like = next(attention.parameters())
        size = self.heads * self.head_size
        self.table = nn.Parameter(torch.randn(length, width, device=like.device, dtype=like.dtype))  # (P, M)
        self.wide = nn.Linear(width, width, device=like.device, dtype=like.dtype)
        self.output = nn.Linear(width, 2 * size, device=like.device, dtype=like.dtype)
        nn.init.normal_(self.output.weight, std=DEVIATION)

    def forward(self, batch: int) -> tuple[Tensor, Tensor]:
        """Keys and values, (B, H, P, K) each."""
        made = self.output(torch.tanh(self.wide(self.table)))  # (P, 2 H K)
        key, value = made.view(len(made), 2, self.heads, self.head_size).permute(1, 2, 0, 3)  # (H, P, K) each
        return key.expand(batch, -1, -1, -1), value.expand(batch, -1, -1, -1)

    @torch.no_grad()
    def settled(self) -> Prefix:
        """What it has come to, without what it is made from."""
        key, value = self(1)
        return Prefix(key[0].clone(), value[0].clone())
