"""Judging: answers of a model, and of the floors beside it, to figures with intervals.

In:  a task, rows with labels, the model's answers, each floor's answers to the same rows
Out: Judgement; the object of `evaluate --json`; lines for a person
Knows nothing of how the answers were made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bertie.core.errors import UsageError
from bertie.data.rows import Rows
from bertie.metrics.intervals import Interval, paired_difference, paired_f1_difference, score_interval
from bertie.tasks.base import Answer, Scores, Task

METRICS_SHOWN = 12


@dataclass(frozen=True)
class Floor:
    """A plain model on the same rows."""

    scores: Scores
    interval: Interval
    difference: Interval
    """Model minus floor, paired row by row."""


@dataclass(frozen=True)
class Judgement:
    """A model on some rows, with the floors beside it."""

    task: str
    rows: int
    scores: Scores
    interval: Interval
    floors: dict[str, Floor]
    answers: list[Answer] = field(repr=False)

    @property
    def equal_floors(self) -> list[str]:
        """Floors that cannot be told apart from the model on these rows, or are better."""
        return [name for name, floor in self.floors.items() if floor.difference.low <= 0.0]


def judge(task: Task, rows: Rows, answers: Sequence[Answer], floors: Mapping[str, Sequence[Answer]]) -> Judgement:
    """Scores every set of answers against the labels of the rows."""
    scores = task.score(answers, rows)
    judged = {name: _floor(scores, task.score(said, rows)) for name, said in floors.items()}
    return Judgement(task.name, len(rows), scores, interval(scores), judged, list(answers))


def interval(scores: Scores) -> Interval:
    """The interval of the primary metric."""
    return score_interval(scores.per_row, scores.details.get("row_counts"))


def to_json(judgement: Judgement, seconds: float, metric: str | None = None) -> dict[str, Any]:
    """The object that `evaluate --json` prints. Another `metric` stands without an interval."""
    scores = judgement.scores
    if metric and metric not in scores.metrics:
        raise UsageError(f"--metric {metric!r}: there are {', '.join(scores.metrics)}")
    own = metric is None or metric == scores.primary
    primary = (
        _figure(scores.primary, judgement.interval) if own else {"name": metric, "value": scores.metrics[metric or ""]}
    )
    return {
        "task": judgement.task,
        "rows": judgement.rows,
        "primary": primary,
        "metrics": scores.metrics,
        "floors": {name: _floor_json(floor) for name, floor in judgement.floors.items()},
        "per_class": scores.details.get("per_class", []),
        "seconds": round(seconds, 2),
    }


def readable(evaluation: Mapping[str, Any]) -> str:
    """The object of `to_json` as lines for a person."""
    primary = evaluation["primary"]
    lines = [f"{evaluation['task']} on {evaluation['rows']} rows"]
    lines += [f"  {primary['name']:<22} {primary['value']:.4f}" + _between(primary)]
    for name, floor in evaluation["floors"].items():
        better = floor["difference"]["low"] > 0.0
        verdict = "the model is better" if better else "the model is not clearly better"
        lines.append(f"  floor {name:<16} {floor['value']:.4f}{_between(floor)}   {verdict}")
    others = [(name, value) for name, value in evaluation["metrics"].items() if name != primary["name"]]
    lines += [f"  {name:<22} {value:.4f}" for name, value in others[:METRICS_SHOWN]]
    lines += _class_lines(evaluation["per_class"])
    return "\n".join([*lines, f"  {'seconds':<22} {evaluation['seconds']:.1f}"])


def _class_lines(table: Sequence[Mapping[str, Any]]) -> list[str]:
    if not table or len(table) > 2 * METRICS_SHOWN:
        return []
    lines = [f"  {'precision':>12} {'recall':>8} {'f1':>8} {'rows':>7}  label"]
    for row in table:
        figures = f"{row['precision']:>12.4f} {row['recall']:>8.4f} {row['f1']:>8.4f}"
        lines.append(f"  {figures} {row['support']:>7}  {row['label']}")
    return lines


def _between(figure: Mapping[str, Any]) -> str:
    return f"  [{figure['low']:.4f}, {figure['high']:.4f}]" if "low" in figure else ""


def _floor(model: Scores, floor: Scores) -> Floor:
    if "row_counts" in model.details:
        difference = paired_f1_difference(model.details["row_counts"], floor.details["row_counts"])
    else:
        difference = paired_difference(model.per_row, floor.per_row)
    return Floor(floor, interval(floor), difference)


def _floor_json(floor: Floor) -> dict[str, Any]:
    figure = _figure(floor.scores.primary, floor.interval)
    difference = {"value": floor.difference.value, "low": floor.difference.low, "high": floor.difference.high}
    return {**figure, "difference": difference, "metrics": floor.scores.metrics}


def _figure(name: str, figure: Interval) -> dict[str, Any]:
    return {"name": name, "value": figure.value, "low": figure.low, "high": figure.high}
