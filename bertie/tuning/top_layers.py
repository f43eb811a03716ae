"""The top layers alone: what lies below stays as it is, and takes no part in the backward pass.

In:  an encoder, a number of layers
Out: the same with all frozen but these
Knows nothing of rates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bertie.core.errors import UsageError
from bertie.nn.config import EncoderConfig
from bertie.nn.encoder import Encoder
from bertie.tuning.base import Method, freeze, still


@dataclass(frozen=True, kw_only=True)
class TopLayers(Method):
    """Lee et al. 2019: a quarter of the layers gives most of what full tuning does.

    Where layers share their weights (ALBERT) those of the top are those of others too, which therefore change as well.
    """

    name: ClassVar[str] = "top_layers"
    about: ClassVar[str] = "the uppermost layers"

    layers: int = 2
    """How many layers are trained, counted from the top."""

    def __post_init__(self) -> None:
        if self.layers < 1:
            raise ValueError(f"layers is {self.layers}, expected at least 1; --method frozen trains none")

    def refuse(self, config: EncoderConfig) -> None:
        if self.layers > config.layers:
            raise UsageError(f"tuning.layers is {self.layers}, the encoder has {config.layers}; take fewer, or full")

    def apply(self, encoder: Encoder) -> None:
        config = encoder.config
        self.refuse(config)
        blocks = sorted({config.block_of(n) for n in range(config.layers - self.layers, config.layers)})
        freeze(encoder)
        still(encoder, blocks[0])
        for block in blocks:
            freeze(encoder.layers[block], False)
        if encoder.final_norm is not None:
            freeze(encoder.final_norm, False)
