"""Floors: strong where words tell, in the task's form, and a linear start that answers as the floor does."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from bertie.core.errors import DataError
from bertie.data.batches import Example
from bertie.data.rows import Rows
from bertie.evaluation.floors import FrozenFloor, TfidfFloor, cross_validated, pooled_features
from bertie.evaluation.linear import Targets, best_threshold, fit_logistic, folds, quality
from bertie.evaluation.ngrams import fit_vectorizers
from bertie.nn.config import EncoderConfig
from bertie.nn.encoder import Encoder
from bertie.nn.heads import mean_pool, normalised
from bertie.tasks.classification import Classification
from bertie.text.tokenizer import Encoded

ENGLISH = {"good": ["great", "lovely", "superb", "fine"], "bad": ["awful", "dull", "poor", "cold"]}
CHINESE = {"好": ["很满意", "非常好", "值得买", "服务热情"], "坏": ["太差了", "很失望", "不推荐", "又脏又吵"]}


def sentiment(words: dict[str, list[str]], rows: int, seed: int, glue: str = " ") -> Rows:
    rng = random.Random(seed)
    every = [word for some in words.values() for word in some]
    made = []
    for _ in range(rows):
        label = rng.choice(sorted(words))
        noise = rng.choices(every, k=2)
        made.append({"text": glue.join([*rng.choices(words[label], k=3), *noise]), "label": label})
    return Rows(made)


def clusters(rows: int, classes: int, seed: int = 0) -> tuple[np.ndarray, list[str]]:
    centres = np.random.default_rng(99).normal(size=(classes, 24)) * 2 + 5
    rng = np.random.default_rng(seed)
    chosen = rng.integers(0, classes, rows)
    scales = np.geomspace(0.01, 10, 24)
    features = (centres[chosen] + rng.normal(size=(rows, 24))) * scales
    return features.astype(np.float32), [f"c{i:02d}" for i in chosen]


@pytest.mark.parametrize(("words", "glue"), [(ENGLISH, " "), (CHINESE, "，")])
def test_tfidf_answers_in_the_form_of_the_task(words: dict[str, list[str]], glue: str) -> None:
    train, test = sentiment(words, 300, 0, glue), sentiment(words, 200, 1, glue)
    task = Classification.from_rows(train, {})
    answers = TfidfFloor.fit(train, task).predict(test)
    assert task.score(answers, test).value > 0.9
    for answer in answers:
        assert set(answer) == {"label", "score", "scores"} and set(answer["scores"]) == set(task.labels)
        assert sum(answer["scores"].values()) == pytest.approx(1.0, abs=1e-5)
        assert answer["score"] == max(answer["scores"].values()) == answer["scores"][answer["label"]]


def test_tfidf_is_the_same_for_the_same_seed() -> None:
    train = sentiment(ENGLISH, 120, 0)
    task = Classification.from_rows(train, {})
    assert TfidfFloor.fit(train, task).predict(train) == TfidfFloor.fit(train, task).predict(train)


def test_the_features_follow_the_script() -> None:
    assert [one.analyzer for one in fit_vectorizers(["a plain text", "in English"])] == ["word", "char_wb"]
    assert [one.analyzer for one in fit_vectorizers(["这是中文", "iPhone 手机不错很好用"])] == ["char"]
    both = ["我 want 一杯 coffee", "please 给我 tea"]
    assert [one.analyzer for one in fit_vectorizers(both)] == ["word", "char_wb", "char"]
    assert [one.analyzer for one in fit_vectorizers(["とてもよい", "わるい"])] == ["char"]


def test_several_labels_with_one_that_is_rare() -> None:
    rng = random.Random(0)
    words = {"sport": "goal", "money": "bank", "rare": "comet"}
    chosen = [[label for label in words if rng.random() < (0.03 if label == "rare" else 0.5)] for _ in range(400)]
    texts = [" ".join(["news", *(words[label] for label in labels), rng.choice("xyz")]) for labels in chosen]
    rows = Rows([{"text": text, "label": labels} for text, labels in zip(texts, chosen, strict=True)])
    task = Classification.from_rows(rows, {})
    answers = TfidfFloor.fit(rows[:300], task).predict(rows[300:])
    assert set(answers[0]) == {"labels", "scores"}
    assert task.score(answers, rows[300:]).value > 0.95


def test_pairs_are_compared_and_not_only_read() -> None:
    rng = random.Random(0)
    words = ["red", "blue", "green", "tall", "small", "house", "river", "cloud", "stone", "bird"]
    rows = []
    for i in range(400):
        a = rng.sample(words, 4)
        rows.append(
            {"text_a": " ".join(a), "text_b": " ".join(a[::-1] if i % 2 else rng.sample(words, 4)), "label": str(i % 2)}
        )
    train, test = Rows(rows[:300]), Rows(rows[300:])
    task = Classification.from_rows(train, {})
    assert task.score(TfidfFloor.fit(train, task).predict(test), test).value > 0.9


def test_texts_without_anything_to_count_are_an_error_that_says_so() -> None:
    rows = Rows([{"text": " ", "label": "a"}, {"text": "", "label": "b"}])
    with pytest.raises(DataError, match="TF-IDF"):
        TfidfFloor.fit(rows, Classification.from_rows(rows, {}))
    with pytest.raises(DataError, match="at least two labels"):
        Targets.of(["a", "a"])


@pytest.mark.parametrize("classes", [2, 12])
def test_the_linear_start_answers_as_the_floor(classes: int) -> None:
    features, labels = clusters(600, classes)
    floor = FrozenFloor.fit(features, labels)
    unseen, gold = clusters(300, classes, seed=1)
    answers = floor.predict_features(unseen)
    assert np.mean([a["label"] == g for a, g in zip(answers, gold, strict=True)]) > 0.95
    weight, bias = floor.linear()
    assert weight.shape == (classes, 24) and bias.shape == (classes,) and floor.labels == sorted(set(labels))
    inputs = normalised(torch.from_numpy(unseen))
    scores = (inputs @ weight.T + bias).softmax(-1)
    for row, answer in zip(scores.tolist(), answers, strict=True):
        assert [answer["scores"][name] for name in floor.labels] == pytest.approx(row, abs=1e-4)


def test_the_order_of_labels_can_be_given() -> None:
    features, labels = clusters(100, 3)
    floor = FrozenFloor.fit(features, labels, names=["c02", "c00", "c01"])
    assert floor.labels == ["c02", "c00", "c01"]
    assert np.mean([a["label"] == g for a, g in zip(floor.predict_features(features), labels, strict=True)]) > 0.9


def test_several_labels_on_frozen_features() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(500, 10)).astype(np.float32)
    # The floor sees each row brought to mean 0 and deviation 1, so that is what the labels are made of.
    seen = normalised(torch.from_numpy(features)).numpy()
    labels = [[name for j, name in enumerate("abc") if row[j] > 0.5] for row in seen]
    answers = FrozenFloor.fit(features[:400], labels[:400]).predict_features(features[400:])
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


def test_pooled_features_are_the_mean_states_in_the_order_of_the_rows() -> None:
    torch.manual_seed(0)
    encoder = tiny_encoder().eval()
    rng = random.Random(0)
    examples = [
        Example(tuple(encoded(rng, rng.randint(1, 30)) for _ in range(2 if i % 5 == 0 else 1))) for i in range(23)
    ]
    found = pooled_features(encoder, examples, 0, rows_per_batch=4, tokens_per_batch=64)
    for row, example in zip(found, examples, strict=True):
        with torch.no_grad():
            alone = [mean_pool(encoder(torch.tensor([one.ids]), None, None)) for one in example.sequences]
        assert np.abs(row - torch.cat(alone).mean(0).numpy()).max() < 1e-5


def test_pooled_features_leave_the_encoder_in_its_mode() -> None:
    encoder = tiny_encoder().train()
    pooled_features(encoder, [Example((encoded(random.Random(0), 5),))], 0)
    assert encoder.training


def encoded(rng: random.Random, length: int) -> Encoded:
    ids = [rng.randrange(1, 50) for _ in range(length)]
    return Encoded(ids, [0] * length, [(0, 0)] * length, [None] * length, False)


def tiny_encoder() -> Encoder:
    return Encoder(EncoderConfig(vocab_size=50, hidden_size=16, layers=2, heads=2, intermediate_size=32))
