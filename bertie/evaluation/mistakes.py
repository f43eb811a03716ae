"""Mistakes: the wrong answers of which a model was most sure.

In:  a task, rows with labels, answers to them
Out: `Mistake`s, the surest first
Knows nothing of pages, or of what makes an answer wrong.
"""

from __future__ import annotations

from collections.abc import Sequence

from bertie.data.rows import Rows
from bertie.tasks.base import Answer, Mistake, Task


def hardest_mistakes(task: Task, rows: Rows, answers: Sequence[Answer], most: int = 20) -> list[Mistake]:
    """Wrong answers, surest first."""
    found = [task.mistake(row, answer) for row, answer in zip(rows, answers, strict=True)]
    return sorted((one for one in found if one is not None), key=lambda mistake: -mistake.confidence)[:most]
