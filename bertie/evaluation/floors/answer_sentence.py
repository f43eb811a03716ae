"""Answer sentences: a whole sentence of the passage, the first or the one that is most like the question.

In:  questions, passages
Out: answers in the form of question answering
Knows nothing of encoders; learns nothing.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

from bertie.data.rows import Rows
from bertie.evaluation.floors.base import Floor, Ground, State
from bertie.metrics.tokens import words
from bertie.tasks.base import Answer
from bertie.text.sentences import Place, sentences


@dataclass(frozen=True)
class FirstSentence(Floor):
    """The first sentence, which in an encyclopedia says what the passage is about."""

    name: ClassVar[str] = "first_sentence"
    tasks: ClassVar[tuple[str, ...]] = ("question_answering",)

    @classmethod
    def fit(cls, train: Rows, ground: Ground) -> FirstSentence:
        return cls()

    def predict(self, rows: Rows, ground: Ground) -> list[Answer]:
        return [_answer(row["context"], next(iter(sentences(row["context"])), (0, 0)), 1.0) for row in rows]

    def state(self) -> State:
        return State({}, {})

    @classmethod
    def from_state(cls, state: State) -> FirstSentence:
        return cls()


@dataclass(frozen=True)
class OverlappingSentence(Floor):
    """The sentence that shares most with the question; a word counts the more, the fewer sentences have it.

    The sentence of the answer in three of four questions of CMRC 2018; but an answer is shorter than its sentence.
    """

    name: ClassVar[str] = "overlapping_sentence"
    tasks: ClassVar[tuple[str, ...]] = ("question_answering",)

    @classmethod
    def fit(cls, train: Rows, ground: Ground) -> OverlappingSentence:
        return cls()

    def predict(self, rows: Rows, ground: Ground) -> list[Answer]:
        return [_most_alike(row["context"], row["question"]) for row in rows]

    def state(self) -> State:
        return State({}, {})

    @classmethod
    def from_state(cls, state: State) -> OverlappingSentence:
        return cls()


def _most_alike(context: str, question: str) -> Answer:
    """Of equal sentences the first; `score` is the part of the weight of the question's words that it has."""
    places = sentences(context)
    tokens = [set(words(context[start:end])) for start, end in places]
    having = Counter(token for some in tokens for token in some)
    weight = {token: math.log((1 + len(places)) / having[token]) for token in set(words(question)) & set(having)}
    shares = [sum(weight[token] for token in some if token in weight) for some in tokens]
    if not places:
        return _answer(context, (0, 0), 0.0)
    best = max(range(len(places)), key=lambda i: shares[i])
    return _answer(context, places[best], shares[best] / (sum(weight.values()) or 1.0))


def _answer(context: str, place: Place, score: float) -> Answer:
    start, end = place
    if start == end:
        return {"answer": None, "start": None, "end": None, "score": score}
    return {"answer": context[start:end], "start": start, "end": end, "score": min(score, 1.0)}  # a sum may round up
