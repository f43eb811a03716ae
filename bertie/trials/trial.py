"""One trial: a variation to a model that has answered the dev rows.

In:  the field, a variation, a run folder, seconds, hooks
Out: the model with its scores on the dev rows
Knows nothing of other trials or of storage. A run that has ended gives its model again without training.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bertie.bundle.linear import LinearModel
from bertie.core.files import write_json
from bertie.data.folds import grouped_folds
from bertie.data.rows import Rows
from bertie.data.split import inseparable
from bertie.evaluation.floors.base import Ground
from bertie.evaluation.floors.tfidf import TfidfFloor
from bertie.evaluation.linear import FOLDS, ONE_FOLD_FROM
from bertie.metrics.intervals import Interval, mean_interval
from bertie.predict import LinearPredictor, Predictor
from bertie.tasks.base import Answer
from bertie.tasks.classification import Classification
from bertie.training.checkpoints import newest
from bertie.training.hooks import Hook
from bertie.training.loop import FitResult, fit
from bertie.training.run import RunFolder
from bertie.training.settings import Training
from bertie.training.tuning import Tuner
from bertie.trials.field import Field
from bertie.trials.space import Variation
from bertie.workflow.preparation import Prepared
from bertie.workflow.train import Extent, begin, calibrate, dev_answers, dev_score, fill, make_predictor

ANSWERS = "answers.json"


@dataclass(frozen=True)
class Trained:
    """A trial of an encoder that has ended."""

    prepared: Prepared
    predictor: Predictor
    training: Training
    fitted: FitResult


def train(field: Field, variation: Variation, run: RunFolder, seconds: float | None, hooks: Sequence[Hook]) -> Trained:
    """Trains as `bertie train` does, from floors that were fitted before; goes on where the run was stopped."""
    prepared = field.prepared(variation)
    predictor = make_predictor(prepared, field.request.folder.name)
    model = begin(prepared, lambda line: None)
    encoder, method = prepared.start.encoder, prepared.method
    training = settings(prepared, variation, seconds)
    told = [Tuner(method, encoder), *hooks]
    fitted = fit(model, prepared.examples, training, run, dev_score(predictor, prepared), told)
    method.settle(encoder)
    calibrate(predictor, prepared)
    return Trained(prepared, predictor, training, fitted)


def settings(prepared: Prepared, variation: Variation, seconds: float | None) -> Training:
    """Those of the default recipe, times the factors of the variation, in the time that there is."""
    filled = fill(prepared.recipe.training, Extent.of(prepared), prepared.task.defaults, prepared.method)
    return replace(variation.scaled(filled), seconds=seconds, trackers=(), progress="never")


def spent(run: RunFolder) -> float:
    """Seconds that earlier sessions trained until the checkpoint from which this one goes on; 0 without one."""
    found = newest(run.checkpoints, lambda line: None)  # of damaged ones the training itself tells
    return 0.0 if found is None else found.state.seconds


def answers_of(trained: Trained) -> list[Answer]:
    """What is scored of its answers to the dev rows."""
    dev = trained.prepared.splits.dev
    return [trained.prepared.task.kept(answer) for answer in dev_answers(trained.predictor, dev)]


def linear_model(field: Field) -> LinearModel:
    """The floor that counts words, as a bundle holds it."""
    floor, task = field.words(), field.task()
    assert isinstance(task, Classification), "no other task is answered by counting words"
    task.settings = replace(task.settings, threshold=floor.threshold)
    return LinearModel(task, floor.vectorizers, floor.solution.astype(np.float32), floor.scale)


def words_answers(field: Field) -> list[Answer]:
    """What counting words answers to the dev rows."""
    predictor = LinearPredictor(linear_model(field))
    return [predictor.task.kept(answer) for answer in predictor.predict(list(field.splits.dev))]


def room(field: Field) -> Interval | None:
    """The score of counting words by cross-validation on the training rows, where rows of one text or one group are on
    one side; None where there are many rows, as the dev rows then say enough, or too few, or several labels a row.
    """
    train, ground = field.splits.train, field.ground(field.models[0])
    task = ground.task
    if len(train) >= ONE_FOLD_FROM or not isinstance(task, Classification) or task.several:
        return None
    if task.metric not in (None, "accuracy"):  # right rows say nothing of how much another metric could gain
        return None
    if len(inseparable(train, train.beside)) < FOLDS:
        return None
    right: list[float] = []
    for fold in grouped_folds(train, FOLDS, seed=0):
        right += _right(train.take(fold.train), train.take(fold.held), ground)
    return mean_interval(right) if right else None


def _right(fit_on: Rows, held: Rows, ground: Ground) -> list[float]:
    """Which held-out rows are answered rightly; none where the part to fit has one class only."""
    if len(set(fit_on.column("label"))) < 2:
        return []
    answers = TfidfFloor.fit(fit_on, ground).predict(held, ground)
    return [float(answer["label"] == row["label"]) for answer, row in zip(answers, held, strict=True)]


def keep_answers(folder: Path, answers: Sequence[Answer]) -> None:
    """Beside the trial's run; arrays as lists of numbers."""
    plain = [
        {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in answer.items()}
        for answer in answers
    ]
    write_json(folder / ANSWERS, {"dev": plain})


def kept_answers(folder: Path) -> list[Answer]:
    """The same again."""
    found: list[Answer] = json.loads((folder / ANSWERS).read_text(encoding="utf-8"))["dev"]
    return found
