"""The frozen encoder, word by word: logistic regression on what a head of tags reads, with an encoder nobody has tuned.

In:  labelled rows of tagging, the encoder
Out: answers in the form of tagging, a linear solution that the head can start from
Knows nothing of the training that follows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, cast, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bertie.data.batches import Batch, Example, stack
from bertie.data.rows import Rows
from bertie.data.tagged import AROUND, TaggedText, tag_targets
from bertie.evaluation.features import frozen_batches
from bertie.evaluation.floors.base import Floor, Ground, State
from bertie.evaluation.linear import Floats
from bertie.evaluation.probe import LinearProbe
from bertie.nn.encoder import Encoder
from bertie.nn.tag_head import TagHead, tags_of_spans
from bertie.tasks.base import Answer, Task
from bertie.tasks.tagging import Tagging

# R rows, N units, F features, K units that are kept, C tags
TOKENS = 150_000
"""Tokens that are encoded to fit it; more rows would take longer, and move it little."""
UNITS = 60_000
"""Units that the regression reads, at most half of them outside of entities."""


@runtime_checkable
class ReadsUnits(Protocol):
    """A task with a head of tags, as tagging is one."""

    tags: list[str]

    @property
    def shape_features(self) -> int:
        """How many of the features tell shapes."""

    def features(self, encoder: Encoder, batch: Batch, *, apart: bool = False) -> tuple[Tensor, Tensor]:
        """What the head reads of each unit (R, N, F), and which are units (R, N)."""

    def read_tags(self, head: TagHead, emissions: Tensor, batch: Batch) -> list[Answer]:
        """Answers, or the part of them that is entities."""


@dataclass(frozen=True)
class FrozenTokens(Floor):
    """A linear layer over units, with the fingerprint of its encoder: on another it would answer at random.

    Of the tags it gives, the best row that BIO allows is the answer, so a head that starts from it answers the same.
    """

    name: ClassVar[str] = "frozen_tokens"
    tasks: ClassVar[tuple[str, ...]] = ("tagging",)
    reads_encoder: ClassVar[bool] = True
    bounds_rows: ClassVar[bool] = True
    weight: Floats  # (C, F) over `Tagging.features`
    bias: Floats  # (C,)
    encoder: str

    @classmethod
    def fit(cls, train: Rows, ground: Ground) -> FrozenTokens:
        """Of the units outside of entities a part is left out, and their tag's bias corrected by the log of that part:
        else it would be answered too seldom (King & Zeng 2001, prior correction).
        """
        task, rng = _task(ground), np.random.default_rng(0)
        examples = _some(ground.encode(train), rng)
        inside = [tag > 0 for one in examples for tag in tags_of_spans(one.target, len(cast(TaggedText, one).units))]
        counts = np.bincount(inside, minlength=2)  # units outside of entities, and inside
        shares = np.minimum(1.0, UNITS / 2 / np.maximum(counts, 1))
        features, tags = list[Floats](), list[NDArray[np.int64]]()
        for _, batch, found in _frozen(ground, examples):
            target = tag_targets(batch)
            units = found.cpu()[target >= 0].numpy()  # (K, F)
            own = target[target >= 0].numpy()  # (K,)
            kept = rng.random(len(own)) < shares[(own > 0).astype(int)]
            features.append(units[kept])
            tags.append(own[kept])
        chosen = np.concatenate(tags)
        probe = LinearProbe.fit(np.concatenate(features), [task.tags[tag] for tag in chosen], task.tags)
        weight, bias = _unfolded(probe, task.shape_features)
        seen = np.bincount(chosen > 0, minlength=2)
        part = seen / np.maximum(counts, 1)
        if part.all():
            bias[0] += np.log(part[1] / part[0])
        return cls(weight, bias, ground.fingerprint)

    def predict(self, rows: Rows, ground: Ground) -> list[Answer]:
        ground.prove(self.encoder)
        task = _task(ground)
        head = TagHead(self.weight.shape[1], len(task.tags) // 2, learned=False).eval()
        head.tokens.output.weight.data, head.tokens.output.bias.data = self.linear()
        head.to(next(ground.encoder.parameters()).device)
        answers: dict[int, Answer] = {}
        for indices, batch, features in _frozen(ground, ground.encode(rows)):
            with torch.inference_mode():
                answers |= zip(indices, task.read_tags(head, head(features), batch), strict=True)
        return [answers[i] for i in range(len(rows))]

    def start(self, task: Task) -> bool:
        """Kumar et al. 2022: probe, then tune. A head of spans has no such layer."""
        if not isinstance(task, Tagging) or not isinstance(task.head, TagHead):
            return False
        if task.head.tokens.output.weight.shape != self.weight.shape:
            return False
        task.start_from(*self.linear())
        return True

    def linear(self) -> tuple[Tensor, Tensor]:
        """Weight (C, F) and bias (C,) over the features of single units."""
        return torch.from_numpy(self.weight), torch.from_numpy(self.bias)

    def state(self) -> State:
        return State({"encoder": self.encoder}, {"weight": self.weight, "bias": self.bias})

    @classmethod
    def from_state(cls, state: State) -> FrozenTokens:
        return cls(state.weights["weight"], state.weights["bias"], state.document["encoder"])


def _task(ground: Ground) -> ReadsUnits:
    assert isinstance(ground.task, ReadsUnits)
    return ground.task


def _some(examples: Sequence[Example], rng: np.random.Generator) -> list[Example]:
    """Rows in random order, as long as they have not more than `TOKENS` together."""
    order = rng.permutation(len(examples))
    tokens = np.cumsum(np.array(_tokens(examples))[order])
    return [examples[i] for i in order[: max(1, int((tokens <= TOKENS).sum()))]]


def _frozen(ground: Ground, examples: Sequence[Example]) -> Iterator[tuple[list[int], Batch, Tensor]]:
    """Batches of similar length: which examples, the batch, the features of its units (R, N, F)."""
    encoder, task, device = ground.encoder, _task(ground), next(ground.encoder.parameters()).device

    def units(chosen: list[Example]) -> tuple[Batch, Tensor]:
        batch = stack(chosen, ground.tokenizer.pad_id).to(device)
        return batch, task.features(encoder, batch)[0]

    for indices, (batch, features) in frozen_batches(encoder, examples, _tokens(examples), units, ground.dtype):
        yield indices, batch, features


def _tokens(examples: Sequence[Example]) -> list[int]:
    """Tokens that each row brings, all its windows together."""
    return [example.length * len(example.sequences) for example in examples]


def _unfolded(probe: LinearProbe, shapes: int) -> tuple[Floats, Floats]:
    """The probe's solution over the features as they are, without the normalisation that it does itself.

    D normalised states and three ones among the shapes have, in every unit, the same mean and the same deviation, so
    that what the probe subtracts and divides by is known.
    """
    size = probe.weight.shape[1]
    ones = AROUND if shapes else 0
    mean = ones / size
    deviation = float(np.sqrt((size - shapes + ones) / size - mean**2))
    weight = (probe.weight / deviation).astype(np.float32)
    return weight, (probe.bias - weight.sum(axis=1) * mean).astype(np.float32)
