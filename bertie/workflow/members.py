"""The trainings that one command is made of: folds, seeds, and one on all rows; each in a part of the run.

    run/part-fold-2/           its own run folder; bundle/ the model before calibration, answers.json what it answered
    run/part-fold-2-seed-14/

In:  a request, what was prepared of all rows
Out: jobs; of each a model in a folder, and its answers. A part that is finished is read, not trained again
Knows nothing of what becomes of them.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from bertie.bundle import folder as bundle
from bertie.core.errors import DataError
from bertie.data.folds import grouped_folds, stratified_folds
from bertie.data.rows import Rows
from bertie.data.sources import Splits
from bertie.data.times import Fold, time_folds
from bertie.tasks.base import Answer, Task
from bertie.training.run import RunFolder
from bertie.workflow.floor_rows import FloorRows
from bertie.workflow.preparation import Chosen, Notes, Prepared, assemble, draw_head, make_task
from bertie.workflow.request import Recipe, Say, TrainRequest
from bertie.workflow.train import begin, chosen_by, dev_answers, foresee, make_predictor, plan, tune

ANSWERS, BUNDLE, REFIT = "answers", "bundle", "refit"
MARGIN = 5.0
"""Seconds of each training for writing its bundle, beside what is planned."""
MORE_ROWS = {"class": "add some", "group": "add some in other groups", "time": "add earlier ones"}
"""What helps where a fold has no row with a label to learn from, by what the rows are divided by."""


@dataclass(frozen=True)
class Job:
    """One training to be done."""

    name: str
    seed: int
    fold: int | None
    """Number of its fold; None: it learns from all training rows."""
    prepare: Callable[[], Prepared]
    """Its own parts, never used twice. Called only where there is something to train."""


@dataclass(frozen=True)
class Trained:
    """What is left of a training."""

    job: Job
    folder: Path
    """The model as trained, its probabilities not set right yet: weights are averaged before that."""
    chosen: float
    """By which models are compared on the dev rows."""
    metrics: dict[str, float]
    """Of the dev rows."""
    dev: list[Answer]
    """To the dev rows, where its probabilities are to be set right by them."""
    judged: list[Answer]
    """To its fold, or to the test rows; by probabilities that were set right."""
    floors: dict[str, list[Answer]]
    """What the floors fitted on the rows of its fold answer to those."""
    kept_step: int

    @property
    def name(self) -> str:
        """Of its job."""
        return self.job.name


def folds_of(request: TrainRequest, rows: Rows, seed: int) -> list[Fold]:
    """The folds that were asked for, of the training rows; DataError where there cannot be so many."""
    if not request.folds:
        return []
    if request.reading.by == "time":
        return time_folds(rows, request.folds)
    make = grouped_folds if request.reading.by == "group" else stratified_folds
    return make(rows, request.folds, seed)


def refuse_lacking(request: TrainRequest, recipe: Recipe, rows: Rows, folds: list[Fold], task: Task) -> None:
    """DataError where a fold cannot be learned, or has fewer labels than the others and is to be combined with them.

    A training on all rows may follow such a fold: the fold's answers are judged, and nothing of its model is kept.
    """
    for number, fold in enumerate(folds, start=1):
        train = rows.take(fold.train)
        lacks = lacking(task, rows, train)
        if not lacks:
            continue
        found = f"{rows.source}: fold {number} of {len(folds)} has no row with {_listed(lacks)} to learn from"
        advice = f"{MORE_ROWS[request.reading.by]} or take other --folds"
        if request.combined != "refit":
            raise DataError(
                f"{found}, so its model and the others, which know such rows, cannot become one by --combine "
                f"{request.combined}; {advice}, or take --combine refit"
            )
        try:
            make_task(task.name, train, recipe)
        except DataError as error:
            raise DataError(f"{found}; {advice} ({error})") from error


def lacking(task: Task, rows: Rows, train: Rows) -> list[str]:
    """Labels of all the rows that those to learn from are without, sorted."""
    return sorted(set(task.counts(rows)) - set(task.counts(train)))


def _listed(labels: list[str]) -> str:
    return ", ".join(map(repr, labels[:5]))


def jobs_of(request: TrainRequest, prepared: Prepared, folds: list[Fold], say: Say) -> list[Job]:
    """Every training of the request, those of one fold after each other: what is prepared of it serves all seeds."""
    first = prepared.recipe.training.seed
    seeds = range(first, first + request.seeds)
    # The mean of weights is only as good where all begin with the same head; answers gain by different ones.
    one_head = request.combined in ("soup", "greedy_soup")

    @lru_cache(maxsize=1)
    def of_fold(number: int) -> Prepared:
        return prepare_fold(prepared, folds[number - 1], lambda line: say(f"fold {number}: {line}"))

    def job(name: str, seed: int, fold: int | None = None) -> Job:
        head = first if one_head else seed
        return Job(name, seed, fold, lambda: fresh(prepared if fold is None else of_fold(fold), seed, head))

    if not folds:
        return [job(f"seed-{seed}", seed) for seed in seeds]
    ends = {seed: f"-seed-{seed}" if request.seeds > 1 else "" for seed in seeds}
    found = [job(f"fold-{n}{ends[seed]}", seed, n) for n in range(1, len(folds) + 1) for seed in seeds]
    return [*found, job(REFIT, first)] if request.combined == "refit" else found


def fresh(prepared: Prepared, seed: int, head: int) -> Prepared:
    """The same parts for one more training, with its seed; `head` is that of the head's first weights. The weights are
    its own."""
    recipe = replace(prepared.recipe, training=replace(prepared.recipe.training, seed=seed))
    start = replace(prepared.start, encoder=copy.deepcopy(prepared.start.encoder))
    task = copy.deepcopy(prepared.task)
    draw_head(task, start.encoder, head)
    return replace(prepared, start=start, task=task, recipe=recipe)


def prepare_fold(prepared: Prepared, fold: Fold, say: Say) -> Prepared:
    """What the training of a fold starts from: its rows, floors fitted on them, the head's start from those.

    The task is that of all rows, so that the outputs of all folds mean the same; where the rows of a fold lack a label,
    it is that of the fold, which cannot learn it.
    """
    rows, whole, notes = prepared.splits.train, prepared.task, Notes(say)
    train = rows.take(fold.train)
    lacks = lacking(whole, rows, train)
    if lacks:
        say(f"its training rows are without {_listed(lacks)}, which will be answered wrong")
    task = make_task(whole.name, train if lacks else rows, prepared.recipe)
    dev = prepared.splits.dev if fold.dev is None else task.accept(rows.take(fold.dev))
    held = task.accept(rows.take(fold.held))
    splits = Splits(train, dev, held, [])
    say(f"rows: {len(train)} train, {len(dev)} dev, {len(held)} to be judged")
    for note in task.expect(train, dev):
        say(note)
    most = FloorRows(decided=prepared.floors.sizes, seed=prepared.recipe.training.seed)
    chosen = Chosen(prepared.start, prepared.recipe, prepared.augmenter, most, prepared.dtype)
    return assemble(splits, task, chosen, notes)


def train_member(job: Job, request: TrainRequest, share: float, part: RunFolder, say: Say) -> Trained:
    """Trains, or reads what an earlier session of the command has finished. `share` are its seconds."""
    found = part.read(ANSWERS)
    if found is None:
        with part:
            found = _train(job, replace(request, budget=round(share, 2)), part, say)
    else:
        say("done before")
    return Trained(job, part.path / BUNDLE, **found)


def _train(job: Job, request: TrainRequest, part: RunFolder, say: Say) -> dict[str, Any]:
    """The file of answers is written last: with it a part is finished."""
    began = time.monotonic()
    prepared = job.prepare()
    predictor = make_predictor(prepared, job.name)
    model = begin(prepared, say)
    expected = foresee(prepared, model, say)
    training = plan(prepared, predictor, part, request, began, reserve=MARGIN)
    say(f"training: {expected.forecast(training)}")
    fitted = tune(prepared, model, predictor, training, part, say)
    bundle.save(predictor.model, part.path / BUNDLE, {})
    task, dev = prepared.task, prepared.splits.dev
    answers = dev_answers(predictor, dev)
    evaluation = chosen_by(task, answers, dev)
    calibrates = task.calibrates  # a task that has chosen a threshold chooses no other one
    if calibrates:
        task.calibrate(answers, dev)
    found = {
        "chosen": evaluation.score,
        "metrics": evaluation.metrics,
        "dev": answers if calibrates else [],
        "judged": predictor.predict(list(prepared.test)),
        "floors": {} if job.fold is None else prepared.floors.answers,
        "kept_step": fitted.best_step,
    }
    part.write(ANSWERS, found)
    return found
