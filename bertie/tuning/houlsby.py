"""Houlsby adapters: a small network behind each part of each block.

In:  an encoder, a width
Out: the same with adapters, which are trained together with the layer norms
Knows nothing of tasks.
"""

# D width of the states, M width of an adapter

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from bertie.nn.encoder import Encoder
from bertie.nn.low_rank import take_over
from bertie.tuning.base import Method, freeze, replace_linears


class AdaptedLinear(nn.Linear):
    """A linear layer, and behind it an adapter: h + up(gelu(down(h))). `up` starts at zero, so the adapter is idle."""

    def __init__(self, base: nn.Linear, size: int) -> None:
        take_over(self, base)
        width, like = base.out_features, base.weight
        self.down = nn.Linear(width, size, device=like.device, dtype=like.dtype)
        self.up = nn.Linear(size, width, device=like.device, dtype=like.dtype)
        nn.init.normal_(self.down.weight, std=0.02)
        for parameter in (self.down.bias, self.up.weight, self.up.bias):
            nn.init.zeros_(parameter)

    def forward(self, states: Tensor) -> Tensor:
        """(..., I) to (..., D)."""
        made = F.linear(states, self.weight, self.bias)  # (..., D)
        adapted: Tensor = made + self.up(F.gelu(self.down(made)))
        return adapted


@dataclass(frozen=True, kw_only=True)
class Houlsby(Method):
    """Houlsby et al. 2019: adapters behind attention and behind feed-forward, each before its residual sum.

    There is no plain encoder that computes the same, so nothing is merged.
    """

    name: ClassVar[str] = "houlsby"
    about: ClassVar[str] = "adapters in each block, and the layer norms"
    merges: ClassVar[bool] = False
    rate_factor: ClassVar[float] = 10.0

    size: int = 64
    """Width of an adapter (M)."""

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"size is {self.size}, expected at least 1")

    def apply(self, encoder: Encoder) -> None:
        freeze(encoder)
        replace_linears(
            encoder, ("attention_output", "feed_forward_output"), lambda base: AdaptedLinear(base, self.size)
        )
        for module in encoder.modules():
            if isinstance(module, nn.LayerNorm):
                freeze(module, False)
