"""Golden rows are those whose answer another processor gives too."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from bertie.data.rows import Rows
from bertie.predict import Predictor
from bertie.tasks.classification import Classification, ClassificationSettings
from bertie.workflow.publication import golden_rows


@pytest.mark.parametrize(("threshold", "left_out"), [(0.5, "b"), (0.2, "a")])
def test_several_labels_are_clear_where_no_score_is_near_the_threshold(threshold: float, left_out: str) -> None:
    scores = {"a": {"x": 0.9, "y": 0.21}, "b": {"x": 0.49, "y": 0.1}, "c": {"x": 0.9, "y": 0.05}}

    def predict(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{"labels": [], "scores": scores[row["text"]]} for row in rows]

    task = Classification(["x", "y"], pair=False, several=True, settings=ClassificationSettings(threshold=threshold))
    predictor = cast(Predictor, SimpleNamespace(task=task, predict=predict))
    chosen = golden_rows(predictor, Rows([{"text": text, "label": []} for text in scores]))
    assert [row["text"] for row in chosen] == [text for text in scores if text != left_out]
