"""The tasks of search, from a file to a bundle that is judged beside its floors; in bfloat16, where rounding bites."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

import bertie
from tests.conftest import HAN, WORDS

FAST = {"training.epochs": 1, "training.optimizer.rate": 1e-3, "training.dtype": "bfloat16", "max_length": 32}
FORMS: dict[str, tuple[str, dict[str, Any], str, set[str]]] = {
    "pairs": ("embedding", {"task.mined_negatives": 1}, "ndcg_at_10", {"bm25", "untuned_encoder"}),
    "scored": ("embedding", {}, "spearman", {"untuned_encoder"}),
    "alone": ("embedding", {"task.matryoshka": [8]}, "ndcg_at_10", {"bm25", "untuned_encoder"}),
    "second": ("reranking", {"task.negatives": 2}, "mrr_at_10", {"bm25", "untuned_encoder", "frozen_pairs"}),
    "lists": ("reranking", {}, "mrr_at_10", {"bm25", "untuned_encoder", "frozen_pairs"}),
}


def write(path: Path, form: str, rows: int) -> Path:
    rng = random.Random(0)
    with path.open("w", encoding="utf-8") as file:
        for i in range(rows):
            words = " ".join([*rng.choices(WORDS, k=3), *rng.choices(HAN, k=2), str(i)])
            other = " ".join(rng.choices(WORDS, k=4))
            row: dict[str, Any] = {
                "scored": {"text_a": words, "text_b": other, "label": i / 7},
                "alone": {"text": words},
                "lists": {"query": words, "candidates": [other, f"{words} 好", "坏"], "positives": [f"{words} 好"]},
            }.get(form, {"query": words, "positive": f"{words} 好"})
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return path


@pytest.mark.parametrize("form", sorted(FORMS))
def test_each_form_goes_all_the_way(form: str, tiny_model: Path, tmp_path: Path) -> None:
    task, settings, metric, floors = FORMS[form]
    data, out = write(tmp_path / "rows.jsonl", form, 60), tmp_path / "m"
    options: dict[str, Any] = {"model": str(tiny_model), "settings": FAST | settings, "say": lambda line: None}
    result = bertie.train(data, task=task, out=out, **options)
    assert result.evaluation["primary"]["name"] == metric and set(result.evaluation["floors"]) == floors
    again = bertie.evaluate(out, data)
    assert (again["primary"]["name"], set(again["floors"])) == (metric, floors)


def test_lists_are_known_by_their_columns(tiny_model: Path, tmp_path: Path) -> None:
    data = write(tmp_path / "rows.jsonl", "lists", 40)
    result = bertie.train(data, model=str(tiny_model), out=tmp_path / "m", settings=FAST, say=lambda line: None)
    assert result.evaluation["task"] == "reranking"
    row = {"query": "good", "candidates": ["food", "坏", "很好"]}
    assert len(result.predictor.predict([row])[0]["scores"]) == 3
