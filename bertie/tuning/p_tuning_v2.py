"""P-tuning v2: keys and values in front of the text, in every block, trained as they are.

In:  an encoder, a length
Out: the same with a prefix in each attention
Knows nothing of how attention uses it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bertie.nn.encoder import Encoder
from bertie.nn.prefix import Prefix
from bertie.tuning.base import Method, attentions, freeze


@dataclass(frozen=True, kw_only=True)
class PTuningV2(Method):
    """Deep prompts (Liu et al. 2022): prefix tuning without the network, for encoders and for tagging as well."""

    name: ClassVar[str] = "p_tuning_v2"
    about: ClassVar[str] = "keys and values in front of the text"
    merges: ClassVar[bool] = False
    starts_as_base: ClassVar[bool] = False
    rate_factor: ClassVar[float] = 100.0

    length: int = 16
    """Places in front of the text (P)."""

    def __post_init__(self) -> None:
        if self.length < 1:
            raise ValueError(f"length is {self.length}, expected at least 1")

    def apply(self, encoder: Encoder) -> None:
        freeze(encoder)
        for attention in attentions(encoder):
            attention.prefix = Prefix.random(attention, self.length)
