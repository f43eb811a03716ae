"""Embeddings: a vector a text, near to those of texts that mean the same or answer it.

In:  rows with `query`, `positive` (to be found for it), perhaps `negative` (not to be found); to answer: `text`
Out: `{"vector"}`, of length one
Knows nothing of files, of the training loop or of how a model is stored.

Learned by telling a query's positive from all other texts of the batch (InfoNCE: van den Oord et al. 2018, equation 4;
in both directions as Radford et al. 2021, figure 3).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from bertie.core.config import from_dict, to_dict
from bertie.core.errors import DataError
from bertie.data.batches import Batch, Example, stack_numbers
from bertie.data.rows import Rows
from bertie.metrics.ranking import ndcg, recall, reciprocal_rank
from bertie.nn.encoder import Encoder
from bertie.nn.heads import make_pooling
from bertie.nn.losses import in_batch_contrastive
from bertie.tasks.base import Answer, Mistake, Scores, Task, TaskSettings
from bertie.text.tokenizer import Encoded, Tokenizer

SIDES = ("query", "positive", "negative")
RANKED = 100
"""Best candidates that are looked at for each query; a positive further down is not found."""


@dataclass(frozen=True, kw_only=True)
class EmbeddingSettings(TaskSettings):
    """What a recipe may say about the task."""

    pooling: Literal["mean", "first"] = "mean"
    """How token states become one vector: their mean, or the first token's."""
    temperature: float = 0.05
    """Cosines are divided by this before the softmax; small: only the nearest texts count."""
    matryoshka: tuple[int, ...] = ()
    """Sizes whose leading numbers alone must serve too (Kusupati et al. 2022, equation 1), such as 64 and 128."""
    prefix: str = "auto"
    """Put before every text; `auto`: what the model was trained with, `query: ` for e5."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.temperature > 0.0:
            raise ValueError(f"temperature is {self.temperature}, expected more than 0")
        if any(size < 1 for size in self.matryoshka):
            raise ValueError(f"matryoshka is {list(self.matryoshka)}, expected sizes from 1 up to the encoder's width")


@dataclass(frozen=True)
class EmbeddingExample(Example):
    """A row whose texts have one sequence each, or with windows several."""

    windows: tuple[int, ...] = (1,)
    """Sequences of each text."""


class Embedding(Task):
    """Pooled states at length one; no parameters of its own."""

    name = "embedding"
    kind = "embedding"
    columns = ("text",)

    def __init__(self, *, prefix: str, settings: EmbeddingSettings) -> None:
        """`prefix` is what really stands before a text."""
        super().__init__()
        self.prefix, self.settings = prefix, settings

    @classmethod
    def from_rows(cls, rows: Rows, settings: dict[str, Any]) -> Embedding:
        """DataError where the rows are no queries with what should be found."""
        options = from_dict(EmbeddingSettings, settings, "task")
        missing = next((i for i, row in enumerate(rows) if not {"query", "positive"} <= set(row)), None)
        if missing is not None:
            raise DataError(f"{rows.where(missing)}: found {', '.join(rows[missing])}, expected query and positive")
        if len({row["positive"] for row in rows}) < 2:
            raise DataError(f"{rows.source}: every row has the same positive; expected at least two different ones")
        return cls(prefix="" if options.prefix == "auto" else options.prefix, settings=options)

    def settle(self, prefix: str) -> None:
        if self.settings.prefix == "auto":
            self.prefix = prefix

    def asked(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The text, under whichever name; of a row to judge its positive too."""
        text = row.get("text", row.get("query"))
        if not isinstance(text, str):
            raise DataError("column 'text' is missing or no text; the model needs text")
        positive = row.get("positive")
        return {"text": text} | ({"positive": positive} if isinstance(positive, str) else {})

    def texts(self, row: Mapping[str, Any]) -> list[str]:
        return [row["text"] if "text" in row else row["query"]]

    def description(self) -> dict[str, Any]:
        return {"prefix": self.prefix, "settings": to_dict(self.settings)}

    @classmethod
    def from_description(cls, description: dict[str, Any]) -> Embedding:
        return cls(prefix=description["prefix"], settings=from_dict(EmbeddingSettings, description["settings"], "task"))

    def build_head(self, hidden_size: int) -> None:
        if any(size > hidden_size for size in self.settings.matryoshka):
            raise DataError(f"task.matryoshka is {list(self.settings.matryoshka)}, the encoder is {hidden_size} wide")
        self.pooling = make_pooling(self.settings.pooling, hidden_size)

    def encode(self, rows: Sequence[dict[str, Any]], tokenizer: Tokenizer, max_length: int) -> list[Example]:
        sides = [[row.get("query", row.get("text")), row.get("positive"), row.get("negative")] for row in rows]
        texts = [[text for text in row if text] or [""] for row in sides]
        flat = [self.prefix + text for row in texts for text in row]
        encoded = iter(self.settings.sequences(tokenizer, flat, None, max_length))
        return [
            _example([next(encoded) for _ in row], positive) for row, (_, positive, _) in zip(texts, sides, strict=True)
        ]

    def collate(self, examples: Sequence[Example], pad_id: int) -> Batch:
        return stack_numbers(examples, pad_id)

    def forward(self, encoder: Encoder, batch: Batch) -> Tensor:
        """Vectors (V, D) of length one; of a row the query's, the positive's, the negative's, as far as it has them."""
        states = encoder(batch.input_ids, batch.attention_mask, batch.token_type_ids)  # (S, T, D)
        pooled = self.pooling(states, batch.attention_mask).float()  # (S, D)
        texts = _texts_of(batch)
        place = torch.tensor([v for v, count in enumerate(texts) for _ in range(count)], device=pooled.device)  # (S,)
        # Windows of one text add up to its mean; what length the sum has is gone after the normalisation.
        return F.normalize(pooled.new_zeros(len(texts), pooled.shape[1]).index_add_(0, place, pooled), dim=-1)

    def loss(self, output: Tensor, batch: Batch) -> Tensor:
        assert batch.targets is not None, "a batch without positives has no loss"
        sides = torch.tensor([side for example in batch.examples for side in range(_sides(example))])  # (V,)
        parts = [output[sides.to(output.device) == side] for side in range(3)]  # (R, D), (R, D), (up to R, D)
        sizes = (*self.settings.matryoshka, None)
        return torch.stack([self._loss(parts, batch.targets, size) for size in sizes]).mean()

    def _loss(self, parts: Sequence[Tensor], identities: Tensor, size: int | None) -> Tensor:
        """Of the first `size` numbers of each vector."""
        queries, positives, negatives = (F.normalize(part[:, :size], dim=-1) for part in parts)
        return in_batch_contrastive(queries, positives, negatives, identities, self.settings.temperature)

    def answer(self, output: Tensor, batch: Batch) -> list[Answer]:
        vectors = iter(output.float().tolist())
        rows = [[next(vectors) for _ in range(_sides(example))] for example in batch.examples]
        return [{"vector": row[0]} | ({"positive": row[1]} if len(row) > 1 else {}) for row in rows]

    def unsure(self, answer: Answer) -> bool:
        """A vector is rounded a little everywhere; there is no label that could change."""
        return False

    def kept(self, answer: Answer) -> Answer:
        """Vectors as arrays: lists of numbers need eight times as much."""
        if "ranked" in answer:
            return {"ranked": answer["ranked"]}
        return {name: np.array(answer[name], dtype=np.float32) for name in ("vector", "positive")}

    def score(self, answers: Sequence[Answer], rows: Rows) -> Scores:
        """Every query among all positives of these rows. An answer may also be `{"ranked"}`: positives, best first."""
        ranked = [answer["ranked"] for answer in answers] if "ranked" in answers[0] else _ranked(answers, rows)
        relevant = [[row["positive"]] for row in rows]
        per_row = {
            "ndcg_at_10": ndcg(ranked, relevant, 10),
            "mrr_at_10": reciprocal_rank(ranked, relevant, 10),
            "recall_at_1": recall(ranked, relevant, 1),
            "recall_at_10": recall(ranked, relevant, 10),
        }
        return Scores("ndcg_at_10", {name: float(np.mean(values)) for name, values in per_row.items()}, per_row)

    def mistake(self, row: Mapping[str, Any], answer: Answer) -> Mistake | None:
        """A query far from its own positive."""
        cosine = float(np.dot(answer["vector"], answer["positive"]))
        return Mistake(row["query"], row["positive"], f"cosine {cosine:.2f}", (1 - cosine) / 2)


def _example(texts: Sequence[tuple[Encoded, ...]], positive: str | None) -> EmbeddingExample:
    sequences = tuple(sequence for text in texts for sequence in text)
    return EmbeddingExample(sequences, _identity(positive), tuple(len(text) for text in texts))


def _sides(example: Example) -> int:
    assert isinstance(example, EmbeddingExample)
    return len(example.windows)


def _texts_of(batch: Batch) -> list[int]:
    """Sequences of each text of the batch (V,)."""
    return [count for example in batch.examples if isinstance(example, EmbeddingExample) for count in example.windows]


def _identity(text: str | None) -> int | None:
    """The same number for the same text: in a batch one positive of two queries is no negative of either."""
    return None if text is None else int.from_bytes(hashlib.sha256(text.encode("utf-8", "replace")).digest()[:7])


def _ranked(answers: Sequence[Answer], rows: Rows) -> list[list[str]]:
    """The positives of all rows by their cosine to each query, best first."""
    known = {row["positive"]: answer["positive"] for row, answer in zip(rows, answers, strict=True)}
    names = list(known)
    candidates: NDArray[np.float32] = np.array([known[name] for name in names], dtype=np.float32)  # (P, D)
    ranked = []
    for answer in answers:
        cosines = candidates @ np.array(answer["vector"], dtype=np.float32)  # (P,)
        ranked.append([names[i] for i in np.argsort(-cosines, kind="stable")[:RANKED]])
    return ranked
