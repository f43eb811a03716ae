"""The model card: front matter that parses, both languages, and no text that becomes markup."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard

from bertie.evaluation.model_card import HUB_TASKS, model_card, plain

from .reports import REPORT, hostile


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_card_has_front_matter_scores_floors_data_and_limits(language: str) -> None:
    card = model_card(replace(REPORT, language=language))  # type: ignore[arg-type]
    front = yaml.safe_load(card.split("---")[1])
    assert front["language"] == language and front["base_model"] == "sentence-transformers/all-MiniLM-L6-v2"
    assert front["model-index"][0]["results"][0]["metrics"] == [{"type": "accuracy", "value": 0.9}]
    for expected in ("90.0%", "86.0%", "93.0%", "80.0%", "ab" * 32, "体育", "    epochs = 3"):
        assert expected in card
    assert "## Limits" in card if language == "en" else "## 局限" in card


def test_the_command_asks_what_the_model_answers() -> None:
    assert 'bertie predict . --text "..."' in model_card(REPORT)
    card = model_card(replace(REPORT, task="multiple_choice", columns=("question", "choices")))
    assert "--text" not in card and "bertie predict . rows.jsonl" in card
    lines = [json.loads(line) for line in card.splitlines() if line.startswith("{")]
    assert lines == [{"question": "...", "choices": ["...", "..."]}]


@pytest.mark.parametrize(
    ("task", "kind"),
    [("question_answering", "question-answering"), ("embedding", "sentence-similarity"), ("extraction", None)],
)
def test_a_result_is_listed_under_the_task_that_the_hub_knows(task: str, kind: str | None) -> None:
    front = yaml.safe_load(model_card(replace(REPORT, task=task)).split("---")[1])
    assert front.get("pipeline_tag") == kind
    listed = [result["task"]["type"] for model in front.get("model-index", []) for result in model["results"]]
    assert listed == ([] if kind is None else [kind])


@pytest.mark.parametrize("task", [*HUB_TASKS, "extraction"])
def test_the_hub_reads_the_card(task: str) -> None:
    (train,) = REPORT.data
    report = replace(REPORT, task=task, data=[train, replace(train, name="test", source="评论: test.csv")])
    found = ModelCard(model_card(report)).data
    assert found.base_model == "sentence-transformers/all-MiniLM-L6-v2" and found.library_name == "bertie"
    results = [(one.dataset_name, one.metric_type, one.metric_value) for one in found.eval_results or []]
    assert results == ([("评论: test.csv", "accuracy", 0.9)] if task in HUB_TASKS else [])
    assert ModelCard(model_card(replace(report, data=(), base_model=""))).data.base_model is None


def test_a_folder_is_no_model_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "encoder").mkdir(parents=True)
    for model, known in (("runs/encoder", False), ("owner/encoder", True), (str(tmp_path), False), ("TF-IDF", False)):
        front = yaml.safe_load(model_card(replace(REPORT, base_model=model)).split("---")[1])
        assert front.get("base_model") == (model if known else None)


def test_a_score_on_the_rows_that_chose_the_model_is_a_limit() -> None:
    said = "also chose the model, as there was no test set"
    assert said not in model_card(REPORT)
    assert said in model_card(replace(REPORT, on_dev=True))


@pytest.mark.parametrize(
    "payload", ["a\n---\nlicense: mit", "x | y | z", "<script>alert(1)</script>", "```\n# no", '"']
)
def test_a_name_cannot_break_out(payload: str) -> None:
    card = model_card(hostile(payload))
    _, front, rest = card.split("---\n", 2)
    assert yaml.safe_load(front)["model-index"][0]["name"] == payload
    assert "license" not in yaml.safe_load(front)
    without_recipe = "\n".join(line for line in rest.splitlines() if not line.startswith("    "))
    assert not re.search(r"(?<!\\)<script", without_recipe) and "\n# no" not in without_recipe
    assert len({line.count(" | ") for line in rest.splitlines() if line.startswith("| **")}) == 1


def test_a_label_is_one_line_that_shows_itself() -> None:
    assert plain("a|b\n<b>*x*") == r"a\|b \<b\>\*x\*"


def test_few_rows_and_unseen_labels_are_limits() -> None:
    card = model_card(replace(REPORT, rows=50, unseen={"new": 2, "<b>": 1_500}))
    assert "Fewer than 200 rows" in card
    assert r"- Labels of these rows that training never saw, scored wrong each time: \<b\> (1,500×), new (2×)." in card


def test_rows_that_were_seen_before_are_a_limit() -> None:
    said = "- 12 of the 400 rows that were judged are among the training or development rows too: the score is too high"
    assert "rows too" not in model_card(REPORT)
    assert said in model_card(replace(REPORT, seen=12))
    assert "12 of the 400 rows that were judged are among the training rows" in model_card(
        replace(REPORT, seen=12, on_dev=True)
    )


def test_where_no_mistakes_are_listed_none_are_promised() -> None:
    assert "the report lists answers" in model_card(replace(REPORT, mistakes=()))
    assert "the report lists answers" not in model_card(replace(REPORT, mistakes=None))
