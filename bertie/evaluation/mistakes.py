"""Mistakes: the wrong answers of which a model was most sure.

In:  a task, rows with labels, answers to them
Out: `Mistake`s, the surest first; of answers that come one by one also what is scored of each
Knows nothing of pages, or of what makes an answer wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import nlargest

from bertie.data.rows import Rows
from bertie.tasks.base import Answer, Mistake, Task


def hardest_mistakes(task: Task, rows: Rows, answers: Iterable[Answer], most: int = 20) -> list[Mistake]:
    """Wrong answers, surest first; no more than these are held."""
    found = (task.mistake(row, answer) for row, answer in zip(rows, answers, strict=True))
    return nlargest(most, (one for one in found if one is not None), key=lambda mistake: mistake.confidence)


def scored_and_mistakes(task: Task, rows: Rows, answers: Iterable[Answer]) -> tuple[list[Answer], list[Mistake]]:
    """What is scored of each answer, and the hardest mistakes, in one pass: whole answers are not held."""
    scored: list[Answer] = []

    def passing() -> Iterator[Answer]:
        for answer in answers:
            scored.append(task.kept(answer))
            yield answer

    mistakes = hardest_mistakes(task, rows, passing())
    return scored, mistakes
