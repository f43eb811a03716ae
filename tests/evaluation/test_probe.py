"""The linear probe: finds what scikit-learn finds, and gives a head a start that answers alike."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from bertie.data.rows import Rows
from bertie.evaluation.linear import Targets, best_threshold, fit_logistic, folds, quality
from bertie.evaluation.probe import LinearProbe, cross_validated
from bertie.nn.heads import normalised
from bertie.tasks.classification import Classification


def clusters(rows: int, classes: int, seed: int = 0) -> tuple[np.ndarray, list[str]]:
    centres = np.random.default_rng(99).normal(size=(classes, 24)) * 2 + 5
    rng = np.random.default_rng(seed)
    chosen = rng.integers(0, classes, rows)
    scales = np.geomspace(0.01, 10, 24)
    features = (centres[chosen] + rng.normal(size=(rows, 24))) * scales
    return features.astype(np.float32), [f"c{i:02d}" for i in chosen]


@pytest.mark.parametrize("classes", [2, 12])
def test_the_linear_start_answers_as_the_probe(classes: int) -> None:
    features, labels = clusters(600, classes)
    probe = LinearProbe.fit(features, labels)
    unseen, gold = clusters(300, classes, seed=1)
    answers = probe.predict_features(unseen)
    assert np.mean([a["label"] == g for a, g in zip(answers, gold, strict=True)]) > 0.95
    weight, bias = probe.linear()
    assert weight.shape == (classes, 24) and bias.shape == (classes,) and probe.labels == sorted(set(labels))
    inputs = normalised(torch.from_numpy(unseen))
    scores = (inputs @ weight.T + bias).softmax(-1)
    for row, answer in zip(scores.tolist(), answers, strict=True):
        assert [answer["scores"][name] for name in probe.labels] == pytest.approx(row, abs=1e-4)


def test_the_order_of_labels_can_be_given() -> None:
    features, labels = clusters(100, 3)
    probe = LinearProbe.fit(features, labels, names=["c02", "c00", "c01"])
    assert probe.labels == ["c02", "c00", "c01"]
    assert np.mean([a["label"] == g for a, g in zip(probe.predict_features(features), labels, strict=True)]) > 0.9


def test_several_labels_on_frozen_features() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(500, 10)).astype(np.float32)
    # The floor sees each row brought to mean 0 and deviation 1, so that is what the labels are made of.
    seen = normalised(torch.from_numpy(features)).numpy()
    labels = [[name for j, name in enumerate("abc") if row[j] > 0.5] for row in seen]
    answers = LinearProbe.fit(features[:400], labels[:400]).predict_features(features[400:])
    task = Classification(["a", "b", "c"], pair=False, several=True, settings=Classification.from_rows(
        Rows([{"text": "", "label": ["a", "b"]}]), {}
    ).settings)  # fmt: skip
    assert task.score(answers, Rows([{"label": row} for row in labels[400:]])).value > 0.9


def test_the_solver_finds_what_scikit_learn_finds() -> None:
    features, labels = clusters(300, 4)
    inputs = torch.from_numpy((features - features.mean(0)) / features.std(0))
    targets = Targets.of(labels)
    ours = fit_logistic(inputs, torch.from_numpy(targets.matrix), False, 10.0, steps=1000)
    theirs = LogisticRegression(C=0.1, tol=1e-8, max_iter=5000).fit(inputs.numpy(), labels)
    expected = theirs.predict_proba(inputs.numpy())
    found = (inputs @ ours[:, :-1].T + ours[:, -1]).softmax(-1).numpy()
    assert np.abs(found - expected).max() < 2e-3


def test_cross_validation_knows_signal_from_noise() -> None:
    features, labels = clusters(200, 3)
    assert cross_validated(features, labels) > 0.9
    noise = np.random.default_rng(0).normal(size=(300, 12)).astype(np.float32)
    assert cross_validated(noise, [str(i % 3) for i in range(300)]) < 0.5


def test_folds_hold_each_row_once_and_each_class_in_proportion() -> None:
    targets = Targets.of(["a"] * 50 + ["b"] * 10)
    parts = folds(targets, seed=0)
    assert sorted(np.concatenate([part for _, part in parts]).tolist()) == list(range(60))
    for fit, part in parts:
        assert not set(fit.tolist()) & set(part.tolist())
        assert targets.matrix[part].sum(0).tolist() == [10, 2]


def test_the_threshold_is_where_micro_f1_is_best() -> None:
    targets = Targets.of([["a"], ["a", "b"], ["b"]])
    scores = np.array([[0.3, 0.1], [0.4, 0.35], [0.2, 0.3]], dtype=np.float32)
    threshold = best_threshold(scores, targets)
    assert 0.2 < threshold <= 0.3 and quality(scores, targets, threshold) == 1.0
