"""From a finished training to a bundle: the documents, the golden examples, the folder.

In:  what was prepared, the predictor with the best weights, the judgement, the run
Out: a bundle on disk
Knows nothing of how the model was trained.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import tomli_w

from bertie.bundle import folder as bundle
from bertie.bundle import golden
from bertie.core.config import to_dict
from bertie.data.rows import Rows
from bertie.evaluation.floor_files import save_floors
from bertie.evaluation.front import SearchOutcome
from bertie.evaluation.judge import Judgement
from bertie.evaluation.model_card import model_card
from bertie.evaluation.report import render
from bertie.predict import BasePredictor, Predictor
from bertie.training.run import RunFolder
from bertie.training.settings import Training
from bertie.workflow.documents import as_json, data_parts, report_of, speed
from bertie.workflow.evaluate import FLOORS
from bertie.workflow.preparation import Prepared

GOLDEN_ROWS = 8


@dataclass(frozen=True)
class Outcome:
    """What training and judging gave."""

    training: Training
    kept_step: int
    """The step whose weights the model has."""
    judgement: Judgement
    evaluation: dict[str, Any]
    search: SearchOutcome | None = None
    """What else was tried, where the model is the outcome of a search."""


def publish(prepared: Prepared, predictor: Predictor, outcome: Outcome, run: RunFolder, folder: Path) -> None:
    """Writes the bundle with everything that is known about it."""
    exact = Predictor(predictor.model)  # golden answers are float32's, whatever the training computed in
    chosen = golden_rows(exact, prepared.splits.dev)
    model = replace(exact.model, golden=golden.record(exact.predict, chosen))
    # The time that was asked for, not what a budget has left of it: the recipe serves other trainings.
    training = replace(outcome.training, seconds=prepared.recipe.training.seconds)
    settled = dict(prepared.task.description().get("settings", {}))
    if "threshold" in settled:  # the model has what these dev rows chose; other rows choose another one
        settled["threshold"] = prepared.recipe.task.get("threshold", 0.0)
    recipe = replace(prepared.recipe, training=training, task=settled)
    settings = tomli_w.dumps(to_dict(recipe))
    words, seconds = (folder.resolve().name, settings), outcome.evaluation["seconds"]
    report = report_of(prepared, outcome.judgement, run.entries(), words, seconds, outcome.kept_step)
    report = replace(report, search=outcome.search, tokens_per_second=speed(run))
    if outcome.training.keep == "last":
        report = replace(report, kept_by="last")
    documents = {
        "recipe.toml": settings,
        "metrics.json": as_json(outcome.evaluation),
        "data.json": as_json([asdict(part) for part in data_parts(prepared)]),
        "README.md": model_card(report),
        "report.html": render(report),
    }
    bundle.save(model, folder, documents, lambda making: add_floors(making, prepared))


def add_floors(making: Path, prepared: Prepared) -> None:
    """The floors beside the model, so that `evaluate` can measure them on other rows."""
    (making / FLOORS).mkdir()
    save_floors(making / FLOORS, prepared.floors.fitted)


def golden_rows(predictor: BasePredictor, rows: Rows) -> list[dict[str, Any]]:
    """Up to eight rows without their labels, the shortest of a spread over the data; those that are answered clearly.

    Where the task is unsure of an answer, another processor may name another label.
    """
    sample, task = rows.take(range(0, len(rows), max(1, len(rows) // 64))), predictor.task
    inputs = [task.asked(row) for row in sample]
    answered = zip(inputs, predictor.predict(inputs), strict=True)
    clear = [row for row, answer in answered if not task.unsure(answer)]
    return sorted(clear or inputs, key=lambda row: sum(map(len, task.texts(row))))[:GOLDEN_ROWS]
