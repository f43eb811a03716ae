"""What is known after a training, as the plain values that the report and the model card show.

In:  what was prepared, the judgement, the log of the run
Out: Report
Knows nothing of pages or of how anything was computed.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from bertie.core.version import __version__
from bertie.data.rows import Rows
from bertie.evaluation.floor_files import FLOORS
from bertie.evaluation.judge import Judgement
from bertie.evaluation.phrases import language_of
from bertie.evaluation.report import DataPart, Report
from bertie.evaluation.verdict import FloorFigure
from bertie.training.run import RunFolder
from bertie.workflow.preparation import Prepared


def report_of(
    prepared: Prepared,
    judgement: Judgement,
    log: Sequence[Mapping[str, Any]],
    words: tuple[str, str],
    seconds: float,
    kept_step: int,
) -> Report:
    """The report of a training; `words` are the title and the recipe as TOML, `kept_step` has the model's weights."""
    scores, task = judgement.scores, prepared.task
    details = scores.details
    return Report(
        title=words[0],
        task=judgement.task,
        metric=scores.primary,
        figure=judgement.interval,
        rows=judgement.rows,
        metrics={name: value for name, value in scores.metrics.items() if name != "unseen_labels"},
        floors=floor_figures(judgement),
        columns=task.columns,
        language=language_of(text for row in prepared.test for text in task.texts(row)),
        on_dev=prepared.splits.test is None,
        # A task may leave rows out that it cannot judge by.
        seen=min(prepared.splits.seen.get("dev" if prepared.splits.test is None else "test", 0), judgement.rows),
        base_model=prepared.start.source.name,
        unseen=details.get("unseen", {}),
        per_class=details.get("per_class", ()),
        confusion=details.get("confusion"),
        losses=[(entry["step"], entry["loss"]) for entry in log if "loss" in entry],
        dev_scores=dev_scores(prepared, log, scores.primary),
        kept_step=kept_step,
        mistakes=judgement.mistakes,
        data=data_parts(prepared),
        chosen=prepared.notes,
        recipe=words[1],
        environment=environment(),
        seconds=seconds,
    )


def floor_figures(judgement: Judgement) -> dict[str, FloorFigure]:
    """The floors of a judgement, each with whether its answers are the encoder's."""
    reading = {name for name, kind in FLOORS.classes().items() if kind.reads_encoder}
    return {
        name: FloorFigure(floor.interval, floor.difference, name in reading) for name, floor in judgement.floors.items()
    }


def dev_scores(prepared: Prepared, log: Sequence[Mapping[str, Any]], metric: str) -> list[tuple[float, float]]:
    """(step, the metric on the dev rows); none where rows of another form than the dev rows judge, which have other
    metrics, nor of few examples, which have no dev rows but those that they learn from.
    """
    if prepared.splits.dev is prepared.splits.train:
        return []
    return [(entry["step"], entry[metric]) for entry in log if metric in entry]


def environment() -> dict[str, str]:
    """What computed a model."""
    return {
        "bertie": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "threads": str(torch.get_num_threads()),
    }


def speed(run: RunFolder) -> float:
    """Tokens a second in the steps of the training that a run folder holds; 0 where it says nothing of that."""
    result = run.read("result") or {}
    seconds = result.get("stepping", 0.0)
    return float(result["tokens"] / seconds) if seconds else 0.0


def as_json(content: Any) -> str:
    """A document of a bundle."""
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def data_parts(prepared: Prepared) -> list[DataPart]:
    """Where the rows came from, how many of each label, and the SHA-256 of their content."""
    parts = {"train": prepared.splits.train}
    if prepared.splits.dev is not prepared.splits.train:  # few examples: nothing is chosen by other rows
        parts["dev"] = prepared.splits.dev
    if prepared.splits.test is not None:
        parts["test"] = prepared.splits.test
    return [_part(name, rows, prepared.task.counts(rows)) for name, rows in parts.items()]


def _part(name: str, rows: Rows, labels: Mapping[str, int]) -> DataPart:
    return DataPart(
        name=name,
        source=Path(rows.source).name,
        rows=len(rows),
        sha256=rows.fingerprint(),
        labels=labels,
        columns=rows.names,
    )
