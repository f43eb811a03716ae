"""Evaluating a bundle: labels in any shape that means the same, floors of the same encoder, and no network."""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from datasets import Dataset

import bertie
from bertie.core.errors import DataError, UsageError
from bertie.data import hub, hub_rows
from bertie.data import rows as rows_module
from bertie.data.columns import Columns
from bertie.data.readers import read_rows
from bertie.data.sources import ReadOptions
from bertie.nn import checkpoint
from bertie.predict import Predictor
from bertie.workflow.evaluate import FLOORS, floor_answers, labelled_rows, run_evaluation
from bertie.workflow.predict import run_prediction
from bertie.workflow.request import Loading, Reading
from tests.workflow.rows import write


@pytest.fixture(scope="module")
def bundles(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("bundles")
    for kind in ("one", "several"):
        bertie.train(
            write(folder / f"{kind}.csv", 120, kind),
            model=str(tiny_model),
            out=folder / kind,
            settings={"training.epochs": 1, "training.optimizer.rate": 1e-3},
            say=lambda line: None,
        )
    return {kind: folder / kind for kind in ("one", "several")}


def test_one_label_a_row_is_several_labels_for_a_model_of_several(bundles: dict[str, Path], tmp_path: Path) -> None:
    data = write(tmp_path / "new.csv", 40, "one", seed=1)
    found = bertie.evaluate(bundles["several"], data)
    assert found["metrics"]["micro_f1"] > 0.3
    lines = [line.rsplit(",", 1) for line in data.read_text(encoding="utf-8").splitlines()[1:]]
    rows = [json.dumps({"text": text, "label": [label]}, ensure_ascii=False) for text, label in lines]
    (tmp_path / "new.jsonl").write_text("\n".join(rows), encoding="utf-8")
    again = bertie.evaluate(bundles["several"], tmp_path / "new.jsonl")
    assert (again["metrics"], again["floors"]) == (found["metrics"], found["floors"])


def test_several_labels_are_too_many_for_a_model_of_one(bundles: dict[str, Path], tmp_path: Path) -> None:
    data = write(tmp_path / "new.csv", 40, "one", seed=1)
    text = data.read_text(encoding="utf-8")
    data.write_text(text + "slow food,negative|\n", encoding="utf-8")
    assert bertie.evaluate(bundles["one"], data)["rows"] == 41
    data.write_text(text + "slow food,negative|x\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"new.csv:42: found 2 labels \(negative, x\), expected one label"):
        bertie.evaluate(bundles["one"], data)


def test_labels_that_training_never_saw_are_named_with_how_it_writes_them(
    bundles: dict[str, Path], tmp_path: Path
) -> None:
    data, said = write(tmp_path / "new.csv", 40, "one", seed=1), list[str]()
    text = data.read_text(encoding="utf-8").replace(",positive", ",Positive")
    data.write_text(f"{text}good food,urgent\n", encoding="utf-8")
    found, count = run_evaluation(Loading(bundles["one"]), str(data), say=said.append), text.count(",Positive")
    assert found["metrics"]["unseen_labels"] == count + 1
    assert said[-1] == (
        f"{data}: labels never seen in training, scored wrong: Positive ({count}×), urgent (1×); training has "
        "'positive' for 'Positive': write them alike"
    )


def test_a_folder_to_judge_by_needs_no_train_file(tmp_path: Path) -> None:
    (tmp_path / "dev.csv").write_text("text,label\na,x\n", encoding="utf-8")
    assert list(labelled_rows(str(tmp_path), ReadOptions(kind="labels"))) == [{"text": "a", "label": "x"}]
    (tmp_path / "test.csv").write_text("text,label\nb,y\n", encoding="utf-8")
    assert list(labelled_rows(str(tmp_path), ReadOptions(kind="labels"))) == [{"text": "b", "label": "y"}]
    for name in ("dev.csv", "test.csv"):
        (tmp_path / name).rename(tmp_path / f"{name}.old")
    (tmp_path / "rows.csv").write_text("text,label\nc,z\n", encoding="utf-8")
    with pytest.raises(DataError, match="holds no test or dev file to evaluate on; name a file"):
        labelled_rows(str(tmp_path), ReadOptions(kind="labels"))


def test_of_a_data_set_of_the_hub_its_test_rows_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = {name: Dataset.from_list([{"text": name, "body": name}]) for name in ("train", "validation", "test")}
    monkeypatch.setattr(hub_rows, "_load", lambda name, config: parts)
    options = ReadOptions(columns=Columns(text="body"), kind="embedding")
    assert list(labelled_rows("hub:some/set", options)) == [{"text": "test"}]
    del parts["test"]
    assert list(labelled_rows("hub:some/set", options)) == [{"text": "validation"}]
    del parts["validation"]
    with pytest.raises(DataError, match="hub:some/set: has no labelled test or dev rows to evaluate on"):
        labelled_rows("hub:some/set", options)


def test_another_metric_has_an_interval_and_floors(bundles: dict[str, Path], tmp_path: Path) -> None:
    data = write(tmp_path / "new.csv", 40, "one", seed=1)
    found = bertie.evaluate(bundles["one"], data, metric="macro_f1")
    assert [found["primary"]["name"], *(floor["name"] for floor in found["floors"].values())] == ["macro_f1"] * 3
    assert found["primary"]["low"] <= found["primary"]["value"] <= found["primary"]["high"]
    with pytest.raises(UsageError, match="metric 'f1' does not exist; choose one of accuracy, macro_f1, weighted_f1"):
        bertie.evaluate(bundles["one"], data, metric="f1")


def test_a_metric_that_there_is_not_is_said_before_the_rows_are_answered(
    bundles: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered: list[int] = []
    stream = Predictor.stream
    monkeypatch.setattr(Predictor, "stream", lambda self, rows: (answered.append(len(rows)), stream(self, rows))[1])
    with pytest.raises(UsageError, match="metric 'f1' does not exist"):
        bertie.evaluate(bundles["one"], write(tmp_path / "new.csv", 40, "one", seed=1), metric="f1")
    assert max(answered) <= 8


def test_a_bundle_knows_the_columns_that_it_learned_from(tiny_model: Path, tmp_path: Path) -> None:
    plain = write(tmp_path / "plain.csv", 100).read_text(encoding="utf-8").splitlines()[1:]
    lines = ["title,label,my text,stars"] + [f"a title,x{i % 3},{line}" for i, line in enumerate(plain)]
    data = tmp_path / "data.csv"
    data.write_text("\n".join(lines), encoding="utf-8")
    settings = {"training.epochs": 1, "training.optimizer.rate": 1e-3}
    columns = {"text_column": "my text", "label_column": "stars"}
    quiet = {"settings": settings, "say": lambda line: None, "model": str(tiny_model)}
    bertie.train(data, out=tmp_path / "m", **columns, **quiet)
    assert bertie.evaluate(tmp_path / "m", data) | {"seconds": 0} == bertie.evaluate(
        tmp_path / "m", data, **columns
    ) | {"seconds": 0}
    found = bertie.evaluate(tmp_path / "m", data, label_column="label")
    assert found["metrics"]["unseen_labels"] == 100, "what is named goes first"
    (tmp_path / "new.csv").write_text("query,text\nq,good food\n", encoding="utf-8")
    run_prediction(
        Loading(tmp_path / "m"), str(tmp_path / "new.csv"), tmp_path / "a.jsonl", Reading(), lambda line: None
    )
    answer = json.loads((tmp_path / "a.jsonl").read_text(encoding="utf-8"))
    assert answer == bertie.load(tmp_path / "m").predict(["good food"])[0], "two texts are no pair for it"


def test_what_a_bundle_names_is_never_fetched(
    bundles: dict[str, Path], tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    for name in ("is_reachable", "download"):
        monkeypatch.setattr(hub, name, asked)
    predictor = bertie.load(bundles["one"])
    said: list[str] = []
    rows = predictor.task.accept(read_rows(write(tmp_path / "rows.csv", 20, seed=2)))
    for origin, reason in (
        ("someone/model", "someone/model: is not on this machine"),
        (other(tiny_model, tmp_path), ""),
    ):
        elsewhere = Predictor(replace(predictor.model, origin=str(origin)))
        assert set(dict(floor_answers(bundles["one"] / FLOORS, elsewhere, rows, said.append))) == {"tfidf"}
        assert f"frozen_encoder is left out, its encoder {origin} is not at hand" in said[-1]
        assert (reason or "has other weights") in said[-1]
    found = dict(floor_answers(bundles["one"] / FLOORS, predictor, rows, said.append))
    assert set(found) == {"tfidf", "frozen_encoder"}


def test_rows_are_encoded_and_answered_block_by_block(
    bundles: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same figures, and a row costs its text and what is scored of its answers, not what the models make of it:
    64 encoded pieces of this text are 10 kB, its n-grams 8 kB.
    """
    data = {count: write(tmp_path / f"{count}.csv", count, "one", seed=1, repeat=10) for count in (64, 320)}
    whole = bertie.evaluate(bundles["one"], data[320])
    monkeypatch.setattr(rows_module, "ROWS_PER_BLOCK", 32)
    peaks = {}
    for count, path in data.items():
        tracemalloc.start()
        found = bertie.evaluate(bundles["one"], path)
        peaks[count] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert (peaks[320] - peaks[64]) / 256 < 5_000
    assert found["metrics"] == whole["metrics"]
    assert {name: floor["metrics"] for name, floor in found["floors"].items()} == {
        name: floor["metrics"] for name, floor in whole["floors"].items()
    }


def other(model: Path, folder: Path) -> Path:
    """A copy of the model with one other weight."""
    encoder = checkpoint.load(model).encoder
    with torch.no_grad():
        next(encoder.parameters())[0, 0] += 1.0
    checkpoint.save(encoder, folder / "other")
    for name in ("vocab.txt", "tokenizer_config.json"):
        (folder / "other" / name).write_bytes((model / name).read_bytes())
    return folder / "other"
