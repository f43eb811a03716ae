"""The parts of a block: feed-forward, layer norm, and the block in its two arrangements.

In:  states, mask, rotary angles
Out: states of the same shape
Knows nothing of embeddings, heads, families or files.
"""

# B batch, T tokens, D width, I width of the feed-forward part

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bertie.nn.attention import Rotary, SelfAttention
from bertie.nn.config import EncoderConfig
from bertie.nn.dropout import Dropout


def _gelu_tanh(states: Tensor) -> Tensor:
    return F.gelu(states, approximate="tanh")


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "gelu_tanh": _gelu_tanh,
    "relu": F.relu,
    "silu": F.silu,
    "tanh": torch.tanh,
}


def may_overwrite(*modules: nn.Module) -> bool:
    """Whether what these modules gave may be overwritten, which saves 5 to 10 % of a forward on a CPU.

    Only in inference mode (exporters and gradients never see it), only behind plain linear layers, and only where no
    hook may have kept the tensor. The first module is that linear layer.
    """
    watched = any(module._forward_hooks for module in modules)
    return torch.is_inference_mode_enabled() and type(modules[0]) is nn.Linear and not watched


class FeedForward(nn.Module):
    """Two matrices with a non-linearity between them, for each token alone (Vaswani et al. 2017)."""

    def __init__(
        self, hidden_size: int, intermediate_size: int, *, activation: str = "gelu", bias: bool = True
    ) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[activation]
        self.input: nn.Module = nn.Linear(hidden_size, intermediate_size, bias=bias)
        self.output: nn.Module = nn.Linear(intermediate_size, hidden_size, bias=bias)

    def forward(self, states: Tensor) -> Tensor:
        """(B, T, D) to (B, T, D)."""
        wide = self.input(states)  # (B, T, I)
        if self.activation is F.gelu and may_overwrite(self.input):
            torch.ops.aten.gelu_(wide)
        else:
            wide = self.activation(wide)
        narrow: Tensor = self.output(wide)  # (B, T, D)
        return narrow


class GatedFeedForward(nn.Module):
    """The same with a gate on the wide side; one fused matrix makes both halves (GeGLU; Shazeer 2020)."""

    def __init__(
        self, hidden_size: int, intermediate_size: int, *, activation: str = "gelu", bias: bool = True
    ) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[activation]
        self.input: nn.Module = nn.Linear(hidden_size, 2 * intermediate_size, bias=bias)
        self.output: nn.Module = nn.Linear(intermediate_size, hidden_size, bias=bias)

    def forward(self, states: Tensor) -> Tensor:
        """(B, T, D) to (B, T, D)."""
        wide, gate = self.input(states).chunk(2, dim=-1)  # (B, T, I) each
        narrow: Tensor = self.output(self.activation(wide) * gate)  # (B, T, D)
        return narrow


class Block(nn.Module):
    """Attention, then feed-forward, each added to what came in.

    post:  x = norm(x + attention(x));  x = norm(x + feed_forward(x))      BERT
    pre:   x = x + attention(norm(x));  x = x + feed_forward(norm(x))      ModernBERT
    """

    def __init__(self, config: EncoderConfig, *, first: bool = False) -> None:
        super().__init__()
        size = config.hidden_size
        self.pre_norm = config.norm == "pre"
        self.attention = SelfAttention(size, config.heads, dropout=config.attention_dropout, bias=config.attention_bias)
        part = GatedFeedForward if config.gated else FeedForward
        self.feed_forward = part(
            size, config.intermediate_size, activation=config.activation, bias=config.feed_forward_bias
        )
        # With pre-norm the embeddings come normalised into the first block, which therefore has no norm here.
        bare = self.pre_norm and first
        self.attention_norm = nn.Identity() if bare else nn.LayerNorm(size, config.norm_eps, bias=config.norm_bias)
        self.feed_forward_norm = nn.LayerNorm(size, config.norm_eps, bias=config.norm_bias)
        self.dropout = Dropout(config.dropout)

    def forward(self, states: Tensor, mask: Tensor | None = None, rotary: Rotary | None = None) -> Tensor:
        """(B, T, D) to (B, T, D); mask and rotary as in `SelfAttention.forward`."""
        attended = self.attention(self.attention_norm(states) if self.pre_norm else states, mask, rotary)
        return self._rest(states, attended)

    def with_weights(
        self, states: Tensor, mask: Tensor | None = None, rotary: Rotary | None = None
    ) -> tuple[Tensor, Tensor]:
        """The same, giving the attention weights (B, H, T, T) as well."""
        came_in = self.attention_norm(states) if self.pre_norm else states
        attended, weights = self.attention.with_weights(came_in, mask, rotary)
        return self._rest(states, attended), weights

    def _rest(self, states: Tensor, attended: Tensor) -> Tensor:
        states = self._add(states, attended, self.attention)  # (B, T, D)
        if self.pre_norm:
            return self._fed(states, self.feed_forward_norm(states))
        states = self.attention_norm(states)
        normed: Tensor = self.feed_forward_norm(self._fed(states, states))  # (B, T, D)
        return normed

    def _fed(self, states: Tensor, came_in: Tensor) -> Tensor:
        return self._add(states, self.feed_forward(came_in), self.feed_forward)  # (B, T, D)

    def _add(self, states: Tensor, result: Tensor, part: SelfAttention | FeedForward | GatedFeedForward) -> Tensor:
        """The residual sum of what came in and what `part` made of it."""
        # Under autocast the result is bfloat16 while the sum stays float32: each block adds to it, and would round it.
        if not self.training and result.dtype is states.dtype and may_overwrite(part.output, part):
            return result.add_(states)
        summed: Tensor = states + self.dropout(result)
        return summed
