"""The frozen encoder, choice by choice: conditional logit on what the head reads, with an encoder as it came.

In:  labelled rows of multiple choice, the encoder
Out: answers in the form of the task, a linear solution that the head can start from
Knows nothing of the training that follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bertie.data.batches import Example
from bertie.data.rows import Rows
from bertie.evaluation.choice_probe import ChoiceProbe
from bertie.evaluation.features import frozen_batches
from bertie.evaluation.floors.base import Floor, Ground, State
from bertie.evaluation.linear import Floats
from bertie.tasks.base import Answer, Task
from bertie.tasks.multiple_choice import MultipleChoice, answer_from

# K choices of a row, F features


@dataclass(frozen=True)
class FrozenChoices(Floor):
    """A linear score a choice, with the fingerprint of its encoder: on another it would answer at random."""

    name: ClassVar[str] = "frozen_choices"
    tasks: ClassVar[tuple[str, ...]] = ("multiple_choice",)
    reads_encoder: ClassVar[bool] = True
    probe: ChoiceProbe
    encoder: str

    @classmethod
    def fit(cls, train: Rows, ground: Ground) -> FrozenChoices:
        return cls(ChoiceProbe.fit(_features(train, ground), train.column("answer")), ground.fingerprint)

    def predict(self, rows: Rows, ground: Ground) -> list[Answer]:
        ground.prove(self.encoder)
        found = self.probe.probabilities(_features(rows, ground))
        return [answer_from(row["choices"], scores) for row, scores in zip(rows, found, strict=True)]

    def start(self, task: Task) -> bool:
        """Kumar et al. 2022: probe, then tune."""
        if not isinstance(task, MultipleChoice):
            return False
        task.start_from(*map(torch.from_numpy, (self.probe.weight, self.probe.centre, self.probe.scale)))
        return True

    def state(self) -> State:
        probe = self.probe
        return State({"encoder": self.encoder}, {"weight": probe.weight, "centre": probe.centre, "scale": probe.scale})

    @classmethod
    def from_state(cls, state: State) -> FrozenChoices:
        return cls(ChoiceProbe(**state.weights), state.document["encoder"])


def _features(rows: Rows, ground: Ground) -> list[Floats]:
    """What the head of the task would read of each row's choices (K, F)."""
    task, encoder, examples = ground.task, ground.encoder, ground.encode(rows)
    assert isinstance(task, MultipleChoice)
    device = next(encoder.parameters()).device
    costs = [example.cost for example in examples]
    found: dict[int, NDArray[np.float32]] = {}

    def features_of(chosen: list[Example]) -> Tensor:
        return task.features(encoder, task.collate(chosen, ground.tokenizer.pad_id).to(device))

    for indices, features in frozen_batches(encoder, examples, costs, features_of, ground.dtype):
        ends = np.cumsum([len(rows[i]["choices"]) for i in indices])[:-1]
        found.update(zip(indices, np.split(features.cpu().numpy(), ends), strict=True))
    return [found[i] for i in range(len(examples))]
