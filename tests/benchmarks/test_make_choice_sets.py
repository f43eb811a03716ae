"""Sets made from others: replies of other dialogues beside the right one, two companies in one text."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bertie.data.sources import ReadOptions, read
from bertie.tasks.multiple_choice import MultipleChoice
from bertie.tasks.target_sentiment import TargetSentiment
from tests.house.source import ROOT

PARTS = ("train", "dev", "test")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Dialogues and titles of which each says to which part it belongs."""
    for part in PARTS:
        turns: list[dict[str, Any]] = [
            {
                "dialog_id": f"{part}{d}",
                "topic": f"topic{d % 3}",
                "context": [f"before {d}"] if turn else [],
                "source": f"{part} dialogue {d} question {turn}",
                "target": f"{part} dialogue {d} reply {turn} {'very ' * ((7 * d + turn) % 11)}good",
            }
            for d in range(40)
            for turn in range(2)
        ]
        turns.append({**turns[0], "target": "Sure."})
        folder = tmp_path / "dailydialog_en"
        folder.mkdir(exist_ok=True)
        lines = "".join(json.dumps(turn) + "\n" for turn in turns)
        (folder / f"{part}.jsonl").write_text(lines, encoding="utf-8")
        write(
            tmp_path / "finance_news_zh" / f"{part}.csv",
            [(f"公司{i}：{part}净利{'增' if i % 3 else '降'}{i}%", str(i % 3 > 0)) for i in range(30)]
            + [("没有名字的标题", "True")],
        )
        said = [
            (f"Finnish {name} said its profit {verb} in {part} {i} .", label)
            for i, (name, verb, label) in enumerate(
                [("Nokia", "rose", "positive"), ("Stora Enso", "fell", "negative"), ("Kone", "rose", "positive")] * 2
            )
        ]
        said += [("Profit said Nokia and Kone rose .", "positive"), ("In its profit Unknown fell .", "negative")]
        write(tmp_path / "financial_phrasebank_en" / f"{part}.csv", said)
    return tmp_path


def write(path: Path, rows: list[tuple[str, str]]) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])


def make(data: Path, out: Path, *names: str) -> subprocess.CompletedProcess[str]:
    call = [sys.executable, str(ROOT / "benchmarks" / "make_choice_sets.py"), "--data", str(data), "--out", str(out)]
    return subprocess.run([*call, *names], capture_output=True, text=True, check=False, cwd=ROOT)


def test_the_next_reply_stands_among_those_of_other_dialogues(data: Path, tmp_path: Path) -> None:
    done = make(data, tmp_path / "out", "next_reply_en")
    assert done.returncode == 0, done.stderr
    for part in PARTS:
        rows = read(tmp_path / "out" / "next_reply_en" / f"{part}.jsonl", ReadOptions())
        assert rows.kind == "multiple_choice" and len(rows) > 40
        assert MultipleChoice.from_rows(rows, {}).context
        for row in rows:
            dialogues = [choice.split()[2] for choice in row["choices"]]
            assert row["question"].split()[2] == dialogues[row["answer"]] and len(set(dialogues)) == 4
            assert {choice.split()[0] for choice in row["choices"]} == {part}
            topics = Counter(int(number) % 3 for number in dialogues)
            assert topics[int(dialogues[row["answer"]]) % 3] > 1
        longest = [max(row["choices"], key=len) == row["choices"][row["answer"]] for row in rows]
        assert 0.1 < sum(longest) / len(rows) < 0.45


@pytest.mark.parametrize("name", ["company_sentiment_en", "company_sentiment_zh"])
def test_a_text_of_two_companies_makes_two_rows_that_differ(name: str, data: Path, tmp_path: Path) -> None:
    done = make(data, tmp_path / "out", name)
    assert done.returncode == 0, done.stderr
    for part in PARTS:
        rows = read(tmp_path / "out" / name / f"{part}.jsonl", ReadOptions())
        assert rows.kind == "target_sentiment" and TargetSentiment.from_rows(rows, {}).columns == ("text", "target")
        by_text: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            by_text.setdefault(row["text"], []).append(row)
            assert part in row["text"] and row["target"] not in ("Unknown", "Finnish", "没有名字的标题")
        for pair in by_text.values():
            assert len(pair) == 2 and pair[0]["target"] != pair[1]["target"] and pair[0]["label"] != pair[1]["label"]


def test_a_set_that_there_is_not_is_named(data: Path, tmp_path: Path) -> None:
    done = make(data, tmp_path / "out", "poems")
    assert done.returncode == 2 and "there is no poems; choose from next_reply_en" in done.stderr
