"""Regression: a number a text, or how alike two texts are.

In:  rows with `text`, or `text_a` and `text_b`; `label` a number
Out: `{"value"}`
Knows nothing of files, of the training loop or of how a model is stored.

Two texts go through the encoder one by one, and what is compared are their vectors (Reimers & Gurevych 2019, figure 2):
the product of the two and their distance, coordinate by coordinate. The cosine is one of the answers that a linear
layer over these can give, so an encoder of sentences is a good one before any training.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bertie.core.config import from_dict, to_dict
from bertie.core.errors import DataError, UsageError
from bertie.data.batches import Batch, Example, stack_numbers
from bertie.data.rows import Rows
from bertie.metrics.correlation import pearson, spearman
from bertie.metrics.samples import CorrelationSample
from bertie.nn.encoder import Encoder
from bertie.nn.heads import init_head, make_pooling, normalised
from bertie.nn.pair_head import comparison
from bertie.tasks.base import Answer, Mistake, Scores, Task, TaskSettings
from bertie.text.tokenizer import Tokenizer

PAIR = ("text_a", "text_b")


@dataclass(frozen=True, kw_only=True)
class RegressionSettings(TaskSettings):
    """What a recipe may say about the task."""

    pooling: Literal["mean", "first", "attention", "pooler"] = "mean"
    """How token states become one vector: mean, first token, learned weights, or first token through a dense layer."""
    pair: Literal["apart", "together"] = "apart"
    """Two texts: `apart`, each for itself, their vectors compared; `together`, as one sequence that attends to both."""
    dropout: float = 0.1
    """Share of the features that is dropped in training."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 <= self.dropout < 1.0:
            raise ValueError(f"dropout is {self.dropout}, expected 0 to below 1")


class RegressionHead(nn.Module):
    """Pooling, the comparison of two vectors where there are two, dropout, one linear layer with one output."""

    def __init__(self, hidden_size: int, *, pooling: str, compared: bool, dropout: float) -> None:
        super().__init__()
        self.compared = compared
        self.pooling = make_pooling(pooling, hidden_size)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(2 * hidden_size if compared else hidden_size, 1)
        init_head(self, self.output)

    def forward(self, states: Tensor, attention_mask: Tensor | None) -> Tensor:
        """(S, T, D), (S, T) or None to a standardised value a row (R,); compared: S = 2 R, sides beside each other."""
        pooled = self.pooling(states, attention_mask)  # (S, D)
        with torch.autocast(pooled.device.type, enabled=False):
            features = features_of(pooled.float(), self.compared)  # (R, D or 2 D)
            value: Tensor = self.output(self.dropout(features)).squeeze(-1)  # (R,)
        return value


def features_of(pooled: Tensor, compared: bool) -> Tensor:
    """Pooled states (S, D) to what the linear layer reads: normalised, or for two sides (S = 2 R) the comparison.

    Of a pair the features are D times u * v and |u - v| of the two vectors at length one, (R, 2 D).
    """
    if not compared:
        return normalised(pooled)
    return comparison(*pooled.view(-1, 2, pooled.shape[-1]).unbind(1))


class Regression(Task):
    """One linear layer over pooled states; learns the standardised number by its squared error."""

    name = "regression"

    def __init__(self, *, pair: bool, mean: float, deviation: float, settings: RegressionSettings) -> None:
        """`mean` and `deviation` are those of the numbers to learn."""
        super().__init__()
        self.pair, self.mean, self.deviation, self.settings = pair, mean, deviation, settings
        self.compared = pair and settings.pair == "apart"
        self.columns = PAIR if pair else ("text",)

    @classmethod
    def from_rows(cls, rows: Rows, settings: dict[str, Any]) -> Regression:
        """Mean and deviation of the labels; DataError where one is no number, or all are the same."""
        options = from_dict(RegressionSettings, settings, "task")
        numbers = np.array(_numbers(rows))
        deviation = float(numbers.std())
        if deviation == 0.0:
            raise DataError(f"{rows.source}: every label is {numbers[0]:g}; regression needs numbers that differ")
        return cls(pair="text_a" in rows[0], mean=float(numbers.mean()), deviation=deviation, settings=options)

    def accept(self, rows: Rows) -> Rows:
        """Labels as numbers."""
        return rows.with_column("label", _numbers(rows))

    def description(self) -> dict[str, Any]:
        return {
            "pair": self.pair,
            "mean": self.mean,
            "deviation": self.deviation,
            "settings": to_dict(self.settings),
        }

    @classmethod
    def from_description(cls, description: dict[str, Any]) -> Regression:
        values = dict(description)
        return cls(settings=from_dict(RegressionSettings, values.pop("settings"), "task"), **values)

    def build_head(self, hidden_size: int) -> None:
        options = self.settings
        self.head = RegressionHead(
            hidden_size, pooling=options.pooling, compared=self.compared, dropout=options.dropout
        )

    def start_from(self, weight: Tensor, bias: float) -> None:
        """Puts a linear solution, weight (F,) and bias over `features_of`, into the head; of standardised values."""
        if self.settings.pooling != "mean":
            raise UsageError(f"a linear start needs pooling 'mean', found {self.settings.pooling!r}")
        with torch.no_grad():
            self.head.output.weight.copy_(weight[None])
            self.head.output.bias.fill_(bias)

    def encode(self, rows: Sequence[dict[str, Any]], tokenizer: Tokenizer, max_length: int) -> list[Example]:
        sides = [[row[column] for row in rows] for column in self.columns]
        if self.compared:  # two vectors a row, so each side is one sequence
            encoded = list(zip(*(tokenizer.encode_batch(side, None, max_length) for side in sides), strict=True))
        else:
            second = sides[1] if self.pair else None
            encoded = self.settings.sequences(tokenizer, sides[0], second, max_length)
        return [Example(one, self._target(row.get("label"))) for one, row in zip(encoded, rows, strict=True)]

    def collate(self, examples: Sequence[Example], pad_id: int) -> Batch:
        return stack_numbers(examples, pad_id)

    def forward(self, encoder: Encoder, batch: Batch) -> Tensor:
        """Standardised values (R,)."""
        states = encoder(batch.input_ids, batch.attention_mask, batch.token_type_ids)  # (S, T, D)
        values: Tensor = self.head(states, batch.attention_mask)  # (R,), or (S,) of windows
        return batch.mean_of_rows(values)

    def loss(self, output: Tensor, batch: Batch) -> Tensor:
        assert batch.targets is not None, "a batch without targets has no loss"
        return F.mse_loss(output, batch.targets)

    def answer(self, output: Tensor, batch: Batch) -> list[Answer]:
        return [{"value": value * self.deviation + self.mean} for value in output.float().tolist()]

    def averaged(self, answers: Sequence[Answer], row: Mapping[str, Any]) -> Answer:
        return {"value": float(np.mean([answer["value"] for answer in answers]))}

    def unsure(self, answer: Answer) -> bool:
        """A number is rounded a little everywhere; there is no label that could change."""
        return False

    @property
    def metrics(self) -> tuple[str, ...]:
        return "spearman", "pearson"

    def score(self, answers: Sequence[Answer], rows: Rows) -> Scores:
        gold, found = np.array(_numbers(rows)), np.array([answer["value"] for answer in answers])
        errors = {"mean_squared_error": (gold - found) ** 2, "mean_absolute_error": np.abs(gold - found)}
        metrics = {"spearman": spearman(gold, found), "pearson": pearson(gold, found)}
        metrics |= {name: float(values.mean()) for name, values in errors.items()}
        per_row = {name: values.tolist() for name, values in errors.items()}
        sample = CorrelationSample(gold.tolist(), found.tolist())
        return Scores("spearman", metrics, per_row, sample, errors=tuple(errors))

    def mistake(self, row: Mapping[str, Any], answer: Answer) -> Mistake | None:
        """The further from right, in deviations of the training labels, the worse."""
        gold, found = float(row["label"]), answer["value"]
        off = abs(gold - found) / self.deviation
        return Mistake("\n".join(self.texts(row)), f"{gold:g}", f"{found:.4g}", off / (1 + off))

    def _target(self, label: Any) -> float | None:
        return None if label is None else (float(label) - self.mean) / self.deviation


def _numbers(rows: Rows) -> list[float]:
    numbers, problems = [], []
    for i, label in enumerate(rows.column("label")):
        try:
            numbers.append(_number(label))
        except (TypeError, ValueError):
            problems.append(f"{rows.where(i)}: the label is {label!r}, expected a number; correct the row")
    if problems:
        raise DataError(problems)
    return numbers


def _number(label: Any) -> float:
    number = float(label)
    if not math.isfinite(number):
        raise ValueError(label)
    return number
