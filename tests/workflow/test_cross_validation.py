"""Answers out of fold: a line for each row that was judged, whatever a task leaves out; intervals within the metric."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from bertie.data.rows import Rows
from bertie.data.times import Fold
from bertie.tasks.base import Answer
from bertie.tasks.classification import Classification
from bertie.tasks.embedding import Embedding
from bertie.tasks.regression import Regression
from bertie.workflow.cross_validation import cross_validated, write_answers
from bertie.workflow.members import Job, Trained
from bertie.workflow.preparation import Prepared


def nothing() -> Prepared:
    raise AssertionError("it was trained before")


def trained(fold: int, answers: int) -> Trained:
    judged = [{"vector": [float(fold), float(i)]} for i in range(answers)]
    job = Job(f"fold-{fold}", 13, fold, nothing)
    return Trained(job, Path("part"), 0.0, {}, dev=[], judged=judged, floors={}, kept_step=0)


def test_a_text_that_cannot_be_halved_has_no_line(tmp_path: Path) -> None:
    texts = ["good food", "好", "slow service", "a fine film"]
    rows = Rows([{"text": text} for text in texts], "folder/texts.csv", lines=[2, 3, 4, 5])
    folds = [Fold([2, 3], [0, 1]), Fold([0, 1], [2, 3])]
    task = Embedding.from_rows(rows, {})
    write_answers(tmp_path / "answers.jsonl", [trained(1, 1), trained(2, 2)], folds, rows, task)
    lines = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(line["row"], line["where"]) for line in lines] == [
        (0, "texts.csv:2"),
        (2, "texts.csv:4"),
        (3, "texts.csv:5"),
    ]
    assert [line["answer"]["vector"] for line in lines] == [[1.0, 0.0], [2.0, 0.0], [2.0, 1.0]]


def test_intervals_end_where_the_metric_does_and_those_of_differences_do_not() -> None:
    rows = Rows([{"text": f"text {i}", "label": "ab"[i % 2]} for i in range(8)])
    folds = [Fold([4, 5, 6, 7], [0, 1, 2, 3]), Fold([0, 1, 2, 3], [4, 5, 6, 7])]
    several = [labelled(1, "abab", "bbbb"), labelled(2, "abaa", "aaaa")]
    found = cross_validated(several, folds, rows, Classification.from_rows(rows, {}))
    assert found["metric"] == "accuracy" and found["values"] == [1.0, 0.75]
    floor = found["floors"]["tfidf"]
    assert [found["low"], found["high"], floor["low"], floor["high"]] == [0.0, 1.0, 0.5, 0.5]
    assert floor["difference"]["low"] < -1.0 and floor["difference"]["high"] > 1.0


def test_a_correlation_may_be_below_zero() -> None:
    rows = Rows([{"text": f"text {i}", "label": float(i)} for i in range(8)])
    folds = [Fold([4, 5, 6, 7], [0, 1, 2, 3]), Fold([0, 1, 2, 3], [4, 5, 6, 7])]
    several = [replace(trained(1, 0), judged=values(0, 1, 2, 3)), replace(trained(2, 0), judged=values(7, 5, 6, 4))]
    found = cross_validated(several, folds, rows, Regression.from_rows(rows, {}))
    assert found["metric"] == "spearman" and (found["low"], found["high"]) == (-1.0, 1.0)


def labelled(fold: int, judged: str, floor: str) -> Trained:
    answers, others = ([{"label": label} for label in labels] for labels in (judged, floor))
    return replace(trained(fold, 0), judged=answers, floors={"tfidf": others})


def values(*numbers: float) -> list[Answer]:
    return [{"value": number} for number in numbers]
