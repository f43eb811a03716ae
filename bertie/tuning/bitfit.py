"""BitFit: the biases alone.

In:  an encoder
Out: the same with all frozen but its biases, which it gets where it has none
Knows nothing of how an encoder is stored.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from torch import nn

from bertie.nn.encoder import Encoder
from bertie.tuning.base import Method, freeze


@dataclass(frozen=True, kw_only=True)
class BitFit(Method):
    """Ben Zaken et al. 2022. ModernBERT has no biases: it gets some, as its config allows, which begin at zero."""

    name: ClassVar[str] = "bitfit"
    about: ClassVar[str] = "the biases"
    rate_factor: ClassVar[float] = 10.0

    def apply(self, encoder: Encoder) -> None:
        _give_biases(encoder)
        freeze(encoder)
        for name, parameter in encoder.named_parameters():
            parameter.requires_grad_(name.endswith(".bias"))


def _give_biases(encoder: Encoder) -> None:
    config = replace(encoder.config, norm_bias=True, attention_bias=True, feed_forward_bias=True)
    if config == encoder.config:
        return
    encoder.config = config
    for module in encoder.modules():
        if isinstance(module, nn.Linear | nn.LayerNorm) and "bias" not in dict(module.named_parameters(recurse=False)):
            module.bias = nn.Parameter(module.weight.new_zeros(module.weight.shape[0]))
