"""Several trainings, one bundle: cross-validation, seeds, ensembles and soups.

    all rows --prepare--> folds and seeds --train_member--> models --combine--> one model --judge, publish--> a bundle

In:  TrainRequest with folds or seeds
Out: a bundle in a folder, and its evaluation, with the cross-validated score and each member's
Knows nothing of the command line, or of how one training works.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from typing import Any

from bertie.bundle import ensemble
from bertie.bundle.checksums import RUN_FOLDER
from bertie.core.errors import UsageError
from bertie.data.rows import Rows
from bertie.data.sources import Splits
from bertie.data.times import Fold
from bertie.evaluation.judge import Judgement, judge_stream, to_json
from bertie.predict import Predictor, load_torch
from bertie.tasks.base import Task
from bertie.training.company import together
from bertie.training.decisions import same_run
from bertie.training.run import RunFolder
from bertie.workflow.claim import claim_folder, claim_run
from bertie.workflow.combination import Material, Mix, combine
from bertie.workflow.cross_validation import OUT_OF_FOLD, cross_validated, told, write_answers
from bertie.workflow.members import MARGIN, REFIT, Trained, folds_of, fresh, jobs_of, refuse_lacking, train_member
from bertie.workflow.preparation import Notes, Prepared, prepare
from bertie.workflow.publication import Outcome, publish
from bertie.workflow.request import Recipe, Say, TrainRequest
from bertie.workflow.train import (
    RESERVE,
    Extent,
    TrainResult,
    fill,
    judging_seconds,
    make_predictor,
    published,
    run_training,
)

FEWEST_SECONDS = MARGIN + 1.0
"""Of one training."""


def run_trainings(request: TrainRequest, say: Say) -> TrainResult:
    """One training, or several where folds or seeds are asked for. A stopped command goes on with what is finished."""
    if not request.several:
        return run_training(request, say)
    run = RunFolder(request.folder / RUN_FOLDER)
    device = request.settings().training.device
    return together(lambda: _train(request, run, say), lambda: published(request.folder, device), device)


def _train(request: TrainRequest, run: RunFolder, say: Say) -> TrainResult:
    began = time.monotonic()
    recipe, notes = request.settings(), Notes(say)
    claim_folder(request, run)
    with run:
        claim_run(request, run)

        def look(splits: Splits, task: Task) -> None:
            check(request, recipe, splits.train, task)

        prepared = prepare(request, recipe, run, notes, look)
        rows = prepared.splits.train
        folds = folds_of(request, rows, recipe.training.seed)
        _same_members(run, request, folds)
        jobs = jobs_of(request, prepared, folds, say)
        share = divide(request, prepared, run, (began, len(jobs)), notes.say)
        trained = [
            train_member(job, request, share, run.part(job.name), under(f"{job.name} ({number} of {len(jobs)})", say))
            for number, job in enumerate(jobs, start=1)
        ]
        about: dict[str, Any] = {}
        if folds:
            about["cross_validation"] = cross_validated(trained, folds, rows, prepared.task)
            write_answers(run.path / OUT_OF_FOLD, trained, folds, rows, prepared.task)
            for line in told(about["cross_validation"]):
                notes.say(line)
        mixed = combine(request.combined, Material(trained, prepared, folds, notes.say))
        notes.say(f"{request.combined} of {', '.join(mixed.members)}: dev {_metrics(mixed.dev.metrics)}")
        return _publish(request, prepared, (mixed, trained), run, began, about)


def under(head: str, say: Say) -> Say:
    """Lines of one training among several."""
    return lambda line: say(f"{head}: {line}")


def check(request: TrainRequest, recipe: Recipe, rows: Rows, task: Task) -> None:
    """Refuses what cannot be, before anything is computed: so many folds, such labels in them, such a combination."""
    folds = folds_of(request, rows, recipe.training.seed)
    if request.combined in ("average", "stack"):
        ensemble.check(task, stacked=request.combined == "stack")
    refuse_lacking(request, recipe, rows, folds, task)


def divide(request: TrainRequest, prepared: Prepared, run: RunFolder, of: tuple[float, int], say: Say) -> float:
    """Seconds of each training, preparation and judging of its own rows included; decided once, and said.

    `of`: when the command began, and the number of trainings.
    """
    began, count = of
    decided = run.read("plan")
    if decided is None:
        budget = request.seconds_or(60 * prepared.task.defaults.minutes)
        left = budget - (time.monotonic() - began) - RESERVE - _combining_seconds(request, prepared, count)
        decided = {"seconds": left / count, "budget": budget}
        if left / count < FEWEST_SECONDS:
            raise UsageError(
                f"{budget:.0f} s leave {max(left, 0):.0f} s for {count} trainings; give more with --budget, or ask for "
                "fewer --folds or --seeds"
            )
        run.write("plan", decided)
    elif request.budget is not None and request.seconds != decided["budget"]:
        raise UsageError(
            f"{run.path}: the budget of {decided['budget']:.0f} s was divided when the trainings began; go on without "
            "--budget, or start again without --resume but with --overwrite"
        )
    share = float(decided["seconds"])
    say(
        f"budget: {decided['budget']:.0f} s for {count} trainings, {share:.0f} s each with what it prepares and "
        "judges; --budget gives more"
    )
    return share


def _combining_seconds(request: TrainRequest, prepared: Prepared, count: int) -> float:
    """What answering the dev and test rows will take at the end: an ensemble does so once a member."""
    trial = fresh(prepared, 0, 0)
    if trial.recipe.linear_start:
        any(floor.start(trial.task) for floor in trial.floors.fitted)
    rows = len(prepared.test) + len(prepared.splits.dev)
    once = judging_seconds(make_predictor(trial, "trial"), prepared.test) * rows / len(prepared.test)
    return once * (count if request.combined in ("average", "stack", "greedy_soup") else 1)


def _same_members(run: RunFolder, request: TrainRequest, folds: list[Fold]) -> None:
    """UsageError where a resumed command would train others. How they are combined may change."""
    places = json.dumps([[fold.train, fold.held, fold.dev] for fold in folds])
    divided = hashlib.sha256(places.encode()).hexdigest()
    now = {"folds": request.folds, "seeds": request.seeds, "division of the rows": divided}
    same_run(run, run.read("members") or now, now)
    run.write("members", now)


def _members(
    request: TrainRequest, trained: list[Trained], mixed: Mix, prepared: Prepared, judgement: Judgement
) -> dict[str, Any]:
    """Each member on the dev rows and, unless it judged its fold, on the test rows; and the combination on dev. Dev
    rows of another form than those that judge have other metrics and no figure here."""
    task, name = prepared.task, judgement.scores.primary
    listed = [
        {
            "name": one.name,
            "in": one.name in mixed.members,
            **_dev(one.metrics, name),
            **({} if one.job.fold else {"test": task.evaluate(one.judged, prepared.test).value}),
        }
        for one in trained
    ]
    return {"combine": request.combined, "metric": name, **_dev(mixed.dev.metrics, name), "trained": listed}


def _dev(metrics: Mapping[str, float], name: str) -> dict[str, float]:
    return {"dev": metrics[name]} if name in metrics else {}


def _publish(
    request: TrainRequest,
    prepared: Prepared,
    made: tuple[Mix, list[Trained]],
    run: RunFolder,
    began: float,
    about: dict[str, Any],
) -> TrainResult:
    """Judges the combined model on the test rows and writes its bundle."""
    mixed, trained = made
    predictor = Predictor(mixed.model, request.folder.name, prepared.dtype)
    answers, floors = predictor.stream(prepared.test), prepared.floors.answers.items()
    judgement = judge_stream(prepared.task, prepared.test, answers, floors)
    about |= {"members": _members(request, trained, mixed, prepared, judgement)}
    evaluation = {**to_json(judgement, time.monotonic() - began), **about}
    training = fill(prepared.recipe.training, Extent.of(prepared), prepared.task.defaults, prepared.method)
    again = next((one for one in trained if one.name == REFIT), None)
    log = run if again is None else run.part(REFIT)
    outcome = Outcome(training, again.kept_step if again else 0, judgement, evaluation)
    publish(prepared, predictor, outcome, log, request.folder)
    return TrainResult(request.folder, evaluation, load_torch(request.folder, device=training.device))


def _metrics(metrics: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in metrics.items() if name != "unseen_labels")
