"""Gradual unfreezing: the top layer first, then one more and one more.

In:  an encoder, the step
Out: the same, of which more and more is trained
Knows nothing of the loop: where a step stands in the whole training is handed in, so a resume goes on as it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bertie.nn.encoder import Encoder
from bertie.tuning.base import Method, freeze


@dataclass(frozen=True, kw_only=True)
class GradualUnfreezing(Method):
    """Howard and Ruder 2018, section 3.3, by parts of the training instead of by epochs. The embeddings come last."""

    name: ClassVar[str] = "gradual_unfreezing"
    about: ClassVar[str] = "more and more layers, from the top down"
    constant: ClassVar[bool] = False

    over: float = 0.5
    """Part of all steps after which everything is trained, above 0 to 1."""

    def __post_init__(self) -> None:
        if not 0.0 < self.over <= 1.0:
            raise ValueError(f"over is {self.over}, expected more than 0 and at most 1; --method full begins with all")

    def apply(self, encoder: Encoder) -> None:
        # The optimiser must know all that will ever be trained; `before_step` freezes before the first step.
        freeze(encoder, False)

    def before_step(self, encoder: Encoder, done: int, total: int) -> None:
        parts = [*reversed(encoder.layers), encoder.embeddings]
        trained = 1 + int(done / (self.over * total) * (len(parts) - 1))
        for place, part in enumerate(parts):
            freeze(part, place >= trained)
