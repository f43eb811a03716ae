"""Sentence-order prediction: do the two parts stand in their order? (Lan et al. 2020, section 3.1)

In:  states of passages of two parts that follow each other, half of them swapped
Out: nats of yes or no
Knows nothing of how passages are joined.
"""

from __future__ import annotations

from bertie.nn.config import EncoderConfig
from bertie.objectives.base import Objective, Outcome, PairHead, Views


class SentenceOrder(Objective):
    """Harder than `next_sentence`: both parts are of one subject, so only their connection tells."""

    name = "sentence_order"
    join = "order"

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__(config)
        self.head = PairHead(config)

    def outcome(self, views: Views) -> Outcome:
        return self.head.outcome(views)
