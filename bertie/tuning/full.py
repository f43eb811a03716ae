"""Full fine-tuning: all weights of the encoder are trained.

In:  an encoder
Out: the same, all of which asks for gradients
Knows nothing of rates: those are the optimiser's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bertie.nn.encoder import Encoder
from bertie.tuning.base import Method, freeze


@dataclass(frozen=True, kw_only=True)
class Full(Method):
    """Devlin et al. 2019, section 3.2."""

    name: ClassVar[str] = "full"
    about: ClassVar[str] = "all weights"

    def apply(self, encoder: Encoder) -> None:
        freeze(encoder, False)
