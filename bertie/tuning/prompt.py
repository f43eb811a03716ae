"""Prompt tuning: vectors in front of the embedded text.

In:  an encoder, a length
Out: the same with a prompt, whose states never leave it
Knows nothing of how the encoder uses it.
"""

# B batch, P prompt length, D width

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from bertie.nn.encoder import Encoder
from bertie.tuning.base import VirtualTokens, freeze


class Prompt(nn.Module):
    """The vectors."""

    def __init__(self, vectors: Tensor) -> None:
        """(P, D)."""
        super().__init__()
        self.vectors = nn.Parameter(vectors)

    def forward(self, batch: int) -> Tensor:
        """(B, P, D)."""
        return self.vectors.expand(batch, -1, -1)


@dataclass(frozen=True, kw_only=True)
class PromptTuning(VirtualTokens):
    """Lester et al. 2021. The text keeps its own positions, so none of them is lost to the prompt."""

    name: ClassVar[str] = "prompt"
    about: ClassVar[str] = "vectors in front of the embedded text"
    rate_factor: ClassVar[float] = 200.0

    def apply(self, encoder: Encoder) -> None:
        """The vectors begin as those of words drawn at random (section 3.2 of the paper: better than random ones)."""
        freeze(encoder)
        device = next(encoder.parameters()).device
        words = torch.randint(encoder.config.vocab_size, (self.length, 1), device=device)
        training = encoder.training
        with torch.no_grad():
            encoder.embeddings.eval()
            encoder.prompt = Prompt(encoder.embeddings(words).squeeze(1).clone())
        encoder.train(training)
