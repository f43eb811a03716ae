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
from bertie.tuning.base import VirtualTokens, put_prefixes


@dataclass(frozen=True, kw_only=True)
class PTuningV2(VirtualTokens):
    """Deep prompts (Liu et al. 2022): prefix tuning without the network, for encoders and for tagging as well."""

    name: ClassVar[str] = "p_tuning_v2"
    about: ClassVar[str] = "keys and values in front of the text"
    rate_factor: ClassVar[float] = 100.0

    def apply(self, encoder: Encoder) -> None:
        put_prefixes(encoder, lambda attention: Prefix.random(attention, self.length))
