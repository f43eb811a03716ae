"""Regression: numbers in their own unit, two texts compared by their vectors, bad labels named by their place."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bertie.core.errors import ConfigError, DataError
from bertie.data.rows import Rows
from bertie.nn import checkpoint
from bertie.predict import Model, Predictor
from bertie.tasks.regression import Regression, features_of
from bertie.text.tokenizer import Tokenizer

ROWS = Rows(
    [{"text": f"good {'food ' * i}", "label": str(i * 1000.5)} for i in range(8)], "prices.csv", list(range(2, 10))
)
PAIRS = Rows([{"text_a": "good food", "text_b": "good " * i, "label": str(i)} for i in range(1, 9)])


def predictor(rows: Rows, tiny_model: Path, **settings: object) -> Predictor:
    task = Regression.from_rows(rows, dict(settings))
    task.build_head(32)
    return Predictor(Model(checkpoint.load(tiny_model).encoder, task, Tokenizer.from_folder(tiny_model), 32))


def test_values_are_in_the_unit_of_the_labels(tiny_model: Path) -> None:
    made = predictor(ROWS, tiny_model)
    with torch.no_grad():
        made.task.head.output.weight.zero_()
    assert made.predict(["good"]) == [{"value": pytest.approx(3501.75)}]


@pytest.mark.parametrize("how", ["apart", "together"])
def test_two_texts_one_value(how: str, tiny_model: Path) -> None:
    made = predictor(PAIRS, tiny_model, pair=how)
    assert len(made.encode(list(PAIRS))[0].sequences) == (2 if how == "apart" else 1)
    assert len(made.predict(list(PAIRS))) == 8


def test_the_cosine_is_one_of_the_answers() -> None:
    pooled = torch.randn(10, 6, generator=torch.Generator().manual_seed(0))
    features = features_of(pooled, compared=True)
    cosine = torch.cosine_similarity(pooled[0::2], pooled[1::2])
    assert torch.allclose(features[:, :6].mean(-1), cosine, atol=1e-6)


def test_a_label_that_is_no_number_is_named() -> None:
    rows = Rows([{"text": "a", "label": "1"}, {"text": "b", "label": "两"}, {"text": "c", "label": "inf"}], "分数.csv")
    with pytest.raises(DataError, match=r"分数.csv:2: the label is '两', expected a number") as raised:
        Regression.from_rows(rows, {})
    assert "分数.csv:3" in str(raised.value)
    with pytest.raises(DataError, match="every label is 2; regression needs numbers that differ"):
        Regression.from_rows(Rows([{"text": "a", "label": "2"}] * 3), {})


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"dropout is 1\.5"):
        Regression.from_rows(ROWS, {"dropout": 1.5})


def test_scores_and_the_worst_mistakes() -> None:
    task = Regression.from_rows(ROWS, {})
    gold = task.accept(ROWS)
    right = [{"value": label} for label in gold.column("label")]
    scores = task.score(right, gold)
    assert (
        scores.value == scores.metrics["pearson"] == pytest.approx(1.0) and scores.metrics["mean_squared_error"] == 0.0
    )
    assert scores.per_row["mean_absolute_error"] == [0.0] * 8 and "mean_squared_error" in scores.errors
    assert task.score([{"value": label + 2.0} for label in gold.column("label")], gold).per_row == {
        "mean_squared_error": pytest.approx([4.0] * 8),
        "mean_absolute_error": pytest.approx([2.0] * 8),
    }
    near, far = task.mistake(gold[0], {"value": 10.0}), task.mistake(gold[0], {"value": 9000.0})
    assert near is not None and far is not None and near.confidence < far.confidence < 1.0
    assert (far.gold, far.predicted) == ("0", "9000")
