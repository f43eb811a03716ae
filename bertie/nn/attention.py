"""Self-attention: every token looks at every other one (Vaswani et al. 2017).

In:  states, an additive mask or None, rotary angles or None
Out: states of the same shape; the weights too, when asked
Knows nothing of blocks, families or files.
"""

# B batch, T tokens, D width, H heads, K width of one head, P prefix length

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LONGEST_PLAIN = 256
"""Most keys of a text for which bfloat16 attention on a CPU is written out, see `fused_is_slow`."""


class Rotary(NamedTuple):
    """Cosines and sines of the rotary angles, each (T, K)."""

    cos: Tensor
    sin: Tensor


def rotary_angles(length: int, head_size: int, theta: float, like: Tensor) -> Rotary:
    """The angles of Su et al. 2021 for positions 0 to length - 1, computed in fp32, given in the type of `like`."""
    steps = torch.arange(0, head_size, 2, dtype=torch.float32, device=like.device) / head_size
    positions = torch.arange(length, dtype=torch.float32, device=like.device)
    half = torch.outer(positions, 1.0 / theta**steps)  # (T, K/2)
    angles = torch.cat([half, half], dim=-1)  # (T, K)
    return Rotary(angles.cos().to(like.dtype), angles.sin().to(like.dtype))


def rotate(heads: Tensor, rotary: Rotary) -> Tensor:
    """Turn each pair of features of (B, H, T, K) by the angle of its position."""
    left, right = heads.float().chunk(2, dim=-1)
    turned = heads.float() * rotary.cos + torch.cat([-right, left], dim=-1) * rotary.sin
    return turned.to(heads.dtype)


def additive_mask(
    attention_mask: Tensor | None, length: int, window: int | None, like: Tensor, *, causal: bool = False
) -> Tensor | None:
    """What is added to the scores so that nobody sees padding, nor past half a window to each side.

    Args:
        attention_mask: (B, T), 1 or True for tokens, 0 for padding; None: nothing is padded.
        length: T.
        window: width of the local window in tokens; None: everything is seen.
        like: a tensor of the type and device wanted.
        causal: nobody sees what comes after it (Vaswani et al. 2017, section 3.2.3).

    Returns:
        (B, 1, 1, T), (1, 1, T, T) or (B, 1, T, T) of zeros and the lowest finite number, so that a text of padding
        alone gives no NaN; None where nothing has to be hidden, which is the fast case.
    """
    hidden = None if attention_mask is None else attention_mask[:, None, None, :] == 0  # (B, 1, 1, T)
    if causal or (window is not None and length > window // 2 + 1):
        position = torch.arange(length, device=like.device)
        ahead = position - position[:, None]  # (T, T), how far the second comes after the first
        far = ahead > 0 if causal else torch.zeros_like(ahead, dtype=torch.bool)
        if window is not None:
            far = far | (ahead.abs() > window // 2)
        hidden = far[None, None] if hidden is None else hidden | far  # (1 or B, 1, T, T)
    if hidden is None:
        return None
    zeros = torch.zeros(hidden.shape, dtype=like.dtype, device=like.device)
    return zeros.masked_fill_(hidden, torch.finfo(like.dtype).min)


def fused_is_slow(query: Tensor, key: Tensor) -> bool:
    """Whether plain matrix products beat torch's fused kernel.

    On a CPU in bfloat16 they do while the weights fit the cache: forward and backward over 4,096 tokens, with 12 heads
    of 32, take 10 ms against 56 at 64 tokens a text, 30 against 60 at 256, 135 against 96 at 512 (torch 2.13, AVX-512).
    In float32 the fused kernel wins at every length.
    """
    return query.device.type == "cpu" and query.dtype is torch.bfloat16 and key.shape[-2] <= LONGEST_PLAIN


class SelfAttention(nn.Module):
    """Multi-head scaled dot-product self-attention. `query`, `key`, `value` and `output` may be replaced by adapters.

    `prefix` is a place for prefix tuning (Li & Liang 2021): a module that gives, for a batch size, keys and values
    (B, H, P, K) that every token sees in front of the text. The states keep the positions of the text alone.
    """

    def __init__(self, hidden_size: int, heads: int, *, dropout: float = 0.0, bias: bool = True) -> None:
        super().__init__()
        self.heads = heads
        self.head_size = hidden_size // heads
        self.dropout = dropout
        self.query: nn.Module = nn.Linear(hidden_size, hidden_size, bias=bias)
        self.key: nn.Module = nn.Linear(hidden_size, hidden_size, bias=bias)
        self.value: nn.Module = nn.Linear(hidden_size, hidden_size, bias=bias)
        self.output: nn.Module = nn.Linear(hidden_size, hidden_size, bias=bias)
        self.prefix: nn.Module | None = None

    def forward(self, states: Tensor, mask: Tensor | None = None, rotary: Rotary | None = None) -> Tensor:
        """Attend, with torch's fused kernel wherever that is the faster way.

        Args:
            states: (B, T, D).
            mask: from `additive_mask`.
            rotary: from `rotary_angles`.

        Returns:
            (B, T, D).
        """
        query, key, value, mask = self._project(states, mask, rotary)
        if fused_is_slow(query, key):
            return self._merge(self._weights(query, key, mask)[0] @ value)
        dropout = self.dropout if self.training else 0.0
        context = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout)  # (B, H, T, K)
        return self._merge(context)

    def with_weights(
        self, states: Tensor, mask: Tensor | None = None, rotary: Rotary | None = None
    ) -> tuple[Tensor, Tensor]:
        """The same written out, giving the weights (B, H, T, P + T) as well: equation 1 of Vaswani et al. 2017."""
        query, key, value, mask = self._project(states, mask, rotary)
        dropped, weights = self._weights(query, key, mask)
        return self._merge(dropped @ value), weights

    def _weights(self, query: Tensor, key: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Equation 1 of Vaswani et al. 2017: the weights (B, H, T, P + T) after dropout, and before it."""
        # Scaling the query is cheaper than scaling the scores, and they are ours, so the mask is added in place.
        scores = (query * self.head_size**-0.5) @ key.transpose(-1, -2)  # (B, H, T, P + T)
        if mask is not None:
            # Under autocast the mask is float32, whose lowest number would be -inf here: a token that sees nothing
            # (padding outside of every window) would be NaN, and all others with it.
            scores += mask.to(scores.dtype).clamp(min=torch.finfo(scores.dtype).min)
        # The kernel adds up in float32 and rounds once, whatever it is given.
        weights = torch.softmax(scores, dim=-1).to(query.dtype)  # (B, H, T, P + T)
        return F.dropout(weights, self.dropout, self.training), weights

    def _project(
        self, states: Tensor, mask: Tensor | None, rotary: Rotary | None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        query = self._split(self.query(states))  # (B, H, T, K)
        key = self._split(self.key(states))  # (B, H, T, K)
        value = self._split(self.value(states))  # (B, H, T, K)
        if rotary is not None:
            query, key = rotate(query, rotary), rotate(key, rotary)
        if self.prefix is not None:
            before_key, before_value = self.prefix(states.shape[0])  # (B, H, P, K) each
            # Under autocast the projections are bfloat16 while a prefix is a parameter in float32.
            key, value = torch.cat([before_key.to(key), key], dim=2), torch.cat([before_value.to(value), value], dim=2)
            mask = None if mask is None else F.pad(mask, (before_key.shape[2], 0))  # a prefix is never hidden
        return query, key, value, mask

    def _split(self, states: Tensor) -> Tensor:
        return states.view(*states.shape[:2], self.heads, self.head_size).transpose(1, 2)  # (B, H, T, K)

    def _merge(self, context: Tensor) -> Tensor:
        batch, _, length, _ = context.shape
        merged: Tensor = self.output(context.transpose(1, 2).reshape(batch, length, -1))  # (B, T, D)
        return merged
