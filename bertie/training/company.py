"""Several processes on one command: the first one works, the others take part in its trainings.

    first     reads, chooses, writes, judges    lead(fit) ... lead(fit) ...                        publishes
    others    wait                              fit           fit           wait for the next one    end

In:  the same arguments in every process
Out: one training by all of them; files, log and words of the first one only
Knows nothing of what is trained: model and examples are sent as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from bertie.core import processes
from bertie.data.batches import Examples
from bertie.training.devices import join, others_may_die, told_by_first
from bertie.training.hooks import Hook
from bertie.training.loop import FitResult, fit
from bertie.training.model import TrainingModel
from bertie.training.run import RunFolder
from bertie.training.settings import Training
from bertie.training.state import Evaluation

T = TypeVar("T")


def together(work: Callable[[], T], ended: Callable[[], T], device: str) -> T:
    """`work` in the first process, `ended` in the others once it is done; in between they join what it leads.

    Args:
        work: the whole command; its trainings begin with `lead`.
        ended: what the others return, from what the first one has written.
        device: as in the settings of the training.

    Raises:
        UsageError: the launcher wants something else than whole models.
        BertieError: another process has ended too early.
    """
    join(device)
    if processes.count() == 1:
        return work()
    with others_may_die():
        if processes.is_first():
            result = work()
            told_by_first(None)
            return result
        while (training := told_by_first(None)) is not None:
            model, examples, settings, path = training
            fit(model, examples, settings, RunFolder(path), _judged_by_first)
        return ended()


def lead(
    model: TrainingModel,
    examples: Examples,
    settings: Training,
    run: RunFolder,
    evaluate: Callable[[], Evaluation],
    hooks: Sequence[Hook] = (),
) -> FitResult:
    """`fit` by all processes that have come together; with one it is `fit`."""
    if processes.count() > 1:
        told_by_first((model, examples, settings, run.path))
    return fit(model, examples, settings, run, evaluate, hooks)


def _judged_by_first() -> Evaluation:
    raise AssertionError("the first process judges")
