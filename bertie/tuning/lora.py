"""LoRA: beside frozen matrices, products of two thin ones are trained.

In:  an encoder, rank, factor and places
Out: the same with `LowRankLinear` layers; merged, a plain encoder
Knows nothing of how a low-rank layer computes (`nn/low_rank.py`) or of peft's files (`nn/peft_files.py`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from bertie.nn.config import EncoderConfig
from bertie.nn.encoder import Encoder
from bertie.nn.low_rank import LowRankLinear, merged_weights
from bertie.tuning.base import TARGETS, Method, Target, bare, freeze, refuse_rank, replace_linears


@dataclass(frozen=True, kw_only=True)
class Lora(Method):
    """Low-rank adaptation (Hu et al. 2022), with weight decomposition (DoRA; Liu et al. 2024) on request."""

    name: ClassVar[str] = "lora"
    about: ClassVar[str] = "low-rank matrices beside frozen ones"
    rate_factor: ClassVar[float] = 10.0

    rank: int = 8
    """Rank of the product that is added to each matrix (R)."""
    alpha: float = 16.0
    """The product is multiplied by alpha / rank, so that another rank wants no other learning rate."""
    targets: tuple[Target, ...] = ("query", "value")
    """Which matrices of each block: query, key, value, attention_output, feed_forward_input, feed_forward_output."""
    dropout: float = 0.0
    """Share of the inputs of the thin matrices that is dropped in training."""
    dora: bool = False
    """Train the length of each row of a matrix apart from its direction (DoRA): closer to full tuning, and slower."""
    rslora: bool = False
    """Multiply by alpha / sqrt(rank) instead, which keeps large ranks learning (rsLoRA; Kalajdzievski 2023)."""

    def __post_init__(self) -> None:
        if self.rank < 1 or not self.alpha > 0.0:
            raise ValueError(f"rank is {self.rank} and alpha {self.alpha}, expected at least 1 and more than 0")
        if not 0.0 <= self.dropout < 1.0:
            raise ValueError(f"dropout is {self.dropout}, expected 0 to below 1")
        if not self.targets or len(set(self.targets)) < len(self.targets):
            raise ValueError(f"targets is {list(self.targets)}, expected some of {', '.join(TARGETS)}, each once")

    @property
    def scaling(self) -> float:
        """What the product is multiplied by."""
        return self.alpha / (math.sqrt(self.rank) if self.rslora else self.rank)

    def refuse(self, config: EncoderConfig) -> None:
        refuse_rank("rank", self.rank, config)

    def apply(self, encoder: Encoder) -> None:
        self.refuse(encoder.config)
        freeze(encoder)
        replace_linears(
            encoder,
            self.targets,
            lambda base: LowRankLinear(base, self.rank, self.scaling, dropout=self.dropout, magnitude=self.dora),
        )

    def merge(self, encoder: Encoder) -> Encoder:
        return bare(encoder, merged_weights(encoder))
