"""A task of few numbers, so that the loop is tested and not a model.

In:  nothing
Out: a tiny encoder with a toy task, and examples that it can learn
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bertie.data.batches import Batch, Example, stack
from bertie.data.rows import Rows
from bertie.nn.config import EncoderConfig
from bertie.nn.encoder import Encoder
from bertie.tasks.base import Answer, Scores, Task
from bertie.text.tokenizer import Encoded, Tokenizer
from bertie.training.model import TrainingModel
from bertie.training.state import Evaluation

VOCABULARY = 100


class Toy(Task):
    """Two classes from the mean state."""

    columns = ("text",)

    @classmethod
    def from_rows(cls, rows: Rows, settings: dict[str, Any]) -> Toy:
        raise NotImplementedError

    def description(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_description(cls, description: dict[str, Any]) -> Toy:
        raise NotImplementedError

    def build_head(self, hidden_size: int) -> None:
        self.head = nn.Linear(hidden_size, 2)

    def encode(self, rows: Sequence[dict[str, Any]], tokenizer: Tokenizer, max_length: int) -> list[Example]:
        raise NotImplementedError

    def collate(self, examples: Sequence[Example], pad_id: int) -> Batch:
        return replace(stack(examples, pad_id), targets=torch.tensor([example.target for example in examples]))

    def forward(self, encoder: Encoder, batch: Batch) -> Tensor:
        states = encoder(batch.input_ids, batch.attention_mask)
        real = torch.ones_like(batch.input_ids) if batch.attention_mask is None else batch.attention_mask  # (B, T)
        mean = (states * real.unsqueeze(-1)).sum(dim=1) / real.sum(dim=1, keepdim=True)  # (B, D)
        logits: Tensor = self.head(mean)
        return logits

    def loss(self, output: Tensor, batch: Batch) -> Tensor:
        assert batch.targets is not None
        return F.cross_entropy(output, batch.targets)

    def answer(self, output: Tensor, batch: Batch) -> list[Answer]:
        raise NotImplementedError

    def score(self, answers: Sequence[Answer], rows: Rows) -> Scores:
        raise NotImplementedError


def toy_model(seed: int = 0, dropout: float = 0.1, vocabulary: int = VOCABULARY) -> TrainingModel:
    torch.manual_seed(seed)
    config = EncoderConfig(
        vocab_size=vocabulary,
        hidden_size=16,
        layers=2,
        heads=2,
        intermediate_size=32,
        max_positions=32,
        dropout=dropout,
        attention_dropout=dropout,
    )
    task = Toy()
    task.build_head(16)
    return TrainingModel(Encoder(config), task)


def toy_examples(count: int = 60, seed: int = 0, highest: int = VOCABULARY) -> list[Example]:
    """Texts of 3 to 20 tokens; the class says whether token 5 or token 6 stands in them."""
    rng = random.Random(seed)
    made = []
    for _ in range(count):
        target = rng.randrange(2)
        ids = [rng.randrange(10, highest) for _ in range(rng.randrange(2, 20))]
        ids.insert(rng.randrange(len(ids) + 1), 5 + target)
        n = len(ids)
        made.append(Example((Encoded(ids, [0] * n, [(0, 0)] * n, [0] * n, False),), target))
    return made


def judge(model: TrainingModel, examples: Sequence[Example]) -> Callable[[], Evaluation]:
    """Minus the loss on `examples`."""

    def evaluate() -> Evaluation:
        with torch.no_grad():
            loss = float(model(model.collate(examples)))
        return Evaluation(-loss, {"loss": loss})

    return evaluate
