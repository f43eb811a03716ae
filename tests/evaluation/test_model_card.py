"""The model card: front matter that parses, both languages, and no text that becomes markup."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
import yaml

from bertie.evaluation.model_card import model_card, plain

from .reports import REPORT, hostile


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_card_has_front_matter_scores_floors_data_and_limits(language: str) -> None:
    card = model_card(replace(REPORT, language=language))  # type: ignore[arg-type]
    front = yaml.safe_load(card.split("---")[1])
    assert front["language"] == language and front["base_model"] == "minilm"
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
    card = model_card(replace(REPORT, rows=50, unseen_labels=3))
    assert "Fewer than 200 rows" in card and "3 labels in these rows were never seen" in card
