"""Next-sentence prediction: does the second part follow the first one? (Devlin et al. 2019, section 3.1, task 2)

In:  states of passages of two parts, half of them with a second part of another text
Out: nats of yes or no
Knows nothing of how passages are joined.
"""

from __future__ import annotations

from bertie.nn.config import EncoderConfig
from bertie.objectives.base import Objective, Outcome, PairHead, Views


class NextSentence(Objective):
    """Joint with `masked_lm` it is BERT's pre-training; the loss is the sum of the two."""

    name = "next_sentence"
    join = "next"

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__(config)
        self.head = PairHead(config)

    def outcome(self, views: Views) -> Outcome:
        return self.head.outcome(views)
