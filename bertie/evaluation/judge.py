"""Judging: answers of a model, and of the floors beside it, to figures with intervals.

In:  a task, rows with labels, the model's answers, each floor's answers to the same rows
Out: Judgement; the object of `evaluate --json`; lines for a person
Knows nothing of how the answers were made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bertie.data.rows import Rows
from bertie.evaluation.mistakes import scored_and_mistakes
from bertie.metrics.intervals import Interval, mean_interval, paired_difference
from bertie.tasks.base import Answer, Mistake, Scores, Task

METRICS_SHOWN = 12


@dataclass(frozen=True)
class Floor:
    """A plain model on the same rows."""

    scores: Scores
    interval: Interval
    difference: Interval
    """By how much the model is ahead, as in `difference`."""


@dataclass(frozen=True)
class Judgement:
    """A model on some rows, with the floors beside it."""

    task: str
    rows: int
    scores: Scores
    interval: Interval
    floors: dict[str, Floor]
    mistakes: list[Mistake] | None = field(default=None, repr=False)
    """The hardest, where whole answers were judged of a task that has words for what is wrong about one."""


def judge(
    task: Task,
    rows: Rows,
    answers: Sequence[Answer],
    floors: Iterable[tuple[str, Sequence[Answer]]],
    metric: str | None = None,
) -> Judgement:
    """Scores every set of answers against the labels of the rows; by another metric than the task's where one is named.

    `floors`: name and answers of each, of which only the scores are held: they may be made one after the other.
    UsageError: a metric that there is not, or that is no score.
    """
    scores = _by(metric, task.evaluate(answers, rows))
    judged = {name: _floor(scores, _by(metric, task.evaluate(said, rows))) for name, said in floors}
    return Judgement(task.name, len(rows), scores, interval(scores), judged)


def judge_stream(
    task: Task, rows: Rows, answers: Iterable[Answer], floors: Iterable[tuple[str, Sequence[Answer]]]
) -> Judgement:
    """`judge` of whole answers as they come, with the hardest mistakes where the task names such. Of an answer only
    what is scored is held."""
    scored, mistakes = scored_and_mistakes(task, rows, answers)
    return replace(judge(task, rows, scored, floors), mistakes=mistakes if task.names_mistakes else None)


def interval(scores: Scores) -> Interval:
    """The interval of the primary metric."""
    if scores.primary in scores.per_row:
        return mean_interval(scores.per_row[scores.primary])
    assert scores.sample is not None, f"{scores.primary} is no mean over rows and has no sample"
    return scores.sample.interval(scores.primary)


def difference(one: Scores, other: Scores) -> Interval:
    """By how much one model is ahead of another on the same rows, paired row by row: its primary metric minus the
    other's, and of an error, which is better where it is smaller, the other's minus its own."""
    name = one.primary
    if name in one.errors:
        one, other = other, one
    if name in one.per_row:
        return paired_difference(one.per_row[name], other.per_row[name])
    assert one.sample is not None and other.sample is not None, f"{name} is no mean and has no sample"
    return one.sample.difference(other.sample, name)


def to_json(judgement: Judgement, seconds: float) -> dict[str, Any]:
    """The object that `evaluate --json` prints."""
    scores = judgement.scores
    return {
        "task": judgement.task,
        "rows": judgement.rows,
        "primary": _figure(scores.primary, judgement.interval) | _direction(scores),
        "metrics": scores.metrics,
        "floors": {name: _floor_json(floor) for name, floor in judgement.floors.items()},
        "per_class": scores.details.get("per_class", []),
        "seconds": round(seconds, 2),
    }


def readable(evaluation: Mapping[str, Any]) -> str:
    """The object of `to_json` as lines for a person."""
    primary = evaluation["primary"]
    lines = [f"{evaluation['task']} on {evaluation['rows']} rows"]
    smaller = "   smaller is better" if primary.get("smaller_is_better") else ""
    lines += [f"  {primary['name']:<22} {primary['value']:.4f}{_between(primary)}{smaller}"]
    for name, floor in evaluation["floors"].items():
        better = floor["difference"]["low"] > 0.0
        verdict = "the model is better" if better else "the model is not clearly better"
        lines.append(f"  floor {name:<16} {floor['value']:.4f}{_between(floor)}   {verdict}")
    others = [(name, value) for name, value in evaluation["metrics"].items() if name != primary["name"]]
    lines += [f"  {name:<22} {value:.4f}" for name, value in others[:METRICS_SHOWN]]
    lines += _class_lines(evaluation["per_class"])
    lines += _crossed(evaluation.get("cross_validation")) + _several(evaluation.get("members"))
    return "\n".join([*lines, f"  {'seconds':<22} {evaluation['seconds']:.1f}"])


def _class_lines(table: Sequence[Mapping[str, Any]]) -> list[str]:
    if not table or len(table) > 2 * METRICS_SHOWN:
        return []
    lines = [f"  {'precision':>12} {'recall':>8} {'f1':>8} {'rows':>7}  label"]
    for row in table:
        figures = f"{row['precision']:>12.4f} {row['recall']:>8.4f} {row['f1']:>8.4f}"
        lines.append(f"  {figures} {row['support']:>7}  {row['label']}")
    return lines


def _crossed(found: Mapping[str, Any] | None) -> list[str]:
    if found is None:
        return []
    figures = f"{found['mean']:.4f}{_between(found)}   deviation {found['deviation']:.4f}"
    lines = [f"  {found['folds']} folds, {found['metric']:<13} {figures}"]
    for name, floor in found["floors"].items():
        lines.append(f"  floor {name:<16} {floor['mean']:.4f}{_between(floor)}   in the same folds")
    return lines


def _several(found: Mapping[str, Any] | None) -> list[str]:
    if found is None:
        return []
    lines = [f"  {found['combine'] + ', dev':<22} {found['dev']:.4f}"] if "dev" in found else []
    for one in found["trained"]:
        figures = ", ".join(f"{part} {one[part]:.4f}" for part in ("dev", "test") if part in one)
        out = "" if one["in"] else "   not in the model"
        lines.append(f"  {one['name']:<22} {figures}{out}")
    return lines


def _between(figure: Mapping[str, Any]) -> str:
    return f"  [{figure['low']:.4f}, {figure['high']:.4f}]"


def _by(metric: str | None, scores: Scores) -> Scores:
    """The scores with this metric as the primary one."""
    return scores if metric is None else scores.by(metric)


def _floor(model: Scores, floor: Scores) -> Floor:
    return Floor(floor, interval(floor), difference(model, floor))


def _floor_json(floor: Floor) -> dict[str, Any]:
    figure = _figure(floor.scores.primary, floor.interval)
    difference = {"value": floor.difference.value, "low": floor.difference.low, "high": floor.difference.high}
    return {**figure, "difference": difference, "metrics": floor.scores.metrics}


def _direction(scores: Scores) -> dict[str, bool]:
    """Said where it is not the usual one."""
    return {"smaller_is_better": True} if scores.primary in scores.errors else {}


def _figure(name: str, figure: Interval) -> dict[str, Any]:
    return {"name": name, "value": figure.value, "low": figure.low, "high": figure.high}
