"""The frozen encoder: logistic regression on the mean states of an encoder that nobody has tuned.

In:  labelled rows, the encoder
Out: answers in the form of classification, a linear solution that the head can start from
Knows nothing of the training that follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bertie.data.rows import Rows
from bertie.evaluation.features import pooled_features
from bertie.evaluation.floors.base import Floor, Ground, State
from bertie.evaluation.linear import Floats, Targets
from bertie.evaluation.probe import LinearProbe
from bertie.tasks.base import Answer, Task
from bertie.tasks.classification import Classification


@dataclass(frozen=True)
class FrozenFloor(Floor):
    """A linear probe, with the fingerprint of its encoder: on the features of another it would answer at random."""

    name: ClassVar[str] = "frozen_encoder"
    tasks: ClassVar[tuple[str, ...]] = ("classification",)
    reads_encoder: ClassVar[bool] = True
    probe: LinearProbe
    encoder: str

    @classmethod
    def fit(cls, train: Rows, ground: Ground) -> FrozenFloor:
        labels, metric = train.column("label"), ground.task.metric
        return cls(LinearProbe.fit(_features(train, ground), labels, metric=metric), ground.fingerprint)

    def predict(self, rows: Rows, ground: Ground) -> list[Answer]:
        ground.prove(self.encoder)
        return self.probe.predict_features(_features(rows, ground))

    def start(self, task: Task) -> bool:
        """Kumar et al. 2022: probe, then tune; a random head would drag the encoder with it."""
        if not isinstance(task, Classification) or not task.settings.starts_linear:
            return False
        task.start_from(*self.probe.linear())
        return True

    def state(self) -> State:
        probe = self.probe
        document = {"labels": probe.labels, "several": probe.targets.several, "threshold": probe.threshold}
        return State({**document, "encoder": self.encoder}, {"weight": probe.weight, "bias": probe.bias})

    @classmethod
    def from_state(cls, state: State) -> FrozenFloor:
        values = state.document
        targets = Targets.none(values["labels"], values["several"])
        probe = LinearProbe(targets, state.weights["weight"], state.weights["bias"], values["threshold"])
        return cls(probe, values["encoder"])


def _features(rows: Rows, ground: Ground) -> Floats:
    return pooled_features(ground.encoder, ground.encode(rows), ground.tokenizer.pad_id, ground.dtype)
