"""The contract of an objective: what a text asks of a model that learns from text alone.

In:  passages as the model sees them and as they stand, an encoder
Out: for every question that was asked the nats of its answer, and whether the model's guess is right
Knows nothing of corpora, of other objectives or of the loop.

The objectives of one training share its passages and, where they can, its passes through the encoder: `Views` gives
each way of reading the batch and computes it once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bertie.data.batches import Batch, Example
from bertie.data.passages import Join, Passage
from bertie.nn.config import EncoderConfig
from bertie.nn.encoder import Encoder
from bertie.nn.heads import mean_pool

# S passages, T tokens, D width, M questions, V pieces of the vocabulary


@dataclass(frozen=True)
class Outcome:
    """What an objective found in a batch."""

    nats: Tensor  # (M,) negative log-likelihood of each right answer
    right: Tensor  # (M,) bool, whether it was the likeliest
    beside: Tensor | None = None  # a number that is added to the loss, of what helps to ask
    beside_of: int = 0  # what that is the mean over

    @classmethod
    def of(cls, logits: Tensor, labels: Tensor) -> Outcome:
        """Questions with one right answer each: logits (M, C), labels (M,)."""
        nats = F.cross_entropy(logits.float(), labels, reduction="none")
        return cls(nats, logits.argmax(dim=-1) == labels)

    @classmethod
    def yes_or_no(cls, logits: Tensor, labels: Tensor) -> Outcome:
        """Questions to be answered by yes or no: logits (M,), labels (M,) of 0 and 1."""
        nats = F.binary_cross_entropy_with_logits(logits.float(), labels.float(), reduction="none")
        return cls(nats, (logits > 0) == labels.bool())


class Views:
    """One batch, read by an encoder in the ways that objectives ask for; each is computed once."""

    def __init__(self, encoder: Encoder, batch: Batch, teacher: Encoder | None = None) -> None:
        self.encoder, self.batch, self.teacher = encoder, batch, teacher
        targets = (example.target for example in batch.examples)
        self.passages: list[Passage] = [one for target in targets for one in target]

    @cached_property
    def states(self) -> Tensor:
        """(S, T, D) of the passages as the model sees them, masks and all."""
        return self.read(self.batch.input_ids)

    @cached_property
    def taught(self) -> Tensor:
        """(S, T, E) what the teacher makes of the same ids as `states`; no gradient reaches it."""
        assert self.teacher is not None, "only a training has a teacher"
        batch = self.batch
        with torch.no_grad():
            states: Tensor = self.teacher(batch.input_ids, batch.attention_mask, batch.token_type_ids)
        return states

    @cached_property
    def causal(self) -> Tensor:
        """(S, T, D) of the passages as they stand, each token seeing only those before it."""
        return self.read(self.plain, causal=True)

    @cached_property
    def plain(self) -> Tensor:
        """(S, T) ids of the passages as they stand."""
        ids = self.batch.input_ids.clone()
        for s, passage in enumerate(self.passages):
            ids[s, : len(passage.plain)] = torch.from_numpy(passage.plain).to(ids.device)
        return ids

    @cached_property
    def places(self) -> tuple[Tensor, Tensor]:
        """Rows and columns, (M,) each, of the pieces to be guessed."""
        rows = np.repeat(np.arange(len(self.passages)), [len(one.places) for one in self.passages])
        columns = np.concatenate([one.places for one in self.passages]) if len(rows) else rows
        device = self.batch.input_ids.device
        return torch.from_numpy(rows).to(device), torch.from_numpy(columns).to(device)

    @cached_property
    def foretold(self) -> tuple[Tensor, Tensor]:
        """Rows and columns, (M,) each, of the pieces that something stands before: all but specials."""
        rows, columns = self.askable[:, 1:].nonzero(as_tuple=True)
        return rows, columns + 1

    @property
    def mask(self) -> Tensor:
        """(S, T) bool, True for tokens."""
        found = self.batch.attention_mask
        return torch.ones_like(self.batch.input_ids, dtype=torch.bool) if found is None else found

    @cached_property
    def askable(self) -> Tensor:
        """(S, T) bool, False for specials and padding."""
        found = torch.zeros_like(self.batch.input_ids, dtype=torch.bool)
        sequences = (sequence for example in self.batch.examples for sequence in example.sequences)
        for s, sequence in enumerate(sequences):
            inside = torch.tensor([side is not None for side in sequence.sequence], dtype=torch.bool)
            found[s, : len(inside)] = inside.to(found.device)
        return found

    @property
    def word_vectors(self) -> Tensor:
        """(V, E), the table with which output layers are tied."""
        weight: Tensor = self.encoder.embeddings.word_embeddings.weight
        return weight

    def some(self, chosen: slice) -> Views:
        """Those of some of the sequences; each of them is a row of its own."""
        batch = self.batch
        read = [sequence for example in batch.examples for sequence in example.sequences][chosen]
        examples = [Example((one,), (passage,)) for one, passage in zip(read, self.passages[chosen], strict=True)]
        part = Batch(
            input_ids=batch.input_ids[chosen],
            attention_mask=None if batch.attention_mask is None else batch.attention_mask[chosen],
            token_type_ids=None if batch.token_type_ids is None else batch.token_type_ids[chosen],
            row=torch.arange(len(read)),
            rows=len(read),
            examples=tuple(examples),
        )
        return Views(self.encoder, part, self.teacher)

    def read(self, ids: Tensor, *, causal: bool = False) -> Tensor:
        """Ids (S, T) of the same passages through the encoder, (S, T, D)."""
        states: Tensor = self.encoder(ids, self.batch.attention_mask, self.batch.token_type_ids, causal=causal)
        return states


class Objective(nn.Module, ABC):
    """Its parameters are its head's. A subclass with a `name`, in a file of this folder, is one a user can name."""

    name: ClassVar[str]
    masks: ClassVar[bool] = False
    """Whether pieces of the passages are to be hidden for it."""
    join: ClassVar[Join | None] = None
    """Whether and how the passages are to have two parts."""
    compares: ClassVar[bool] = False
    """Whether it compares the passages of a batch with each other."""
    answers: ClassVar[bool] = False
    """Whether `scores` can say which piece stands at a place."""
    foretells: ClassVar[bool] = False
    """Whether that is what its outcome is about: then e to the mean of its nats is a perplexity."""
    needs_teacher: ClassVar[bool] = False
    """Whether it learns from an encoder that is not trained: `views.taught`."""

    @abstractmethod
    def __init__(self, config: EncoderConfig) -> None:
        """Makes the head for an encoder of this shape."""
        super().__init__()

    def meet(self, width: int) -> None:
        """Told the width of the teacher's states, in training and when a bundle is loaded, before it is used at all;
        makes what depends on it."""

    @abstractmethod
    def outcome(self, views: Views) -> Outcome:
        """What the batch asks, answered."""

    def scores(self, views: Views, rows: Tensor, columns: Tensor) -> Tensor:
        """Logits (M, V) of the piece at each place, for an objective that `answers`."""
        raise NotImplementedError(f"{self.name} guesses no pieces")

    def start_from_shares(self, log_shares: Tensor) -> None:
        """Told, before it learns from nothing, the logarithms of the shares of the pieces (V,)."""

    def heads(self) -> dict[str, Tensor]:
        """Weights that other programs know, by the names of `LoadedEncoder.heads`."""
        return {}


class PairHead(nn.Module):
    """Yes or no about the two parts of a passage, from their mean states u and v: u, v, |u - v| and u * v.

    BERT asks the state of [CLS], which from random weights finds nothing for a long while: it would first have to learn
    to compare. The means can be compared from the first step on (Reimers and Gurevych 2019, section 3).
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.output = nn.Linear(4 * config.hidden_size, 1)
        for layer in (self.dense, self.output):
            nn.init.normal_(layer.weight, std=config.initializer_range)
            nn.init.zeros_(layer.bias)

    def forward(self, states: Tensor, first: Tensor, second: Tensor) -> Tensor:
        """States (S, T, D) and the places of both parts (S, T) bool to logits of yes (S,)."""
        u, v = (self.dense(mean_pool(states, side)).tanh() for side in (first, second))  # (S, D)
        logits: Tensor = self.output(torch.cat([u, v, (u - v).abs(), u * v], dim=-1)).squeeze(-1)  # (S,)
        return logits

    def outcome(self, views: Views) -> Outcome:
        """Of the passages that have two parts."""
        labels = torch.tensor([passage.joined for passage in views.passages], device=views.plain.device)  # (S,)
        types = views.batch.token_type_ids
        second = torch.zeros_like(views.mask) if types is None else (types > 0) & views.mask
        logits = self(views.states, views.mask & ~second, second)  # (S,)
        asked = labels >= 0
        return Outcome.yes_or_no(logits[asked], labels[asked])
