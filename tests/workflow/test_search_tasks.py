"""The tasks of search, from a file to a bundle that is judged beside its floors; in bfloat16, where rounding bites."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

import bertie
from bertie.core.errors import UsageError
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


@pytest.mark.parametrize(("learned", "judging", "seeds"), [("pairs", "scored", 1), ("scored", "pairs", 2)])
def test_what_learns_from_pairs_of_one_form_is_judged_by_the_other(
    learned: str, judging: str, seeds: int, tiny_model: Path, tmp_path: Path
) -> None:
    """Its dev rows, split off the training rows, have no figure by the metric of the test rows."""
    data, test = (write(tmp_path / f"{form}.jsonl", form, 60) for form in (learned, judging))
    options: dict[str, Any] = {"model": str(tiny_model), "task": "embedding", "test": test, "say": lambda line: None}
    result = bertie.train(data, out=tmp_path / "m", settings=FAST, seeds=seeds, **options)
    primary = result.evaluation["primary"]["name"]
    assert primary == FORMS[judging][2]
    page = (tmp_path / "m" / "report.html").read_text(encoding="utf-8")
    assert "开发集得分" not in page and "Score on the development rows" not in page
    assert ('id="learning"' in page) == (seeds == 1) and 'id="mistakes"' not in page
    if seeds > 1:
        assert "dev" not in result.evaluation["members"]
        assert [set(one) for one in result.evaluation["members"]["trained"]] == [{"name", "in", "test"}] * seeds
    other = FORMS[learned][2]
    for metric, of, known in ((primary, data, other), (other, test, primary), ("accuracy", data, other)):
        settings, out = FAST | {"training.metric": metric}, tmp_path / metric
        with pytest.raises(UsageError) as raised:
            bertie.train(data, out=out, settings=settings, **options)
        assert str(raised.value).startswith(
            f"training.metric is {metric!r}; the rows of {of} are judged by one of {known}, "
        )
        assert not (out / "run" / "choice.json").exists(), "before anything is computed"


def test_lists_are_known_by_their_columns(tiny_model: Path, tmp_path: Path) -> None:
    data = write(tmp_path / "rows.jsonl", "lists", 40)
    result = bertie.train(data, model=str(tiny_model), out=tmp_path / "m", settings=FAST, say=lambda line: None)
    assert result.evaluation["task"] == "reranking"
    row = {"query": "good", "candidates": ["food", "坏", "很好"]}
    assert len(result.predictor.predict([row])[0]["scores"]) == 3
