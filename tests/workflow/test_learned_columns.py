"""A file is read for a model as the file that it learned from was."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import bertie
from bertie.bundle.checksums import SEAL
from bertie.data.readers import read_rows
from bertie.data.rows import Row
from bertie.data.sources import read
from bertie.data.unlabelled import unlabelled_rows
from bertie.tasks.classification import Classification
from bertie.tasks.multiple_choice import MultipleChoice
from bertie.workflow.export import run_export
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


def trained(data: Path, model: Path, out: Path, **options: Any) -> None:
    settings = {"training.epochs": 1, "training.trackers": []}
    bertie.train(data, model=model, out=out, settings=settings, say=lambda line: None, **options)


def asked(data: Path, bundle: Path) -> list[Row]:
    """The rows of a file as a bundle is asked them."""
    return list(unlabelled_rows(data, options_for(bundle, bertie.load(bundle).task, Reading())))


def test_places_are_those_of_the_text_that_was_learned_from(tiny_model: Path, tmp_path: Path) -> None:
    """Beside another column that is called `text`, which is shorter than the places."""
    words, columns = ("film", "food", "service"), ("text", "clean", "entities")
    rows = []
    for number in range(40):
        clean = f"{words[number % 3]} {number} was good"
        places = [{"start": 0, "end": len(words[number % 3]), "label": "thing"}]
        rows.append(dict(zip(columns, ("?", clean, json.dumps(places)), strict=True)))
    data, lines, new = (tmp_path / name for name in ("posts.csv", "posts.jsonl", "new.csv"))
    with data.open("w", encoding="utf-8", newline="") as file:
        csv.DictWriter(file, columns).writeheader()
        csv.DictWriter(file, columns).writerows(rows)
    objects = ({**row, "entities": json.loads(row["entities"])} for row in rows)
    lines.write_text("".join(json.dumps(row) + "\n" for row in objects), encoding="utf-8")
    new.write_text("text,clean\n?,the film was bad\n", encoding="utf-8")
    trained(data, tiny_model, tmp_path / "m", task="tagging", text_column="clean")
    assert asked(new, tmp_path / "m") == [{"text": "the film was bad"}]
    judged = [bertie.evaluate(tmp_path / "m", file)["metrics"] for file in (data, lines)]
    assert judged[0] == judged[1]


def test_an_adapter_knows_them_too(tiny_model: Path, tmp_path: Path) -> None:
    data, new = tmp_path / "reviews.csv", tmp_path / "new.csv"
    rows = (f"{i},a title,the {'good' if i % 2 else 'bad'} film {i},{i % 2}\n" for i in range(60))
    data.write_text("id,title,review_text,stars\n" + "".join(rows), encoding="utf-8")
    new.write_text("id,title,review_text\n1,a title,very good\n", encoding="utf-8")
    names = {"text_column": "review_text", "label_column": "stars", "task": "classification"}
    trained(data, tiny_model, tmp_path / "m", method="lora", **names)
    run_export(tmp_path / "m", "adapter", tmp_path / "small")
    assert asked(new, tmp_path / "small") == asked(new, tmp_path / "m") == [{"text": "very good"}]
