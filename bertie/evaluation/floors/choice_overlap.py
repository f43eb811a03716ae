"""TF-IDF overlap: the choice that shares most with its question is the right one.

In:  questions and their choices
Out: answers in the form of multiple choice
Knows nothing of encoders, and of which choices were right.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from bertie.data.rows import Rows
from bertie.evaluation.floors.base import Floor, Ground
from bertie.tasks.base import Answer
from bertie.tasks.multiple_choice import answer_from
from bertie.text.ngrams import fit_vectorizers


@dataclass(frozen=True)
class ChoiceOverlap(Floor):
    """The cosine of n-grams, of characters for Chinese; the scores are the shares of the cosines, not probabilities.

    A bundle does not keep it: its features would outweigh the model.
    """

    name: ClassVar[str] = "tfidf_overlap"
    tasks: ClassVar[tuple[str, ...]] = ("multiple_choice",)
    vectorizers: list[TfidfVectorizer]

    @classmethod
    def fit(cls, train: Rows, ground: Ground) -> ChoiceOverlap:
        return cls(fit_vectorizers([text for row in train for text in (_question(row), *row["choices"])]))

    def predict(self, rows: Rows, ground: Ground) -> list[Answer]:
        counts = [len(row["choices"]) for row in rows]
        questions, choices = [_question(row) for row in rows], [choice for row in rows for choice in row["choices"]]
        cosines = np.zeros(len(choices))
        for one in self.vectorizers:
            asked = one.transform(questions)[np.repeat(np.arange(len(rows)), counts)]
            cosines += np.asarray(asked.multiply(one.transform(choices)).sum(axis=1)).ravel()
        parts = np.split(cosines, np.cumsum(counts)[:-1])
        return [answer_from(row["choices"], _shares(part)) for row, part in zip(rows, parts, strict=True)]


def _question(row: Mapping[str, Any]) -> str:
    return f"{row.get('context', '')} {row['question']}"


def _shares(cosines: np.ndarray[Any, np.dtype[np.float64]]) -> list[float]:
    total = float(cosines.sum())
    return [float(one) / total if total else 1 / len(cosines) for one in cosines]
