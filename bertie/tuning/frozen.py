"""Frozen features: the head alone is trained.

In:  an encoder
Out: the same with nothing to train, computing as in use
Knows nothing of heads: they are always trained.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bertie.nn.encoder import Encoder
from bertie.tuning.base import Method, freeze, still


@dataclass(frozen=True, kw_only=True)
class Frozen(Method):
    """Feature extraction (Peters et al. 2019): the backward pass ends at the head."""

    name: ClassVar[str] = "frozen"
    about: ClassVar[str] = "nothing but the head"

    def apply(self, encoder: Encoder) -> None:
        freeze(encoder)
        still(encoder, len(encoder.layers))
