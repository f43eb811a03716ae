"""Looking at data: rows of every kind, from files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bertie.cli.app import run
from bertie.data.kinds import KINDS, LABELS
from bertie.data.rows import Row

TOKENS = {"tokens": ["我", "在", "北", "京"], "tags": ["O", "O", "B-LOC", "I-LOC"]}


def made(kind: str, i: int) -> Row:
    rows: dict[str, Row] = {
        "labels": {"text": f"text number {i} 很好", "label": "ab"[i % 2]},
        "tagging": {"tokens": [*TOKENS["tokens"], str(i)], "tags": [*TOKENS["tags"], "O"]},
        "relation": {"text": f"Ada knows {i}", "head": [0, 3], "tail": [10, 11], "label": "ab"[i % 2]},
        "extraction": {
            "text": f"Ada 在 {i}",
            "entities": [{"start": 0, "end": 3, "label": "人"}, {"start": 4, "end": 5, "label": "b"}],
            "relations": [{"head": 0, "tail": 1, "label": "x"}],
        },
        "target_sentiment": {"text": f"the room {i} 很好", "target": "room", "label": "ab"[i % 2]},
        "intent_slots": {**TOKENS, "tokens": ["我", "在", "北", f"京{i}"], "intent": "ab"[i % 2]},
        "question_answering": {"context": f"passage {i} 北京", "question": f"哪里 {i}?", "answers": ["北京"]},
        "multiple_choice": {"question": f"question {i}", "choices": ["甲", "b"], "answer": i % 2},
        "embedding": {"query": f"query {i}", "positive": f"答案 {i}"},
        "reranking": {"query": f"query {i}", "candidates": ["a", f"乙 {i}"], "positives": [f"乙 {i}"]},
    }
    return rows[kind]


@pytest.mark.parametrize("kind", [LABELS, *KINDS])
def test_every_kind_is_looked_at(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [made(kind, i) for i in range(40)]
    parts = {"train": [*rows[:30], rows[0]], "dev": rows[30:35], "test": [*rows[35:], rows[3]]}
    for name, some in parts.items():
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in some)
        (tmp_path / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    assert run(["data", "check", str(tmp_path), "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert found["kind"] == kind
    assert {name: part["rows"] for name, part in found["parts"].items()} == {"train": 31, "dev": 5, "test": 6}
    assert (found["leaks"]["count"], found["duplicates"]["count"]) == (1, 1)
    assert found["leaks"]["examples"][0]["where"] == f"{tmp_path / 'test.jsonl'}:6"
    assert run(["data", "check", str(tmp_path)]) == 0
    assert "leaks into dev or test: 1" in capsys.readouterr().out
