"""Habit: what the choices alone give away, their place and their length.

In:  rows of multiple choice
Out: answers in the form of the task
Knows nothing of what a question asks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bertie.data.rows import Rows
from bertie.evaluation.floors.base import Floor, Ground, State
from bertie.tasks.base import Answer
from bertie.tasks.multiple_choice import answer_from

RULES = ("position", "longest", "shortest")


@dataclass(frozen=True)
class ChoiceHabit(Floor):
    """The rule that is right most often in training: the most frequent position, the longest or the shortest choice."""

    name: ClassVar[str] = "choice_habit"
    tasks: ClassVar[tuple[str, ...]] = ("multiple_choice",)
    rule: str
    position: int

    @classmethod
    def fit(cls, train: Rows, ground: Ground) -> ChoiceHabit:
        gold = train.column("answer")
        position = Counter(gold).most_common(1)[0][0]

        def right(rule: str) -> float:
            found = [cls(rule, position).choose(row["choices"]) == one for row, one in zip(train, gold, strict=True)]
            return float(np.mean(found))

        return cls(max(RULES, key=right), position)

    def choose(self, choices: Sequence[str]) -> int:
        """The index of the choice; where a row has too few, that of its last one."""
        if self.rule == "position":
            return min(self.position, len(choices) - 1)
        lengths = [len(choice) for choice in choices]
        return lengths.index((max if self.rule == "longest" else min)(lengths))

    def predict(self, rows: Rows, ground: Ground) -> list[Answer]:
        offered = [row["choices"] for row in rows]
        return [answer_from(one, [float(i == self.choose(one)) for i in range(len(one))]) for one in offered]

    def state(self) -> State:
        return State({"rule": self.rule, "position": self.position}, {})

    @classmethod
    def from_state(cls, state: State) -> ChoiceHabit:
        return cls(**state.document)
