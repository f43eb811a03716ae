"""Masked language model: hidden pieces are guessed from both sides (Devlin et al. 2019, section 3.1, task 1).

In:  states of passages with hidden pieces
Out: nats of each hidden piece; logits are computed at these places only, a seventh of all
Knows nothing of which pieces are hidden, or why.
"""

from __future__ import annotations

from torch import Tensor

from bertie.nn.config import EncoderConfig
from bertie.nn.language_head import LanguageHead
from bertie.objectives.base import Objective, Outcome, Views


class MaskedLanguageModel(Objective):
    """Auto-encoding."""

    name = "masked_lm"
    masks = True
    answers = True
    foretells = True

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__(config)
        self.head = LanguageHead(config)

    def outcome(self, views: Views) -> Outcome:
        rows, columns = views.places
        return Outcome.of(self.scores(views, rows, columns), views.plain[rows, columns])

    def start_from_shares(self, log_shares: Tensor) -> None:
        self.head.start_from_shares(log_shares)

    def scores(self, views: Views, rows: Tensor, columns: Tensor) -> Tensor:
        logits: Tensor = self.head(views.states[rows, columns], views.word_vectors)
        return logits

    def heads(self) -> dict[str, Tensor]:
        return {f"masked_lm.{name}": weight for name, weight in self.head.state_dict().items()}
