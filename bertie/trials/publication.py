"""The end of a search: what was finished is measured, one is chosen, judged on the test rows and written as a bundle.

In:  the field, the ledger, the folders of the trials
Out: a bundle; the object of `evaluate --json` with what was tried
Knows nothing of how trials are made or divided among workers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from bertie.bundle import golden, linear
from bertie.core.errors import BertieError, UsageError
from bertie.evaluation.front import SearchOutcome, Tried
from bertie.evaluation.judge import Judgement, interval, judge_stream, to_json
from bertie.evaluation.model_card import model_card
from bertie.evaluation.report import render
from bertie.metrics.intervals import Interval
from bertie.predict import LinearPredictor
from bertie.tasks.base import Answer, Scores
from bertie.training.run import RunFolder
from bertie.trials.choice import Candidate, choose
from bertie.trials.field import Field
from bertie.trials.ledger import Ledger
from bertie.trials.measure import latency, size_of, untuned
from bertie.trials.space import Variation
from bertie.trials.trial import kept_answers, linear_model, train
from bertie.workflow.documents import as_json, data_parts, report_of
from bertie.workflow.preparation import Floors, make_method
from bertie.workflow.publication import Outcome, golden_rows, publish

Build = tuple[str, str]
"""What decides how fast and how large a model is: the encoder (none: it counts words), and the method that has added to
it what cannot be merged (none: nothing was added)."""
Costs = dict[Build, tuple[Interval, int]]
"""Milliseconds a row and bytes."""


@dataclass(frozen=True)
class Finished:
    """A trial that was finished, as it was found in the ledger."""

    variation: Variation
    build: Build
    folder: Path
    scores: Scores
    room: Interval | None


def conclude(field: Field, ledger: Ledger, trials: Path, seconds: float) -> dict[str, Any]:
    """Writes the bundle. `trials` holds their folders, `seconds` is the time of the search until now."""
    finished = [_finished(field, trials, one) for one in ledger.trials(TrialState.COMPLETE)]
    if not finished:
        raise BertieError(
            "no trial was finished within the limits; give more with --budget or --max-memory, or look at what stopped "
            f"them in {ledger.url}"
        )
    costs = _costs(field, finished)
    finished = _fast_enough(field, finished, costs)
    tried = [_tried(one, costs) for one in finished]
    candidates = [
        Candidate(one.variation, one.scores, shown.latency.value / 1000, one.room)
        for one, shown in zip(finished, tried, strict=True)
    ]
    choice = choose(candidates, field.default, len(field.splits.dev))
    outcome = SearchOutcome(
        metric=finished[0].scores.primary,
        rows=len(field.splits.dev),
        tried=tuple(tried),
        chosen=choice.place,
        reasons=choice.reasons,
        stopped=len(ledger.trials(TrialState.PRUNED)),
        failed=sum("stopped" in one.user_attrs for one in ledger.trials(TrialState.FAIL)),
    )
    for line in [outcome.headline("en"), *outcome.details("en")]:
        field.notes.lines.append(line)
    chosen = finished[choice.place]
    write = _publish_linear if chosen.variation.kind == "words" else _publish_tuned
    return write(field, chosen, outcome, seconds)


def folder_of(trials: Path, trial: FrozenTrial) -> Path:
    """Where the run of a trial lies: that of the trial which it goes on with, if it does."""
    return trials / f"{trial.user_attrs.get('continues', trial.number):04d}"


def _finished(field: Field, trials: Path, trial: FrozenTrial) -> Finished:
    folder, known = folder_of(trials, trial), trial.user_attrs.get("room")
    scores = field.task().evaluate(kept_answers(folder), field.splits.dev)
    variation = Variation(**trial.user_attrs["variation"])
    return Finished(variation, _build(field, variation), folder, scores, Interval(**known) if known else None)


def _build(field: Field, variation: Variation) -> Build:
    recipe = variation.recipe(field.recipe)
    merges = variation.kind != "tuned" or make_method(recipe.method, recipe.tuning).merges
    return variation.model, "" if merges else recipe.method


def _costs(field: Field, finished: list[Finished]) -> Costs:
    """Each measured now, one after the other on the same rows; a tuned encoder answers as fast as the untuned one."""
    costs: Costs = {}
    rows = list(field.splits.dev)
    for model, added in dict.fromkeys(one.build for one in finished):
        if model:
            # Of all methods that are tried only the recipe's own may not merge, so the settings are its own as well.
            predictor = untuned(field, model, make_method(added, field.recipe.tuning) if added else None)
            costs[model, added] = latency(predictor, rows), size_of(predictor.model)
        else:
            counting = linear_model(field)
            costs[model, added] = latency(LinearPredictor(counting), rows), counting.nbytes
    return costs


def _fast_enough(field: Field, finished: list[Finished], costs: Costs) -> list[Finished]:
    limit = field.request.latency_seconds
    if limit is None:
        return finished
    fast = [one for one in finished if costs[one.build][0].value <= 1000 * limit]
    if not fast:
        least = min(costs[one.build][0].value for one in finished)
        raise UsageError(f"--max-latency {field.request.max_latency}: the fastest model takes {least:.3g} ms a row")
    return fast


def _tried(one: Finished, costs: Costs) -> Tried:
    taken, size = costs[one.build]
    return Tried(names=one.variation.names, score=interval(one.scores), latency=taken, megabytes=size / 2**20)


def _judged(field: Field, model: str, answers: Iterable[Answer], without: str = "") -> tuple[Judgement, Floors]:
    """On the test rows, the only time that they are looked at; beside the floors, but not beside itself."""
    ground, floors = field.ground(model), field.standing(model).floors
    said = {floor.name: floor.kept(field.test, ground) for floor in floors if floor.name != without}
    return judge_stream(ground.task, field.test, answers, said.items()), Floors(floors, said)


def _publish_tuned(field: Field, chosen: Finished, outcome: SearchOutcome, seconds: float) -> dict[str, Any]:
    run = RunFolder(chosen.folder)
    with run:
        trained = train(field, chosen.variation, run, None, [])
        judgement, floors = _judged(field, chosen.variation.model, trained.predictor.stream(field.test))
        evaluation = to_json(judgement, seconds) | {"search": outcome.as_json()}
        prepared = replace(trained.prepared, floors=floors)
        told = Outcome(trained.training, trained.fitted.best_step, judgement, evaluation, outcome)
        publish(prepared, trained.predictor, told, run, field.request.folder)
    return evaluation


def _publish_linear(field: Field, chosen: Finished, outcome: SearchOutcome, seconds: float) -> dict[str, Any]:
    model, folder = linear_model(field), field.request.folder
    predictor = LinearPredictor(model)
    model = replace(model, golden=golden.record(predictor.predict, golden_rows(predictor, field.splits.dev)))
    judgement, _ = _judged(field, field.models[0], predictor.stream(field.test), without="tfidf")
    evaluation = to_json(judgement, seconds) | {"search": outcome.as_json()}
    prepared = field.prepared(field.default)
    words = (folder.resolve().name, "")
    report = report_of(prepared, judgement, [], words, seconds, 0)
    report = replace(report, base_model="TF-IDF", search=outcome, floors={})  # it is the floor itself
    documents = {
        "metrics.json": as_json(evaluation),
        "data.json": as_json([asdict(part) for part in data_parts(prepared)]),
        "README.md": model_card(report),
        "report.html": render(report),
    }
    linear.save(model, folder, documents)
    return evaluation
