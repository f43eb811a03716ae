"""Mistakes: the wrong answers of which a model was most sure.

In:  rows with labels, answers to them
Out: `Mistake`s, the surest first
Knows nothing of pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bertie.data.rows import Rows
from bertie.tasks.base import Answer


@dataclass(frozen=True)
class Mistake:
    """A wrong answer."""

    text: str
    gold: str
    predicted: str
    confidence: float
    """One label: the model's probability of its answer. Several: how far the worst label's probability is off."""


def hardest_mistakes(rows: Rows, answers: Sequence[Answer], columns: Sequence[str], most: int = 20) -> list[Mistake]:
    """Wrong answers of classification, surest first; the texts of a pair are joined with a line between them."""
    found = []
    for row, answer in zip(rows, answers, strict=True):
        mistake = _several(row["label"], answer) if "labels" in answer else _single(row["label"], answer)
        if mistake:
            text = "\n".join(str(row[column]) for column in columns)
            found.append(Mistake(text, *mistake))
    return sorted(found, key=lambda mistake: -mistake.confidence)[:most]


def _single(gold: str, answer: Answer) -> tuple[str, str, float] | None:
    return None if answer["label"] == gold else (gold, answer["label"], float(answer["score"]))


def _several(gold: Sequence[Any], answer: Answer) -> tuple[str, str, float] | None:
    true, given = set(gold), set(answer["labels"])
    if true == given:
        return None
    scores: dict[str, float] = answer["scores"]
    worst = max(1 - scores.get(label, 0.0) if label in true else scores[label] for label in true ^ given)
    return ", ".join(sorted(true)), ", ".join(sorted(given)), worst
