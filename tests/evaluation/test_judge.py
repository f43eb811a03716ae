"""Judging: every metric has an interval, and the floors stand beside it in the same one."""

from __future__ import annotations

import numpy as np
import pytest

from bertie.core.errors import UsageError
from bertie.data.rows import Rows
from bertie.evaluation.judge import judge, judge_stream, readable, to_json
from bertie.tasks.base import Answer
from bertie.tasks.classification import Classification
from bertie.tasks.embedding import Embedding
from bertie.tasks.regression import Regression

RNG = np.random.default_rng(0)
ONE = Rows([{"text": f"t{i}", "label": "aab"[i % 3]} for i in range(90)])
SEVERAL = Rows([{"text": f"t{i}", "label": [["a"], ["a", "b"], []][i % 3]} for i in range(90)])


def answers(task: Classification, rows: Rows, wrong: float) -> list[Answer]:
    """The right answers, but for a share of wrong ones."""
    right = np.array([[label in row["label"] for label in task.labels] for row in rows], dtype=float)
    scores = np.where(RNG.random((len(rows), 1)) < wrong, 1 - right, right)
    return [task.answer_from(row) for row in scores.tolist()]


@pytest.mark.parametrize(
    ("rows", "metrics"),
    [
        (ONE, ["accuracy", "macro_f1", "weighted_f1"]),
        (SEVERAL, ["micro_f1", "macro_f1", "weighted_f1", "samples_f1", "subset_accuracy"]),
    ],
    ids=["one label", "several labels"],
)
def test_any_metric_can_be_the_primary_one(rows: Rows, metrics: list[str]) -> None:
    task = Classification.from_rows(rows, {})
    model, floor = answers(task, rows, 0.05), answers(task, rows, 0.4)
    for metric in (None, *metrics):
        found = to_json(judge(task, rows, model, [("tfidf", floor)], metric), 1.0)
        primary, beside = found["primary"], found["floors"]["tfidf"]
        assert primary["name"] == beside["name"] == (metric or metrics[0])
        assert primary["value"] == found["metrics"][primary["name"]]
        assert 0 <= primary["low"] < primary["value"] < primary["high"] <= 1
        assert beside["value"] == beside["metrics"][beside["name"]]
        assert beside["difference"]["value"] == pytest.approx(primary["value"] - beside["value"])
        assert beside["difference"]["low"] > 0
        assert found == to_json(judge(task, rows, model, [("tfidf", floor)], metric), 1.0)
        assert "the model is better" in readable(found)


@pytest.mark.parametrize("rows", [ONE, SEVERAL], ids=["one label", "several labels"])
def test_answers_that_pass_by_are_judged_alike(rows: Rows) -> None:
    task = Classification.from_rows(rows, {})
    model = answers(task, rows, 0.2)
    whole, passed = judge(task, rows, model, []), judge_stream(task, rows, iter(model), [])
    assert to_json(passed, 1.0) == to_json(whole, 1.0)
    assert passed.mistakes is not None and whole.mistakes is None
    assert len(passed.mistakes) == min(20, sum(task.mistake(*one) is not None for one in zip(rows, model, strict=True)))


def test_a_task_without_words_for_mistakes_has_none_to_list() -> None:
    rows = Rows([{"query": f"q{i}", "positive": f"p{i}"} for i in range(3)])
    task, one = Embedding.from_rows(rows, {}), np.eye(3)
    found = judge_stream(task, rows, iter([{"vector": row, "positive": row} for row in one]), [])
    assert found.scores.value == 1.0 and found.mistakes is None


def test_members_without_a_figure_on_the_dev_rows_are_told_by_the_others() -> None:
    task = Classification.from_rows(ONE, {})
    found = to_json(judge(task, ONE, answers(task, ONE, 0.1), []), 1.0)
    trained = [{"name": "seed-1", "in": True, "test": 0.5}, {"name": "seed-2", "in": False, "dev": 0.25, "test": 0.5}]
    lines = readable({**found, "members": {"combine": "soup", "metric": "accuracy", "trained": trained}}).splitlines()
    told = [line.split() for line in lines if "seed-" in line]
    assert told[0] == ["seed-1", "test", "0.5000"]
    assert told[1][:5] == ["seed-2", "dev", "0.2500,", "test", "0.5000"]


def test_the_metric_of_the_task_stands_first_also_beside_floors() -> None:
    task = Classification.from_rows(ONE, {})
    model, floor = answers(task, ONE, 0.2), answers(task, ONE, 0.5)
    task.metric = "macro_f1"
    assert judge(task, ONE, model, [("tfidf", floor)]).scores.primary == "macro_f1"
    assert judge(task, ONE, model, [("tfidf", floor)]).floors["tfidf"].scores.primary == "macro_f1"
    assert judge(task, ONE, model, [], "weighted_f1").scores.primary == "weighted_f1"


def test_an_error_chooses_no_model() -> None:
    rows = Rows([{"text": str(i), "label": i / 7} for i in range(9)], "numbers.csv")
    task = Regression.from_rows(rows, {})
    said = [{"value": i / 6} for i in range(9)]
    task.metric = "pearson"
    assert task.evaluate(said, rows).primary == "pearson"
    task.metric = "mean_absolute_error"
    with pytest.raises(UsageError, match=r"training.metric is 'mean_absolute_error', of which the smaller is better"):
        task.evaluate(said, rows)


@pytest.mark.parametrize("metric", ["macro_f2", "unseen_labels"])
def test_a_metric_that_is_no_score_is_refused_with_those_that_are(metric: str) -> None:
    task = Classification.from_rows(ONE, {})
    with pytest.raises(
        UsageError, match=f"metric '{metric}' does not exist; choose one of accuracy, macro_f1, weighted_f1$"
    ):
        judge(task, ONE, answers(task, ONE, 0.1), [], metric)


@pytest.mark.parametrize("metric", ["mean_absolute_error", "mean_squared_error"])
def test_of_an_error_the_smaller_is_better(metric: str) -> None:
    rows = Rows([{"text": f"t{i}", "label": float(i % 7)} for i in range(60)])
    task = Regression.from_rows(rows, {})
    near, far = ([{"value": row["label"] + far * (1 + i % 2)} for i, row in enumerate(rows)] for far in (0.5, 2.0))
    for model, floor, better in ((near, far, True), (far, near, False)):
        found = to_json(judge(task, rows, model, [("tfidf_ridge", floor)], metric), 1.0)
        primary, gain = found["primary"], found["floors"]["tfidf_ridge"]["difference"]
        assert primary["smaller_is_better"] and primary["low"] <= primary["value"] <= primary["high"]
        assert gain["value"] == pytest.approx(found["floors"]["tfidf_ridge"]["value"] - primary["value"])
        assert gain["low"] > 0 if better else gain["high"] < 0
        lines = readable(found).splitlines()
        assert lines[1].endswith("smaller is better")
        assert lines[2].endswith("the model is better" if better else "the model is not clearly better")
    assert "smaller_is_better" not in to_json(judge(task, rows, near, []), 1.0)["primary"]
