"""From a finished pre-training to a bundle: the documents, the golden examples, the folder.

In:  what was prepared, the predictor, the judgement, the run
Out: a bundle on disk
Knows nothing of how the model was trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import tomli_w

from bertie.bundle import folder as bundle
from bertie.bundle import golden
from bertie.core.config import to_dict
from bertie.data.corpus import Corpus
from bertie.data.rows import Rows
from bertie.evaluation.forgetting import Forgetting
from bertie.evaluation.judge import Judgement
from bertie.evaluation.model_card import model_card
from bertie.evaluation.phrases import language_of
from bertie.evaluation.report import DataPart, Report, render
from bertie.evaluation.verdict import FloorFigure
from bertie.predict import Predictor
from bertie.training.run import RunFolder
from bertie.workflow.documents import as_json, environment, speed
from bertie.workflow.pretrain_request import PretrainRecipe

GOLDEN_ROWS, GOLDEN_CHARACTERS = 8, 200


@dataclass(frozen=True)
class Outcome:
    """What training and judging gave."""

    judgement: Judgement
    evaluation: dict[str, Any]
    kept_step: int
    notes: Sequence[str]
    rows: Rows
    """The texts that judged it."""
    forgetting: Forgetting | None = None
    """What an encoder that went on gained and lost."""


def publish(
    predictor: Predictor, corpus: Corpus, recipe: PretrainRecipe, outcome: Outcome, run: RunFolder, folder: Path
) -> None:
    """Writes the bundle with everything that is known about it."""
    rows = outcome.rows
    step = max(1, len(rows) // GOLDEN_ROWS)
    chosen = [{"text": rows[i]["text"][:GOLDEN_CHARACTERS]} for i in range(0, len(rows), step)][:GOLDEN_ROWS]
    model = replace(predictor.model, golden=golden.record(predictor.predict, chosen))
    settings = tomli_w.dumps(to_dict(replace(recipe, task=predictor.task.description()["settings"])))
    parts = data_parts(corpus)
    report = report_of(predictor, outcome, run.entries(), (folder.resolve().name, settings), parts)
    kept_by: Literal["last", "loss"] = "last" if recipe.training.keep == "last" else "loss"
    report = replace(report, kept_by=kept_by, tokens_per_second=speed(run))
    documents = {
        "recipe.toml": settings,
        "metrics.json": as_json({**outcome.evaluation, "held_out": _last(run.entries())}),
        "data.json": as_json({"fingerprint": corpus.fingerprint, "parts": [asdict(part) for part in parts]}),
        "README.md": model_card(report),
        "report.html": render(report),
    }
    bundle.save(model, folder, documents)


def report_of(
    predictor: Predictor,
    outcome: Outcome,
    log: Sequence[Mapping[str, Any]],
    words: tuple[str, str],
    parts: Sequence[DataPart],
) -> Report:
    """The report; `words` are the title and the recipe as TOML."""
    judgement = outcome.judgement
    accuracy = f"{predictor.task.foretelling}_accuracy"  # where nothing foretells, nothing has that name
    return Report(
        title=words[0],
        task=judgement.task,
        metric=judgement.scores.primary,
        figure=judgement.interval,
        rows=judgement.rows,
        metrics=judgement.scores.metrics,
        floors={name: FloorFigure(floor.interval, floor.difference) for name, floor in judgement.floors.items()},
        forgetting=outcome.forgetting,
        language=language_of(row["text"] for row in outcome.rows),
        base_model=predictor.model.origin,
        losses=[(entry["step"], entry["loss"]) for entry in log if "loss" in entry],
        dev_scores=[(entry["step"], entry[accuracy]) for entry in log if accuracy in entry],
        kept_step=outcome.kept_step,
        data=parts,
        chosen=outcome.notes,
        recipe=words[1],
        environment=environment(),
        seconds=outcome.evaluation["seconds"],
    )


def data_parts(corpus: Corpus) -> list[DataPart]:
    """The two parts of the corpus; a row is a document."""
    shards = {"train": corpus.train, "held out": corpus.held_out}
    return [
        DataPart(name=name, source="corpus", rows=len(part), sha256=corpus.fingerprint) for name, part in shards.items()
    ]


def _last(log: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The last judgement of the training: what each objective lost, and the probe."""
    judged = [entry for entry in log if "score" in entry]
    return dict(judged[-1]) if judged else {}
