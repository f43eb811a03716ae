"""Autoregressive language model: each piece is guessed from those before it (Radford et al. 2018, equation 1).

In:  passages as they stand, read with a causal mask
Out: nats of each piece; where a passage ends is not asked, as it was cut there
Knows nothing of generation.
"""

from __future__ import annotations

from torch import Tensor

from bertie.nn.config import EncoderConfig
from bertie.nn.language_head import LanguageHead
from bertie.objectives.base import Objective, Outcome, Views


class CausalLanguageModel(Objective):
    """Autoregression. With `masked_lm` beside it, one encoder learns both to fill in and to go on."""

    name = "causal_lm"
    answers = True
    foretells = True

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__(config)
        self.head = LanguageHead(config)

    def outcome(self, views: Views) -> Outcome:
        rows, columns = views.foretold
        return Outcome.of(self.scores(views, rows, columns), views.plain[rows, columns])

    def start_from_shares(self, log_shares: Tensor) -> None:
        self.head.start_from_shares(log_shares)

    def scores(self, views: Views, rows: Tensor, columns: Tensor) -> Tensor:
        """Of the piece at a place, by what stands before it."""
        logits: Tensor = self.head(views.causal[rows, columns - 1], views.word_vectors)
        return logits
