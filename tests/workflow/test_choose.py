"""Choosing a model: the sample keeps every class, and no text is longer than a candidate can read."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from bertie.data.rows import Rows
from bertie.tasks.classification import Classification
from bertie.workflow.choose import SAMPLE, load_start, measure, sample_places
from bertie.workflow.request import Recipe


def test_a_sample_keeps_rare_classes_and_the_shares_of_the_others() -> None:
    labels = ["often"] * 9000 + ["less"] * 3000 + ["rare"] * 3 + ["once"]
    rows = Rows([{"text": f"t{i}", "label": label} for i, label in enumerate(labels)])
    places = sample_places(rows)
    counts = Counter(labels[i] for i in places)
    assert (counts["rare"], counts["once"]) == (2, 1)
    assert counts["often"] == 3 * counts["less"]
    assert abs(len(places) - SAMPLE) <= 3
    assert places == sorted(set(places)) == sample_places(rows)


def test_a_stride_that_meets_only_one_class_does_not_matter() -> None:
    rows = Rows([{"text": f"t{i}", "label": "a" if i % 10 == 0 else "b"} for i in range(8000)])
    assert Counter(rows[i]["label"] for i in sample_places(rows)) == {"a": 80, "b": 720}


def test_of_several_labels_the_rarest_is_kept() -> None:
    rows = Rows([{"text": f"t{i}", "label": ["any", "rare"] if i % 4001 == 0 else ["any"]} for i in range(8002)])
    assert sum("rare" in rows[i]["label"] for i in sample_places(rows)) == 2


def test_few_rows_are_all_taken() -> None:
    rows = Rows([{"text": f"t{i}", "label": "ab"[i % 2]} for i in range(50)])
    assert sample_places(rows) == list(range(50))


def test_texts_are_cut_at_what_a_candidate_can_read(tiny_model: Path) -> None:
    rows = Rows([{"text": "good food " * 100 * (i % 2 + 1), "label": "ab"[i % 2]} for i in range(20)])
    task = Classification.from_rows(rows, {})
    assert measure(load_start(str(tiny_model)), task, rows, 20, Recipe()).epoch_seconds > 0
