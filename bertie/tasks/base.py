"""The contract of a task: five verbs in the order of the flow.

    rows --encode--> examples --collate--> Batch --forward--> output --loss----> number
                                                              output --answer--> answers --score--> metrics

In:  rows with canonical columns, a tokenizer, an encoder
Out: what each verb gives
Knows nothing of files, of the training loop or of how a model is stored.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import Tensor, nn

from bertie.data.batches import Batch, Example
from bertie.data.rows import Rows
from bertie.metrics.labels import Outcomes
from bertie.nn.encoder import Encoder
from bertie.text.tokenizer import Tokenizer

Answer = dict[str, Any]
"""What a person reads, as JSON: for classification `{"label", "score", "scores"}`; any may carry "note"."""


@dataclass(frozen=True)
class Scores:
    """Metrics of answers against rows."""

    primary: str
    """Name of the one metric by which the best model is kept; larger is better."""
    metrics: dict[str, float]
    per_row: dict[str, list[float]]
    """Each row's share of the metrics that are a mean over rows, for intervals and paired tests."""
    outcomes: Outcomes | None = None
    """What the averages of F1 are computed from, where there are any, for the same."""
    details: dict[str, Any] = field(default_factory=dict)
    """Per-class table, confusion matrix and the like, as plain JSON."""

    @property
    def value(self) -> float:
        """The primary metric."""
        return self.metrics[self.primary]


class Task(nn.Module, ABC):
    """A task holds its settings, its labels and its head; the encoder is handed in.

    Its parameters are the head's. A subclass with a `name`, in a file of this folder, is a task that a user can name.
    """

    name: ClassVar[str]
    columns: tuple[str, ...]
    """Columns that a row must have to be answered; the label is not among them."""

    @classmethod
    @abstractmethod
    def from_rows(cls, rows: Rows, settings: dict[str, Any]) -> Task:
        """Learns what must be known before the head is made (the labels); DataError names the rows that do not fit."""

    def accept(self, rows: Rows) -> Rows:
        """Labelled rows as `score` takes them, whatever their file made of the labels; DataError names those that do
        not fit. Unchanged where a task says nothing else.
        """
        return rows

    @abstractmethod
    def description(self) -> dict[str, Any]:
        """Plain JSON from which `from_description` makes the same task, without weights."""

    @classmethod
    @abstractmethod
    def from_description(cls, description: dict[str, Any]) -> Task:
        """The inverse of `description`."""

    @abstractmethod
    def build_head(self, hidden_size: int) -> None:
        """Makes the head's parameters for an encoder of this width."""

    @abstractmethod
    def encode(self, rows: Sequence[dict[str, Any]], tokenizer: Tokenizer, max_length: int) -> list[Example]:
        """Rows to examples; a row without a label gets target None."""

    @abstractmethod
    def collate(self, examples: Sequence[Example], pad_id: int) -> Batch:
        """Examples to one Batch with targets (None where any example has none)."""

    @abstractmethod
    def forward(self, encoder: Encoder, batch: Batch) -> Tensor:
        """The batch through encoder and head. Output (R, ...) in the order of the rows."""

    @abstractmethod
    def loss(self, output: Tensor, batch: Batch) -> Tensor:
        """One number, the mean over the rows of the batch."""

    @abstractmethod
    def answer(self, output: Tensor, batch: Batch) -> list[Answer]:
        """One answer per row."""

    def unsure(self, answer: Answer) -> bool:
        """Whether rounding to bfloat16 could change what is answered: such rows are computed again in float32.

        A task that does not know says always.
        """
        return True

    @abstractmethod
    def score(self, answers: Sequence[Answer], rows: Rows) -> Scores:
        """Answers against the labels of the rows. A label never seen in training is counted and scored wrong."""
