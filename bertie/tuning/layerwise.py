"""Layer-wise rates: all weights, the lower ones in smaller steps.

In:  an encoder, a factor
Out: the same, all of which is trained, and the factor for the optimiser
Knows nothing of the optimiser: it groups the layers (`training/optimizer.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bertie.nn.encoder import Encoder
from bertie.tuning.base import Method, freeze


@dataclass(frozen=True, kw_only=True)
class Layerwise(Method):
    """Discriminative fine-tuning (Howard and Ruder 2018, section 3.1)."""

    name: ClassVar[str] = "layerwise"
    about: ClassVar[str] = "all weights, lower layers by smaller steps"

    decay: float = 0.85
    """Each layer's learning rate as a part of that of the layer above it, above 0 to below 1."""

    def __post_init__(self) -> None:
        if not 0.0 < self.decay < 1.0:
            raise ValueError(f"decay is {self.decay}, expected more than 0 and less than 1; --method full has one rate")

    def apply(self, encoder: Encoder) -> None:
        freeze(encoder, False)

    def layer_decay(self) -> float:
        return self.decay
