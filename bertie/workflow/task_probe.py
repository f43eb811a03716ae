"""A task of the person's own as a probe: a linear model on the frozen encoder, fitted on its rows and judged by others.

In:  a file or folder that `bertie train` takes, with one label a row; an encoder as it is
Out: of each row that judges whether it is answered rightly; DataError where the rows are of another kind
Knows nothing of pre-training.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from bertie.core.errors import DataError
from bertie.data.rows import Rows
from bertie.data.sources import load_splits
from bertie.evaluation.features import pooled_features
from bertie.evaluation.linear import Floats
from bertie.evaluation.probe import LinearProbe
from bertie.nn.encoder import Encoder
from bertie.tasks.classification import Classification
from bertie.text.tokenizer import Tokenizer
from bertie.workflow.choose import sample_places
from bertie.workflow.preparation import make_task
from bertie.workflow.request import Recipe

ROWS = 2000
"""Rows to learn from, and as many to judge by, at most: the probe takes seconds."""
LENGTH = 128


@dataclass(frozen=True)
class TaskProbe:
    """Labelled rows, to probe one encoder or several states of one."""

    name: str
    task: Classification
    train: Rows
    test: Rows

    @property
    def fingerprint(self) -> str:
        """Of its rows."""
        return f"{self.train.fingerprint()} {self.test.fingerprint()}"

    def right(self, encoder: Encoder, tokenizer: Tokenizer, dtype: torch.dtype = torch.float32) -> list[bool]:
        """Of each row that judges whether the linear model answers it rightly."""
        known, asked = (self._features(rows, encoder, tokenizer, dtype) for rows in (self.train, self.test))
        answers = LinearProbe.fit(known, self.train.column("label")).predict_features(asked)
        return [answer["label"] == label for answer, label in zip(answers, self.test.column("label"), strict=True)]

    def _features(self, rows: Rows, encoder: Encoder, tokenizer: Tokenizer, dtype: torch.dtype) -> Floats:
        unlabelled = [{name: value for name, value in row.items() if name != "label"} for row in rows]
        examples = self.task.encode(unlabelled, tokenizer, min(LENGTH, encoder.config.max_length))
        return pooled_features(encoder, examples, tokenizer.pad_id, dtype)


def read_task(data: str, seed: int, say: Callable[[str], None]) -> TaskProbe:
    """The rows of `--task`; the dev rows, by which nothing is chosen, judge with the test rows.

    DataError: they have not one label a row.
    """
    splits = load_splits(data, seed=seed)
    task = make_task(None, splits.train, Recipe())
    if not isinstance(task, Classification) or task.several:
        found = "several labels a row" if isinstance(task, Classification) else f"rows for {task.name}"
        raise DataError(f"{data}: found {found}, expected one label a row; --task takes classification only")
    judging = Rows([*splits.dev, *(splits.test or ())], data)
    train, test = (_sampled(rows) for rows in (splits.train, judging))
    name = Path(data.removeprefix("hub:")).name
    say(f"task: {name}, probed before and after on {len(train)} rows to learn from and {len(test)} to judge by")
    return TaskProbe(name, task, train, test)


def _sampled(rows: Rows) -> Rows:
    """At most `ROWS`, each class in its share."""
    return rows if len(rows) <= ROWS else rows.take(sample_places(rows, ROWS))
