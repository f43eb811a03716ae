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
from bertie.data.readers import read_rows
from bertie.nn import checkpoint
from bertie.predict import Predictor
from bertie.workflow.evaluate import FLOORS, floor_answers, labelled_rows
from bertie.workflow.request import Reading
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


def test_a_folder_to_judge_by_needs_no_train_file(tmp_path: Path) -> None:
    (tmp_path / "dev.csv").write_text("text,label\na,x\n", encoding="utf-8")
    assert list(labelled_rows(str(tmp_path), Reading(), "labels")) == [{"text": "a", "label": "x"}]
    (tmp_path / "test.csv").write_text("text,label\nb,y\n", encoding="utf-8")
    assert list(labelled_rows(str(tmp_path), Reading(), "labels")) == [{"text": "b", "label": "y"}]
    for name in ("dev.csv", "test.csv"):
        (tmp_path / name).rename(tmp_path / f"{name}.old")
    (tmp_path / "rows.csv").write_text("text,label\nc,z\n", encoding="utf-8")
    with pytest.raises(DataError, match="holds no test or dev file to evaluate on; name a file"):
        labelled_rows(str(tmp_path), Reading(), "labels")


def test_of_a_data_set_of_the_hub_its_test_rows_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = {name: Dataset.from_list([{"text": name, "body": name}]) for name in ("train", "validation", "test")}
    monkeypatch.setattr(hub_rows, "_load", lambda name, config: parts)
    reading = Reading(text_column="body")
    assert list(labelled_rows("hub:some/set", reading, "embedding")) == [{"text": "test"}]
    del parts["test"]
    assert list(labelled_rows("hub:some/set", reading, "embedding")) == [{"text": "validation"}]
    del parts["validation"]
    with pytest.raises(DataError, match="hub:some/set: has no labelled test or dev rows to evaluate on"):
        labelled_rows("hub:some/set", reading, "embedding")


def test_another_metric_has_an_interval_and_floors(bundles: dict[str, Path], tmp_path: Path) -> None:
    data = write(tmp_path / "new.csv", 40, "one", seed=1)
    found = bertie.evaluate(bundles["one"], data, metric="macro_f1")
    assert [found["primary"]["name"], *(floor["name"] for floor in found["floors"].values())] == ["macro_f1"] * 3
    assert found["primary"]["low"] <= found["primary"]["value"] <= found["primary"]["high"]
    with pytest.raises(UsageError, match="metric 'f1' does not exist; choose one of accuracy, macro_f1, weighted_f1"):
        bertie.evaluate(bundles["one"], data, metric="f1")


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
