"""No answer: what is reached by never answering a question.

In:  questions, of which some have no answer
Out: answers in the form of question answering, all of them null
Knows nothing of the questions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bertie.data.rows import Rows
from bertie.evaluation.floors.base import Floor, Ground, State
from bertie.tasks.base import Answer


@dataclass(frozen=True)
class NoAnswer(Floor):
    """Says that the passage has no answer. Where half of the questions have none this is hard to beat, as every answer
    that a model does give can be wrong; where each has one it would be no floor, and is left out."""

    name: ClassVar[str] = "no_answer"
    tasks: ClassVar[tuple[str, ...]] = ("question_answering",)
    share: float
    """Part of the training questions without an answer."""

    @classmethod
    def fit(cls, train: Rows, ground: Ground) -> NoAnswer | None:
        without = sum(not row["answers"] for row in train)
        return cls(without / len(train)) if without else None

    def predict(self, rows: Rows, ground: Ground) -> list[Answer]:
        return [{"answer": None, "start": None, "end": None, "score": self.share} for _ in rows]

    def state(self) -> State:
        return State({"share": self.share}, {})

    @classmethod
    def from_state(cls, state: State) -> NoAnswer:
        return cls(state.document["share"])
