"""Cross-validation: what the models of all folds answered, each to rows that it had not learned from.

In:  folds, the trainings of each, the rows
Out: a score with its deviation and interval over folds, the floors beside it; a JSON line a row and seed
Knows nothing of training.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bertie.core.files import write_text
from bertie.data.rows import Rows
from bertie.data.times import Fold
from bertie.evaluation.phrases import METRICS
from bertie.metrics.intervals import ANY, Interval, fold_interval
from bertie.tasks.base import Answer, Task
from bertie.workflow.members import Trained

OUT_OF_FOLD = "out_of_fold.jsonl"
CORRELATIONS = ("spearman", "pearson")


def cross_validated(trained: Sequence[Trained], folds: Sequence[Fold], rows: Rows, task: Task) -> dict[str, Any]:
    """The score of each fold, a mean over its seeds, and what they say together."""
    of_fold: list[list[Trained]] = [[one for one in trained if one.job.fold == k] for k in range(1, len(folds) + 1)]
    held = [task.accept(rows.take(fold.held)) for fold in folds]
    share = float(np.mean([len(fold.held) / len(fold.train) for fold in folds]))
    values = [
        float(np.mean([_value(task, one.judged, part) for one in several]))
        for several, part in zip(of_fold, held, strict=True)
    ]
    floors = {
        name: [_value(task, several[0].floors[name], part) for several, part in zip(of_fold, held, strict=True)]
        for name in _shared_floors(trained)
    }
    metric = task.evaluate(of_fold[0][0].judged, held[0]).primary
    within = _range(metric)
    return {
        "folds": len(folds),
        "seeds": len(of_fold[0]),
        "metric": metric,
        **_figures(values, share, within),
        "values": values,
        "floors": {
            name: {**_figures(found, share, within), "difference": _figures(np.subtract(values, found).tolist(), share)}
            for name, found in floors.items()
        },
    }


def write_answers(path: Path, trained: Sequence[Trained], folds: Sequence[Fold], rows: Rows, task: Task) -> None:
    """A line for each row that was judged and each seed, in the order of the rows; `row` counts those of the training
    from 0.
    """
    lines = []
    for one in trained:
        if one.job.fold is not None:
            for i, answer in zip(_judged(folds[one.job.fold - 1], one, rows, task), one.judged, strict=True):
                place = f"{Path(rows.source).name}:{rows.lines[i]}" if rows.lines else None
                about = {"row": i, "where": place, "fold": one.job.fold, "seed": one.job.seed}
                lines.append({**about, "answer": answer})
    lines.sort(key=lambda line: (line["row"], line["seed"]))
    write_text(path, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))


def by_learner(trained: Sequence[Trained], folds: Sequence[Fold]) -> tuple[list[int], list[list[Answer]]]:
    """The rows that were judged, and of each seed the answers to them."""
    found: dict[int, dict[int, Answer]] = {}
    for one in trained:
        if one.job.fold is not None:
            found.setdefault(one.job.seed, {}).update(zip(folds[one.job.fold - 1].held, one.judged, strict=True))
    places = sorted(next(iter(found.values())))
    return places, [[answers[i] for i in places] for answers in found.values()]


def told(found: dict[str, Any]) -> list[str]:
    """The result in words."""
    listed = " ".join(f"{value:.4f}" for value in found["values"])
    repeated = f", each with {found['seeds']} seeds" if found["seeds"] > 1 else ""
    lines = [
        f"cross-validation: {found['metric']} {found['mean']:.4f}, deviation {found['deviation']:.4f} over "
        f"{found['folds']} folds{repeated}, interval {found['low']:.4f} to {found['high']:.4f}; folds {listed}"
    ]
    for name, floor in found["floors"].items():
        gain = floor["difference"]
        clear = "the model is better" if gain["low"] > 0 else "the model is not clearly better"
        lines.append(f"cross-validation: floor {name} {floor['mean']:.4f}, the difference {gain['mean']:+.4f}, {clear}")
    return lines


def _judged(fold: Fold, one: Trained, rows: Rows, task: Task) -> list[int]:
    """The places of the rows that were answered: a task may leave some out, as a text of which no half can be asked."""
    if len(one.judged) == len(fold.held):
        return fold.held
    return task.accept(replace(rows.take(fold.held), lines=fold.held)).lines


def _value(task: Task, answers: list[Answer], rows: Rows) -> float:
    return task.evaluate(answers, rows).value


def _range(metric: str) -> tuple[float, float]:
    """The least and the largest value that a metric can have; of one that nobody knows here, any."""
    if metric in METRICS:
        return 0.0, 1.0
    if metric in CORRELATIONS:
        return -1.0, 1.0
    return ANY


def _figures(values: Sequence[float], share: float, within: tuple[float, float] = ANY) -> dict[str, float]:
    between: Interval = fold_interval(values, share, within=within)
    deviation = float(np.std(values, ddof=1))
    return {"mean": between.value, "deviation": deviation, "low": between.low, "high": between.high}


def _shared_floors(trained: Sequence[Trained]) -> list[str]:
    """Floors that had something to say in every fold."""
    parts = [one.floors for one in trained if one.job.fold is not None]
    return [name for name in parts[0] if all(name in floors for floors in parts)]
