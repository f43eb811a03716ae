"""An ensemble: how the answers of several models to a row become one.

In:  the answers of its members, and where they are stacked a linear layer over them
Out: one answer in the task's form; the layer as a file and again
Knows nothing of how members answer, or of how the layer was fitted.

Members are parted into learners: models that learned alike, of other folds perhaps, whose answers are averaged. A layer
that stacks reads one set of numbers a learner.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from bertie.core.errors import BundleError, UsageError
from bertie.tasks.base import Answer, Task
from bertie.tasks.one_label import CalibratedTask
from bertie.tasks.regression import Regression

# L learners, C labels, F = L C features (or L, of values)
Floats = NDArray[np.float64]
STACK = "stack.safetensors"
SMALLEST = 1e-6
"""Probability below which a label counts as this likely: what is nearly impossible to one learner shall not decide."""


@dataclass(frozen=True)
class Stack:
    """A linear layer over what the learners answer: logits of the labels, or a value."""

    weight: Floats  # (C, F), or (1, L) of values
    bias: Floats  # (C,), or (1,)

    def __call__(self, features: Floats) -> Floats:
        """(F,) to (C,)."""
        return np.asarray(self.weight @ features + self.bias)

    def save(self, path: Path) -> None:
        """As a file."""
        # Trap: of a view, save_file writes the memory and not what is seen of it.
        parts = {"weight": self.weight, "bias": self.bias}
        save_file({name: np.ascontiguousarray(part) for name, part in parts.items()}, path)

    @classmethod
    def load(cls, path: Path) -> Stack:
        """The inverse of `save`; BundleError where the file cannot be read."""
        try:
            found = load_file(path)
            return cls(found["weight"], found["bias"])
        except (OSError, KeyError, SafetensorError) as error:
            raise BundleError(f"{path}: cannot be read: {error}; copy the bundle again") from error


@dataclass(frozen=True)
class Combination:
    """What makes one answer of those of all members."""

    learners: tuple[tuple[int, ...], ...]
    """Places of the members of each learner."""
    stack: Stack | None = None

    def __call__(self, task: Task, answers: Sequence[Answer], row: Mapping[str, Any]) -> Answer:
        """`answers`: one of each member to the row."""
        if self.stack is None:
            return task.averaged(answers, row)
        learned = [task.averaged([answers[i] for i in places], row) for places in self.learners]
        found = self.stack(np.concatenate([features(task, one) for one in learned]))
        if isinstance(task, Regression):
            return {"value": float(found[0])}
        assert isinstance(task, CalibratedTask), f"{task.name} is never stacked"
        scores = np.exp(found - found.max())
        return task.answer_from((scores / scores.sum()).tolist())


def features(task: Task, answer: Answer) -> Floats:
    """What a stack reads of an answer: log-probabilities (C,), or the value (1,)."""
    if isinstance(task, Regression):
        return np.array([answer["value"]])
    assert isinstance(task, CalibratedTask), f"{task.name} is never stacked"
    scores = np.array([answer["scores"][name] for name in task.label_names])
    return np.asarray(np.log(np.maximum(scores, SMALLEST)))


def refuse_others(tasks: Sequence[Task]) -> None:
    """UsageError where members answer with different labels: their numbers are averaged by place, not by name."""
    first, *others = [(task.name, task.description().get("labels")) for task in tasks]
    for other in others:
        if other != first:
            raise UsageError(
                f"models of an ensemble answer with the same labels in one order; found {_shown(*first)}, and "
                f"{_shown(*other)}; train all of them on rows with the same labels"
            )


def _shown(name: str, labels: list[str] | None) -> str:
    text = name if labels is None else f"{name} with {', '.join(map(repr, labels))}"
    return text if len(text) <= 200 else f"{text[:200]}..."


def check(task: Task, *, stacked: bool) -> None:
    """UsageError where answers of such a task do not become one."""
    if type(task).averaged is Task.averaged:
        task.averaged([], {})
    if stacked and not isinstance(task, Regression) and not (isinstance(task, CalibratedTask) and task.label_names):
        raise UsageError(
            f"models of this {task.name} cannot be stacked: that takes one label a row, of labels that all rows share, "
            "or a number; take --combine average, soup or refit"
        )
