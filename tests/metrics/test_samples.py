"""Samples: the parts of an answer keep their intervals under the names of the whole."""

from __future__ import annotations

import pytest

from bertie.metrics.labels import single_label
from bertie.metrics.samples import F1Sample, JointSample
from bertie.metrics.spans import span_scores


def test_each_metric_is_that_of_its_part() -> None:
    labels = F1Sample(single_label(["a", "b", "b"], ["a", "a", "b"], ["a", "b"]).outcomes)
    gold = [{(0, 1, "x")}, {(2, 3, "x")}, set[tuple[int, int, str]]()]
    spans, right = (
        F1Sample(span_scores(gold, found, ["x"]).outcomes) for found in ([{(0, 1, "x")}, set(), set()], gold)
    )
    joint = JointSample({"slot_f1": (spans, "micro_f1"), "intent_f1": (labels, "macro_f1")})
    better = JointSample({"slot_f1": (right, "micro_f1"), "intent_f1": (labels, "macro_f1")})
    assert list(joint.names) == ["slot_f1", "intent_f1"]
    assert joint.interval("slot_f1") == spans.interval("micro_f1")
    assert joint.interval("intent_f1") == labels.interval("macro_f1")
    assert better.difference(joint, "slot_f1").value == pytest.approx(1 - 2 / 3)
    assert better.difference(joint, "intent_f1").value == 0.0
