"""The frozen encoder, entity by entity: logistic regression on what a head of relations or of target sentiment reads,
with an encoder that nobody has tuned.

In:  labelled rows of entities in texts, the encoder
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
from bertie.evaluation.features import frozen_batches
from bertie.evaluation.floors.base import Floor, Ground, State
from bertie.evaluation.linear import Floats, Targets
from bertie.evaluation.probe import LinearProbe
from bertie.tasks.base import Answer, Task
from bertie.tasks.relation import Relation
from bertie.tasks.target_sentiment import TargetSentiment

# N rows, F features
SMALLEST = 1e-6
"""Deviation of a feature that is the same in every row."""


@dataclass(frozen=True)
class FrozenEntities(Floor):
    """A linear probe on the states of entities, or around one, with the fingerprint of its encoder: on another it would
    answer at random.

    The encoder sees the entities marked as it will in training, so that the solution is one for the head.
    """

    name: ClassVar[str] = "frozen_entities"
    tasks: ClassVar[tuple[str, ...]] = ("relation", "target_sentiment")
    reads_encoder: ClassVar[bool] = True
    probe: LinearProbe
    centre: Floats  # (F,)
    scale: Floats  # (F,)
    encoder: str

    @classmethod
    def fit(cls, train: Rows, ground: Ground) -> FrozenEntities:
        features = _features(train, ground)
        probe = LinearProbe.fit(features, train.column("label"))
        scale = features.std(axis=0).clip(min=SMALLEST)
        return cls(probe, features.mean(axis=0), scale, ground.fingerprint)

    def predict(self, rows: Rows, ground: Ground) -> list[Answer]:
        ground.prove(self.encoder)
        return self.probe.predict_features(_features(rows, ground))

    def start(self, task: Task) -> bool:
        """Kumar et al. 2022: probe, then tune. A head with a hidden layer has no place for a linear solution."""
        if not isinstance(task, (Relation, TargetSentiment)) or (isinstance(task, Relation) and task.settings.dense):
            return False
        task.start_from(*self.probe.linear(), torch.from_numpy(self.centre), torch.from_numpy(self.scale))
        return True

    def state(self) -> State:
        document = {"labels": self.probe.labels, "encoder": self.encoder}
        weights = {"weight": self.probe.weight, "bias": self.probe.bias, "centre": self.centre, "scale": self.scale}
        return State(document, weights)

    @classmethod
    def from_state(cls, state: State) -> FrozenEntities:
        targets, weights = Targets.none(state.document["labels"], several=False), state.weights
        probe = LinearProbe(targets, weights["weight"], weights["bias"], threshold=0.5)
        return cls(probe, weights["centre"], weights["scale"], state.document["encoder"])


def _features(rows: Rows, ground: Ground) -> Floats:
    """What the head of the task would read (N, F)."""
    task, encoder, examples = ground.task, ground.encoder, ground.encode(rows)
    assert isinstance(task, (Relation, TargetSentiment))
    device, lengths = next(encoder.parameters()).device, [example.length for example in examples]
    found: dict[int, NDArray[np.float32]] = {}

    def features_of(chosen: list[Example]) -> Tensor:
        return task.features(encoder, task.collate(chosen, ground.tokenizer.pad_id).to(device))

    for indices, features in frozen_batches(encoder, examples, lengths, features_of, ground.dtype):
        found.update(zip(indices, features.cpu().numpy(), strict=True))
    return np.stack([found[i] for i in range(len(examples))])
