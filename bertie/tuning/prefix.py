"""Prefix tuning: keys and values in front of the text, in every block, made by a small network while it is trained.

In:  an encoder, a length
Out: the same with a prefix in each attention
Knows nothing of how attention uses it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bertie.nn.encoder import Encoder
from bertie.nn.prefix import Prefix, ReparametrisedPrefix
from bertie.tuning.base import VirtualTokens, attentions, load_additions, put_prefixes


@dataclass(frozen=True, kw_only=True)
class PrefixTuning(VirtualTokens):
    """Li and Liang 2021. Of the network that makes a prefix only the prefix is kept in the end."""

    name: ClassVar[str] = "prefix"
    about: ClassVar[str] = "keys and values in front of the text, made by a small network"
    rate_factor: ClassVar[float] = 20.0

    width: int = 128
    """Width of the network that makes them (M)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width < 1:
            raise ValueError(f"width is {self.width}, expected at least 1")

    def apply(self, encoder: Encoder) -> None:
        put_prefixes(encoder, lambda attention: ReparametrisedPrefix(attention, self.length, self.width))

    def settle(self, encoder: Encoder) -> None:
        for attention in attentions(encoder):
            if isinstance(attention.prefix, ReparametrisedPrefix):
                attention.prefix = attention.prefix.settled()

    def restore(self, encoder: Encoder, added: Mapping[str, Tensor]) -> None:
        put_prefixes(encoder, lambda attention: Prefix.random(attention, self.length))
        load_additions(encoder, added, self.name)
