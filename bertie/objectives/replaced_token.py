"""Replaced-token detection: which pieces did a small generator put in? (Clark et al. 2020, section 2)

In:  passages with hidden pieces, which the generator fills in by lot
Out: nats of yes or no for every piece, and the generator's own loss beside them
Knows nothing of which pieces are hidden, or why.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from bertie.nn.config import EncoderConfig
from bertie.nn.encoder import Encoder
from bertie.nn.language_head import LanguageHead
from bertie.objectives.base import Objective, Outcome, Views

WEIGHT = 50.0
"""Factor of the detection beside the generator's loss, which is so much larger (Clark et al. 2020, section 3.1)."""
PART = 4
"""The generator's width as a part of the encoder's: from a quarter to a half was best (there, section 3.2)."""


class ReplacedToken(Objective):
    """Learns from every piece of a passage, not from the hidden ones alone; the generator is not used afterwards but to
    fill in."""

    name = "replaced_token"
    masks = True
    answers = True

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__(config)
        width = max(config.hidden_size // PART, config.heads * 2)
        heads = max(1, config.heads // PART)
        width -= width % (2 * heads)
        small = replace(
            config, hidden_size=width, heads=heads, intermediate_size=4 * width, embedding_size=None, dropout=0.0
        )
        self.generator = Encoder(small)
        self.guess = LanguageHead(small)
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.output = nn.Linear(config.hidden_size, 1)
        for layer in (self.dense, self.output):
            nn.init.normal_(layer.weight, std=config.initializer_range)
            nn.init.zeros_(layer.bias)

    def outcome(self, views: Views) -> Outcome:
        """Of every piece whether it is the right one; the generator's mean nats are added to the loss."""
        rows, columns = views.places
        logits = self.scores(views, rows, columns).float()  # (M, V)
        seen = views.plain.clone()  # (S, T)
        seen[rows, columns] = self._drawn(logits.detach())
        states = views.read(seen)  # (S, T, D)
        asked = views.mask & views.askable  # (S, T)
        found = self.output(nn.functional.gelu(self.dense(states[asked]))).squeeze(-1)  # (N,)
        detected = Outcome.yes_or_no(found, (seen != views.plain)[asked])
        guessed = Outcome.of(logits, views.plain[rows, columns])
        beside = guessed.nats.mean() / WEIGHT if len(rows) else guessed.nats.sum()
        return Outcome(detected.nats, detected.right, beside, len(rows))

    def scores(self, views: Views, rows: Tensor, columns: Tensor) -> Tensor:
        """The generator's guesses."""
        batch = views.batch
        states = self.generator(batch.input_ids, batch.attention_mask, batch.token_type_ids)  # (S, T, G)
        logits: Tensor = self.guess(states[rows, columns], self.generator.embeddings.word_embeddings.weight)
        return logits

    def _drawn(self, logits: Tensor) -> Tensor:
        """A piece by lot for each place (M,); while a model is judged always by the same lots."""
        if not len(logits):
            return logits.new_zeros(0, dtype=torch.long)
        generator = None if self.training else torch.Generator(logits.device).manual_seed(0)
        return torch.multinomial(logits.softmax(-1), 1, generator=generator).squeeze(-1)
