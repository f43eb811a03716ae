"""Match pointer: where words of the question stand tells where the answer starts and ends.

In:  questions, passages and answers; the tokenizer
Out: answers in the form of question answering, and weights that the head can start from
Knows nothing of encoders: it sees which pieces are equal, and not what they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bertie.data.batches import Batch, Example, pack
from bertie.data.rows import Rows
from bertie.evaluation.floors.base import Floor, Ground, State
from bertie.nn.match_features import FEATURES
from bertie.tasks.base import Answer, Task
from bertie.tasks.question_answering import QuestionAnswering

# S sequences, T tokens, F match features
ROWS = 1000
"""Training rows that it is fitted on, spread over all: more do not move so few weights."""
ROWS_PER_BATCH, TOKENS_PER_BATCH = 64, 16384
STEPS = 60
PENALTY = 1e-5
"""Pull of the weights towards zero; without it those of what always happens would grow for ever."""


@dataclass(frozen=True)
class MatchPointer(Floor):
    """The task's own pointer, which reads the match features and nothing else; its loss, its search for the answer."""

    name: ClassVar[str] = "match_pointer"
    tasks: ClassVar[tuple[str, ...]] = ("question_answering",)
    bounds_rows: ClassVar[bool] = True
    weight: NDArray[np.float32]  # (2, F): start, end

    @classmethod
    def fit(cls, train: Rows, ground: Ground) -> MatchPointer:
        """By L-BFGS; the problem is convex."""
        task = _task(ground)
        examples = ground.encode(train.take(range(0, len(train), max(1, len(train) // ROWS))))
        batches = [task.collate([examples[i] for i in part], ground.tokenizer.pad_id) for part in _parts(examples)]
        inputs = [task.matches(batch) for batch in batches]
        weight = torch.zeros(2, len(FEATURES), requires_grad=True)
        search = torch.optim.LBFGS([weight], max_iter=STEPS, line_search_fn="strong_wolfe")

        def closure() -> Tensor:
            search.zero_grad()
            losses = [
                task.loss(_logits(weight, *given), batch) * batch.rows
                for given, batch in zip(inputs, batches, strict=True)
            ]
            loss = torch.stack(losses).sum() / len(examples) + PENALTY * weight.square().sum()
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        with torch.enable_grad():
            search.step(closure)  # type: ignore[no-untyped-call]
        return cls(weight.detach().numpy())

    def predict(self, rows: Rows, ground: Ground) -> list[Answer]:
        task, examples, weight = _task(ground), ground.encode(rows), torch.from_numpy(self.weight)
        answers: dict[int, Answer] = {}
        for part in _parts(examples):
            batch: Batch = task.collate([examples[i] for i in part], ground.tokenizer.pad_id)
            answers |= zip(part, task.answer(_logits(weight, *task.matches(batch)), batch), strict=True)
        return [answers[i] for i in range(len(rows))]

    def start(self, task: Task) -> bool:
        """A pointer at random has to find out by itself that answers stand near the words of the question."""
        if not isinstance(task, QuestionAnswering) or not task.settings.match_feature:
            return False
        task.start_from(torch.from_numpy(self.weight))
        return True

    def state(self) -> State:
        return State({}, {"weight": self.weight})

    @classmethod
    def from_state(cls, state: State) -> MatchPointer:
        return cls(state.weights["weight"])


def _task(ground: Ground) -> QuestionAnswering:
    assert isinstance(ground.task, QuestionAnswering)
    return ground.task


def _parts(examples: list[Example]) -> list[list[int]]:
    costs = [example.cost for example in examples]
    return pack(sorted(range(len(examples)), key=lambda i: costs[i]), costs, ROWS_PER_BATCH, TOKENS_PER_BATCH)


def _logits(weight: Tensor, features: Tensor, allowed: Tensor) -> Tensor:
    """(2, F), (S, T, F), (S, T) to logits (S, T, 2), hidden where no answer may be."""
    return (features @ weight.T).masked_fill(~allowed.unsqueeze(-1), torch.finfo(torch.float32).min)
