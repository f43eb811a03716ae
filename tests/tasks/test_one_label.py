"""Tasks whose probabilities are set right on dev rows: what they would answer is what they answer then."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from bertie.core.errors import DataError
from bertie.data.rows import Rows
from bertie.tasks.base import Answer
from bertie.tasks.classification import Classification
from bertie.tasks.one_label import CalibratedTask, OneLabel
from bertie.tasks.relation import Relation

ROWS = 400
LABELS = ("bad", "good")


def told_apart(**settings: Any) -> Classification:
    rows = Rows([{"text": f"text {i}", "label": LABELS[i % 2]} for i in range(20)], "rows.csv")
    return Classification.from_rows(rows, settings)


def moved(task: CalibratedTask) -> tuple[list[Answer], Rows]:
    """Answers of somebody who is twice too sure, and who says "bad" too early; the rows that show it."""
    generator = torch.Generator().manual_seed(0)
    logits = 4.0 * torch.randn(ROWS, generator=generator)  # for "good"
    right = torch.rand(ROWS, generator=generator) < (0.5 * logits + 1.0).sigmoid()
    shares = logits.double().sigmoid().tolist()
    answers = [
        {"label": LABELS[p > 0.5], "score": max(p, 1 - p), "scores": {"bad": 1 - p, "good": p}, "note": "cut"}
        for p in shares
    ]
    rows = [{"text": f"{i}", "label": LABELS[bool(one)]} for i, one in enumerate(right)]
    return answers, Rows(rows, "dev.csv")


def accuracy(answers: list[Answer], rows: Rows) -> float:
    return sum(answer["label"] == row["label"] for answer, row in zip(answers, rows, strict=True)) / len(rows)


def test_what_is_foretold_is_what_the_changed_head_answers() -> None:
    task = told_apart(normalise=False, dropout=0.0)
    task.build_head(1)
    with torch.no_grad():  # a head that hands one number through as the logit of "good"
        task.head.output.weight.copy_(torch.tensor([[0.0], [1.0]]))
    answers, dev = moved(task)
    foretold = task.recalibrated(answers, dev)
    assert accuracy(foretold, dev) > accuracy(answers, dev) + 0.02
    assert all(answer["note"] == "cut" for answer in foretold)
    [note] = task.calibrate(answers, dev)
    assert "400 dev rows" in note and "task.calibration=none" in note
    number = torch.tensor([[math.log(answer["scores"]["good"] / answer["scores"]["bad"])] for answer in answers])
    logits = task.head.output(number)
    assert logits.softmax(-1)[:, 1].tolist() == pytest.approx([one["scores"]["good"] for one in foretold], abs=1e-4)


def test_lists_of_one_label_are_that_label_and_others_are_named() -> None:
    rows = Rows([{"text": "t", "label": label} for label in (["good"], "bad", ["good", "bad"], [])], "new.csv")
    assert OneLabel.accept(rows.take([0, 1])).column("label") == ["good", "bad"]
    with pytest.raises(DataError, match=r"new.csv:3: found 2 labels \(good, bad\), expected one label") as raised:
        OneLabel.accept(rows)
    assert "new.csv:4: found no label" in str(raised.value)


def test_labels_that_training_never_saw_are_left_out() -> None:
    task = told_apart()
    answers, dev = moved(task)
    with_new = Rows([*dev, {"text": "?", "label": "unknown"}], "dev.csv")
    fitted = task.recalibrated([*answers, answers[0]], with_new)
    assert fitted[:-1] == task.recalibrated(answers, dev)


@pytest.mark.parametrize("settings", [{"calibration": "none"}, {"class_weights": "balanced"}])
def test_nothing_is_moved_where_somebody_decided(settings: dict[str, Any]) -> None:
    task = told_apart(**settings)
    task.build_head(4)
    before = task.last_layer.weight.clone()
    answers, dev = moved(task)
    assert not task.calibrates
    assert task.recalibrated(answers, dev) == answers
    assert task.calibrate(answers, dev) == []
    assert torch.equal(task.last_layer.weight, before)


def several(count: int, **settings: Any) -> tuple[Classification, list[Answer], Rows]:
    """A model that is right in what it gives 0.32 and wrong in what it gives 0.22; one row in ten has a new label."""
    labels = [["x", "y"], ["y"]] * (count // 2)
    rows = Rows([{"text": f"{i}", "label": [*one, "new"] if i % 10 == 0 else one} for i, one in enumerate(labels)])
    task = Classification.from_rows(Rows([{"text": "a", "label": ["x", "y"]}, {"text": "b", "label": ["y"]}]), settings)
    answers = [task.answer_from([0.32 if "x" in one else 0.22, 0.7]) for one in labels]
    return task, answers, rows


def test_from_which_probability_labels_are_given_is_chosen_on_the_dev_rows() -> None:
    task, answers, dev = several(100)
    assert all(answer["labels"] == ["y"] for answer in answers)
    foretold = task.recalibrated(answers, dev)
    assert [answer["labels"] for answer in foretold[:2]] == [["y", "x"], ["y"]]
    assert task.score(foretold, dev).value > task.score(answers, dev).value + 0.1
    [note] = task.calibrate(answers, dev)
    assert note.startswith("a label is given from a probability of 0.3 on") and "100 dev rows" in note
    again = Classification.from_description(task.description())
    assert again.answer_from([0.32, 0.7]) == foretold[0] and again.unsure(foretold[0])


def test_near_a_low_threshold_rounding_moves_little() -> None:
    """Else nearly every label would be near it, and nearly every row be computed twice."""
    task, _, _ = several(2, threshold=0.05)
    assert not task.unsure(task.answer_from([0.01, 0.7]))
    assert task.unsure(task.answer_from([0.045, 0.7]))


@pytest.mark.parametrize(
    ("count", "settings"),
    [(98, {}), (100, {"threshold": 0.5}), (100, {"calibration": "none"}), (100, {"class_weights": "balanced"})],
)
def test_it_is_not_chosen_by_few_rows_or_where_somebody_decided(count: int, settings: dict[str, Any]) -> None:
    task, answers, dev = several(count, **settings)
    assert task.recalibrated(answers, dev) == answers and task.calibrate(answers, dev) == []
    assert task.threshold == 0.5


def test_a_relation_is_calibrated_as_well() -> None:
    text = {"text": "张三在北京。", "head": {"start": 0, "end": 2}, "tail": {"start": 3, "end": 5}}
    task = Relation.from_rows(Rows([{**text, "label": label} for label in LABELS], "rows.jsonl"), {})
    task.build_head(4)
    weight = task.last_layer.weight.clone()
    answers, dev = moved(task)
    assert len(task.calibrate(answers, dev)) == 1
    assert not torch.equal(task.last_layer.weight, weight)
