"""A stack believes the learner that was right on rows that nobody had learned."""

from __future__ import annotations

import numpy as np
import pytest

from bertie.bundle.ensemble import Combination
from bertie.data.rows import Rows
from bertie.evaluation.stacking import fit_stack
from bertie.metrics.labels import single_label
from bertie.tasks.base import Answer
from bertie.tasks.classification import Classification
from bertie.tasks.one_label import OneLabel
from bertie.tasks.regression import Regression

NAMES = ["a", "b", "c"]


def learner(gold: list[str], right: float, rng: np.random.Generator) -> list[Answer]:
    """Sure of the right label in a part of the rows, else of any."""
    found = []
    for label in gold:
        said = label if rng.random() < right else rng.choice(NAMES)
        found.append(OneLabel(NAMES).answer([0.8 if name == said else 0.1 for name in NAMES]))
    return found


def test_the_better_learner_is_believed_and_bias_is_undone() -> None:
    rng = np.random.default_rng(0)
    gold = [NAMES[i] for i in rng.integers(0, 3, 600)]
    rows = Rows([{"text": str(i), "label": label} for i, label in enumerate(gold)])
    task = Classification.from_rows(rows, {})
    good, poor = learner(gold, 0.8, rng), learner(gold, 0.1, rng)
    layer = fit_stack(task, [good, poor], rows)
    both = Combination(((0,), (1,)), layer)
    found = [both(task, answers, {}) for answers in zip(good, poor, strict=True)]
    stacked = single_label(gold, [answer["label"] for answer in found], NAMES).metrics["accuracy"]
    alone = single_label(gold, [answer["label"] for answer in good], NAMES).metrics["accuracy"]
    assert stacked >= alone - 0.01
    assert np.abs(layer.weight[:, :3]).sum() > 3 * np.abs(layer.weight[:, 3:]).sum()
    assert all(sum(answer["scores"].values()) == pytest.approx(1) for answer in found)


def test_a_label_that_training_never_saw_is_left_out() -> None:
    rows = Rows([{"text": str(i), "label": NAMES[i % 3]} for i in range(30)])
    task = Classification.from_rows(rows, {})
    answers = learner(rows.column("label"), 0.9, np.random.default_rng(0))
    strange = Rows([*rows, {"text": "x", "label": "new"}])
    one = fit_stack(task, [[*answers, answers[0]]], strange)
    two = fit_stack(task, [answers], rows)
    assert np.allclose(one.weight, two.weight)


def test_values_are_drawn_to_the_truth() -> None:
    rng = np.random.default_rng(0)
    gold = rng.normal(size=200)
    rows = Rows([{"text": str(i), "label": str(value)} for i, value in enumerate(gold)])
    task = Regression.from_rows(rows, {})
    learned = [[{"value": v} for v in gold * 0.5 + 3 + 0.1 * rng.normal(size=200)] for _ in range(2)]
    layer = fit_stack(task, learned, rows)
    both = Combination(((0,), (1,)), layer)
    found = np.array([both(task, answers, {})["value"] for answers in zip(*learned, strict=True)])
    assert np.abs(found - gold).mean() < 0.2
