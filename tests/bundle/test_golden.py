"""Golden examples: what is another answer, and what is only another rounding."""

from __future__ import annotations

from typing import Any

import pytest

from bertie.bundle import golden
from bertie.core.errors import BundleError

ENGINE = "torch/float32"


def check(before: dict[str, Any], now: dict[str, Any], engine: str = ENGINE) -> None:
    golden.check(lambda rows: [now], [{"row": {"text": "good"}, "answer": before}], engine, "b")


def test_labels_may_change_places_where_their_scores_do() -> None:
    before = {"labels": ["food", "good"], "scores": {"food": 0.9002, "good": 0.9001}}
    check(before, {"labels": ["good", "food"], "scores": {"food": 0.9001, "good": 0.9002}})
    with pytest.raises(BundleError, match=r"answer\.labels was \['food', 'good'\], is \['good'\]"):
        check(before, {"labels": ["good"], "scores": before["scores"]})


def test_scores_may_differ_as_much_as_the_engine_allows() -> None:
    before, now = {"label": "a", "score": 0.9}, {"label": "a", "score": 0.91}
    check(before, now, "torch/bfloat16")
    with pytest.raises(BundleError, match=r"answer\.score was 0\.9, is 0\.91"):
        check(before, now)


def test_an_engine_of_another_version_is_refused_by_name() -> None:
    with pytest.raises(BundleError, match=r"b: engine 'onnx/int8', this version knows torch/float32, "):
        check({}, {}, "onnx/int8")
