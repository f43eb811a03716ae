"""Looking at data: rows of every kind, from files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bertie.cli.app import run
from bertie.data.kinds import KINDS, LABELS
from bertie.data.rows import Row
from bertie.data.sources import load_splits

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
    assert load_splits(tmp_path).seen == {"dev": 0, "test": 1}, "a training tells the same"


def lines_of(path: Path, rows: list[Row]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def test_a_task_says_what_no_column_tells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = lines_of(tmp_path / "a.jsonl", [{"text": f"text number {i} 很好"} for i in range(40)])
    assert run(["data", "check", str(texts)]) == 2
    assert "no column is the label" in capsys.readouterr().err
    assert run(["data", "check", str(texts), "--task", "embedding", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["kind"] == "embedding" and sum(part["rows"] for part in found["parts"].values()) == 40
    assert run(["data", "check", str(texts), "--task", "fortune_telling"]) == 2
    assert "task 'fortune_telling' does not exist; choose one of classification" in capsys.readouterr().err


def test_rows_that_a_task_cannot_read_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows: list[Row] = [
        {"text": f"the room {i}", "target": "room" if i % 3 == 0 else "food", "label": "ab"[i % 2]} for i in range(60)
    ]
    data = lines_of(tmp_path / "a.jsonl", rows)
    assert run(["data", "check", str(data), "--json"]) == 0  # most are taken for texts and labels
    assert json.loads(capsys.readouterr().out)["kind"] == LABELS
    more = ["--task", "target_sentiment", "--json"]
    assert run(["data", "check", str(data), *more]) == 2
    printed = capsys.readouterr().err
    assert f"{data}:2: " in printed and "40 problems" in printed and "Traceback" not in printed
    assert run(["data", "check", str(data), *more, "--skip-bad-rows"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["kind"] == "target_sentiment" and sum(part["rows"] for part in found["parts"].values()) == 20


def test_rows_that_judge_may_stand_in_files_of_their_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [made(LABELS, i) for i in range(40)]
    data = lines_of(tmp_path / "a.jsonl", rows[:30])
    dev, test = lines_of(tmp_path / "b.jsonl", rows[30:35]), lines_of(tmp_path / "c.jsonl", [*rows[35:], rows[3]])
    assert run(["data", "check", str(data), "--dev", str(dev), "--test", str(test), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {name: part["rows"] for name, part in found["parts"].items()} == {"train": 30, "dev": 5, "test": 6}
    assert [leak["where"] for leak in found["leaks"]["examples"]] == [f"{test}:6"]
