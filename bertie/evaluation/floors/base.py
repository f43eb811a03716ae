"""The contract of a floor: fitted on the training rows, it answers as the task does.

In:  training rows; a task and an encoder that nobody has tuned
Out: answers in the task's form; the floor as plain values that a bundle can keep
Knows nothing of training, of bundles or of how the answers are judged.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray

from bertie.core.errors import BundleError, ModelError
from bertie.data.batches import Example
from bertie.data.rows import Rows
from bertie.evaluation.features import text_vectors
from bertie.nn import checkpoint
from bertie.nn.encoder import Encoder
from bertie.nn.heads import make_pooling
from bertie.tasks.base import Answer, Task
from bertie.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Ground:
    """What floors stand on: a task before its training, and the encoder that nobody has tuned."""

    task: Task
    encoder: Encoder
    tokenizer: Tokenizer
    max_length: int
    dtype: torch.dtype = torch.float32
    """What the encoder computes in."""

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """What the encoder makes of texts, with the task's prefix and pooling: vectors at length one, (N, D)."""
        pool = make_pooling(self.task.pooling_name, self.encoder.config.hidden_size)
        asked = [self.task.prefix + text for text in texts]
        return text_vectors(self.encoder, self.tokenizer, asked, self.max_length, pool, self.dtype)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the encoder's weights, by which a floor knows it again; taken once, a ground is not tuned."""
        return checkpoint.fingerprint(self.encoder)

    def prove(self, fingerprint: str) -> None:
        """ModelError where the encoder is not the one that a floor was fitted on: it would answer at random."""
        if self.fingerprint != fingerprint:
            raise ModelError("what is on this machine has other weights than the encoder that the floor was fitted on")

    def encode(self, rows: Rows) -> list[Example]:
        """Rows as the task's model sees them."""
        return self.task.encode(list(rows), self.tokenizer, self.max_length)


@dataclass(frozen=True)
class State:
    """A floor as a bundle keeps it: no pickle."""

    document: dict[str, Any]
    """Plain JSON."""
    weights: dict[str, NDArray[Any]]

    def part(self, name: str) -> State:
        """The state under this name, of those that `together` joined."""
        own = f"{name}."
        weights = {key.removeprefix(own): value for key, value in self.weights.items() if key.startswith(own)}
        return State(self.document[name], weights)


def together(parts: Mapping[str, Floor]) -> State | None:
    """The states of floors that answer together as one; None where one of them keeps nothing."""
    document, weights = dict[str, Any](), dict[str, NDArray[Any]]()
    for name, floor in parts.items():
        state = floor.state()
        if state is None:
            return None
        document[name] = state.document
        weights |= {f"{name}.{key}": value for key, value in state.weights.items()}
    return State(document, weights)


class Floor(ABC):
    """A subclass with a `name`, in a file of this folder, is measured beside every model of its tasks."""

    name: ClassVar[str]
    tasks: ClassVar[tuple[str, ...]]
    """Names of the tasks that it can answer."""
    reads_encoder: ClassVar[bool] = False
    """Whether it needs the encoder to answer; without it at hand such a floor is left out."""
    bounds_rows: ClassVar[bool] = False
    """Whether `fit` is quick for any number of rows, as it takes some of them where there are many."""
    compares_rows: ClassVar[bool] = False
    """Whether an answer hangs on the other rows too, which then must be there all at once."""

    @classmethod
    @abstractmethod
    def fit(cls, train: Rows, ground: Ground) -> Self | None:
        """Learns from labelled rows; None where it has nothing to say about such rows and is left out."""

    def can_answer(self, rows: Rows) -> bool:
        """Whether rows have the form that it answers: they may be judged by others than were learned from."""
        return True

    @abstractmethod
    def predict(self, rows: Rows, ground: Ground) -> list[Answer]:
        """One answer per row, in the form that the task scores."""

    def stream(self, rows: Rows, ground: Ground) -> Iterator[Answer]:
        """The same answers a block of rows at a time, where they do not hang on each other: memory stays in bounds."""
        for block in [rows] if self.compares_rows else rows.blocks():
            yield from self.predict(block, ground)

    def kept(self, rows: Rows, ground: Ground) -> list[Answer]:
        """Of the same answers what the task scores: all that is held of rows that only judge."""
        return list(map(ground.task.kept, self.stream(rows, ground)))

    def start(self, task: Task) -> bool:
        """Puts its solution into the task's head, from which the training then starts; False where it has none."""
        return False

    def state(self) -> State | None:
        """What a bundle keeps; None: nothing, so that `evaluate` does not show this floor."""
        return None

    @classmethod
    def from_state(cls, state: State) -> Self:
        """The inverse of `state`."""
        raise BundleError(f"the floor {cls.name} is never kept in a bundle; copy the bundle again")


def of_task(classes: Sequence[type[Floor]], task: Task) -> list[type[Floor]]:
    """The floors that can answer this task."""
    return [one for one in classes if task.name in one.tasks]
