"""Answers out of fold: a line for each row that was judged, whatever a task leaves out."""

from __future__ import annotations

import json
from pathlib import Path

from bertie.data.rows import Rows
from bertie.data.times import Fold
from bertie.tasks.embedding import Embedding
from bertie.workflow.cross_validation import write_answers
from bertie.workflow.members import Job, Trained
from bertie.workflow.preparation import Prepared


def nothing() -> Prepared:
    raise AssertionError("it was trained before")


def trained(fold: int, answers: int) -> Trained:
    judged = [{"vector": [float(fold), float(i)]} for i in range(answers)]
    job = Job(f"fold-{fold}", 13, fold, nothing)
    return Trained(job, Path("part"), 0.0, {}, dev=[], judged=judged, floors={}, kept_step=0)


def test_a_text_that_cannot_be_halved_has_no_line(tmp_path: Path) -> None:
    texts = ["good food", "好", "slow service", "a fine film"]
    rows = Rows([{"text": text} for text in texts], "folder/texts.csv", lines=[2, 3, 4, 5])
    folds = [Fold([2, 3], [0, 1]), Fold([0, 1], [2, 3])]
    task = Embedding.from_rows(rows, {})
    write_answers(tmp_path / "answers.jsonl", [trained(1, 1), trained(2, 2)], folds, rows, task)
    lines = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(line["row"], line["where"]) for line in lines] == [
        (0, "texts.csv:2"),
        (2, "texts.csv:4"),
        (3, "texts.csv:5"),
    ]
    assert [line["answer"]["vector"] for line in lines] == [[1.0, 0.0], [2.0, 0.0], [2.0, 1.0]]
