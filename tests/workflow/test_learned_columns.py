"""A file is read for a model as the file that it learned from was."""

from __future__ import annotations

import json
from pathlib import Path

from bertie.bundle.checksums import SEAL
from bertie.data.readers import read_rows
from bertie.data.sources import read
from bertie.tasks.classification import Classification
from bertie.tasks.multiple_choice import MultipleChoice
from bertie.workflow.learned_columns import learned_columns, options_for
from bertie.workflow.request import Reading
from bertie.workflow.sample_rows import EIGHT

HEADER = "question,choice_1,choice_2,choice_3,answer"


def test_choices_are_counted_from_where_the_training_counted(tmp_path: Path) -> None:
    """None of the judged rows has the last choice, so they do not show it."""
    train, judged = tmp_path / "train.csv", tmp_path / "test.csv"
    train.write_text(f"{HEADER}\nq,a,b,c,3\nr,a,b,c,1\n", encoding="utf-8")
    judged.write_text(f"{HEADER}\nq,a,b,c,2\nr,a,b,c,1\n", encoding="utf-8")
    task = MultipleChoice.from_rows(read_rows(train).take([0, 1]), {})
    again = MultipleChoice.from_description(json.loads(json.dumps(task.description())))
    assert read_rows(judged).column("answer") == [2, 1], "alone they are taken to count from 0"
    assert read(judged, options_for(tmp_path, again, Reading())).column("answer") == [1, 0]


def test_columns_that_are_not_there_are_not_looked_for(tmp_path: Path) -> None:
    task = Classification.from_rows(EIGHT["classification"], {})
    assert learned_columns(tmp_path) == {}
    (tmp_path / "data.json").write_text("an encoder's folder may hold anything", "utf-8")
    assert learned_columns(tmp_path) == {}
    (tmp_path / SEAL).write_text("{}", "utf-8")
    (tmp_path / "data.json").write_text('[{"name": "train", "columns": {"text": "body", "label": "stars"}}]', "utf-8")
    options = options_for(tmp_path, task, Reading())
    for header, text in (("stars,title,body", "c"), ("stars,title,news", "b"), ("stars,query,text", "c")):
        (tmp_path / "rows.csv").write_text(f"{header}\na,b,c\n", "utf-8")
        assert read(tmp_path / "rows.csv", options)[0] == {"text": text, "label": "a"}
    named = options_for(tmp_path, task, Reading(text_column="title", label_column="body"))
    (tmp_path / "rows.csv").write_text("stars,title,body\na,b,c\n", "utf-8")
    assert read(tmp_path / "rows.csv", named)[0] == {"text": "b", "label": "c"}
