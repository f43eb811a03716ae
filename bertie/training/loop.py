"""The training loop, for every task and objective.

In:  a model, encoded examples, settings, a run folder, a function that judges
Out: the model with its best weights, and what happened
Knows nothing of tasks, of readers or of how a model is stored.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from bertie.core import processes
from bertie.core.errors import DataError, UsageError
from bertie.core.runtime import seed_everything, set_threads
from bertie.core.signals import StopSignal
from bertie.data.batches import Example, Examples, Rounds, of_epoch
from bertie.training.decisions import Decisions, decide
from bertie.training.devices import first, join, make_accelerator, mean
from bertie.training.hooks import Hook, Saver, Step, Stopper
from bertie.training.model import TrainingModel
from bertie.training.optimizer import clip_gradient, make_optimizer, parameter_groups, parameters, set_rate
from bertie.training.out_of_memory import explained
from bertie.training.run import RunFolder
from bertie.training.schedule import factor
from bertie.training.session import End, Session
from bertie.training.settings import Training
from bertie.training.shares import Share, costs, epoch_steps
from bertie.training.state import Evaluation
from bertie.training.used_rows import used_rows


@dataclass(frozen=True)
class FitResult:
    """How a training went; the model holds the best weights."""

    best_score: float
    best_step: int
    """0: no step made the model better than it was before training."""
    steps: int
    epochs: int
    """Whole epochs done."""
    rows: int
    """Rows seen, again and again."""
    skipped: int
    """Steps left out because loss or gradient were not finite."""
    seconds: float
    """Over all sessions, evaluations included."""
    end: End
    """What ended it: all epochs were done, the time was up, or patience ran out."""
    decisions: Decisions
    """Number format and threads, and why."""
    warnings: tuple[str, ...] = ()
    """Damaged checkpoints that were passed over, and the like."""
    before: float = 0.0
    """Of the seconds, those of earlier sessions."""


def fit(
    model: TrainingModel,
    examples: Examples,
    settings: Training,
    run: RunFolder,
    evaluate: Callable[[], Evaluation],
    hooks: Sequence[Hook] = (),
) -> FitResult:
    """Trains `model`, or goes on with the run that the folder holds; of a finished one it gives the result again.

    Args:
        model: its encoder and task are trained in place and end with the best weights seen.
        examples: encoded rows with targets, or rounds of them.
        settings: how to train.
        run: where log, checkpoints and the best weights go, entered by the caller; a stopped run goes on.
        evaluate: judges the model as it is; larger is better. Called before the first step too: a head may start from a
            good linear solution, and if no step betters it, the start is what is kept.
        hooks: told of every step and evaluation; closed at the end.

    Raises:
        Stopped: a signal came; the state is saved.
        UsageError: the folder holds a run of other settings or rows.
        BertieError: ten steps in a row without a finite loss, or a score that is not finite.
    """
    if not isinstance(examples, Rounds) and not examples:
        raise DataError("there is nothing to train on: 0 rows; give a file with labelled rows")
    if not (settings.epochs and settings.rows_per_batch and settings.optimizer.rate):
        raise UsageError(
            "training.epochs, training.rows_per_batch or training.optimizer.rate is 0, so nobody has chosen it; "
            "expected more than 0"
        )
    join(settings.device)
    check_batches(model, settings)
    decisions = first(lambda: decide(examples, settings, run))
    set_threads(decisions.threads)
    accelerator = make_accelerator(settings.device, decisions.dtype)
    seed_everything(settings.seed)
    model.checkpoint_activations(settings.activation_checkpointing)
    with used_rows(model, examples, settings.optimizer), explained():
        groups = parameter_groups(model.encoder, model.task, settings.optimizer)
        trained, optimizer = accelerator.prepare(model, make_optimizer(groups, settings.optimizer))
        session = Session(model, trained, optimizer, accelerator, settings, run, evaluate, hooks=list(hooks))
        try:
            if (end := session.finished()) is None:
                session.start(costs(of_epoch(examples, 0)), decisions)
                end = train(session, examples)
            session.finish(end)
        finally:
            for hook in hooks:
                hook.close()
            run.close_log()
    return _result(session, end, decisions)


def check_batches(model: TrainingModel, settings: Training) -> None:
    """UsageError where several processes could not divide a step: its rows are compared with each other."""
    if model.task.compares_rows and settings.accumulation < processes.count():
        raise UsageError(
            f"training.accumulation is {settings.accumulation}: rows of a batch are compared with each other here, so "
            f"that none is cut, and {processes.count()} processes need as many batches a step; set "
            f"training.accumulation={processes.count()} or a multiple of it"
        )


def train(session: Session, examples: Examples) -> End:
    """The loop itself, from where the session's state stands to the end. Returns why it ended."""
    optimizer, accelerator, settings, state = session.optimizer, session.accelerator, session.settings, session.state
    trainable = parameters(optimizer.param_groups)
    session.trained.train()
    with StopSignal() as stop:
        stopper = Stopper(stop, session.save, session.run, session.agreed)
        hooks = [*session.hooks, Saver(session.save, settings, session.agreed), stopper]
        if state.judged < 0:
            session.judge()
            stopper.look(state.step)
        while (end := session.ended()) is None:
            row_costs = costs(drawn := of_epoch(examples, state.epoch, session.fitting()))
            steps = epoch_steps(row_costs, settings, state.epoch)
            work = partial(accumulate, session.model, session.trained, accelerator, drawn)
            for batches in steps[state.position :]:
                rate = set_rate(optimizer, factor(settings.schedule, session.plan.middle(state.step)))
                total = session.room.compute(state.step, session.shares(batches), drawn, row_costs, work)
                norm = clip_gradient(trainable, settings.clip)
                loss = float(mean(accelerator, total))
                if math.isfinite(loss) and math.isfinite(norm):
                    optimizer.step()
                optimizer.zero_grad(set_to_none=True)

                epoch, rows = state.epoch, sum(map(len, batches))
                tokens, seconds = session.timed(row_costs, batches)
                state.advance(len(steps), rows)
                total_steps = session.plan.total_at(state.step)
                step = Step(state.step, total_steps, epoch, loss, norm, rate, rows, tokens, seconds)
                session.stepped(step, batches)
                session.replan()
                if session.due(len(steps)):
                    session.judge()
                for hook in hooks:
                    hook.after_step(step)
                if session.ended():
                    break
        if state.judged < state.step:
            session.judge()
        stopper.look(state.step)
    return end


def accumulate(
    model: TrainingModel, trained: nn.Module, accelerator: Accelerator, drawn: Sequence[Example], mine: Sequence[Share]
) -> Tensor:
    """Adds up the gradients of one process's part of a step; returns that part's loss.

    Args:
        model: what is trained, and as accelerate wraps it.
        drawn: the examples of the epoch.
        mine: this process's batches, at least one.
    """
    total = torch.zeros((), device=accelerator.device)
    for n, share in enumerate(mine, start=1):
        batch = model.collate([drawn[i] for i in share.indices], share.part, share.usual).to(accelerator.device)
        # Processes exchange gradients once a step, with its last batch.
        with accelerator.no_sync(trained) if n < len(mine) else nullcontext():
            part = trained(batch) * share.weight
            accelerator.backward(part)
        total += part.detach()
    return total


def _result(session: Session, end: End, decisions: Decisions) -> FitResult:
    state = session.state
    assert state.best_score is not None, "the model is judged before the first step"
    return FitResult(
        best_score=state.best_score,
        best_step=state.best_step,
        steps=state.step,
        epochs=state.epoch,
        rows=state.rows,
        skipped=state.skipped,
        seconds=state.seconds,
        end=end,
        decisions=decisions,
        warnings=tuple(session.warnings),
        before=session.budget.before,
    )
