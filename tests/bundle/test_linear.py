"""A bundle that counts words: answers as the floor did, is refused where it was changed, is used like any other."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import bertie
from bertie.bundle import checksums, golden, linear
from bertie.bundle.linear import LinearModel
from bertie.cli.app import run
from bertie.core.errors import BundleError, UsageError
from bertie.data.readers import read_rows
from bertie.data.rows import Rows
from bertie.evaluation.floors.base import Ground
from bertie.evaluation.floors.tfidf import TfidfFloor
from bertie.nn import checkpoint
from bertie.predict import LinearPredictor, load, load_torch
from bertie.tasks.classification import Classification
from bertie.text.tokenizer import Tokenizer
from tests.workflow.rows import write

Damage = Callable[[Path], None]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Rows]:
    folder = tmp_path_factory.mktemp("rows")
    return {kind: read_rows(write(folder / f"{kind}.csv", 120, kind)) for kind in ("one", "several", "pair")}


def made(rows: Rows, tiny_model: Path, folder: Path) -> tuple[LinearModel, list[dict[str, object]]]:
    """A bundle of the floor in `folder`, and what the floor itself answers."""
    task = Classification.from_rows(rows, {})
    task.metric = "macro_f1"
    ground = Ground(task, checkpoint.load(tiny_model).encoder, Tokenizer.from_folder(tiny_model), 32)
    floor = TfidfFloor.fit(rows, ground)
    task.settings = replace(task.settings, threshold=floor.threshold)
    model = LinearModel(task, floor.vectorizers, floor.solution, floor.scale)
    asked = [task.asked(row) for row in rows][:4]
    model = replace(model, golden=golden.record(LinearPredictor(model).predict, asked))
    linear.save(model, folder, {"README.md": "counts words"})
    return model, floor.predict(rows, ground)


@pytest.fixture
def saved(rows: dict[str, Rows], tiny_model: Path, tmp_path: Path) -> Path:
    made(rows["one"], tiny_model, tmp_path / "b")
    return tmp_path / "b"


@pytest.mark.parametrize("kind", ["one", "several", "pair"])
def test_it_answers_as_the_floor_did(kind: str, rows: dict[str, Rows], tiny_model: Path, tmp_path: Path) -> None:
    model, expected = made(rows[kind], tiny_model, tmp_path / "b")
    predictor = load(tmp_path / "b")
    assert isinstance(predictor, LinearPredictor)
    assert predictor.name == "b"
    found = predictor.predict(list(rows[kind]))
    scores = [[list(answer["scores"].values()) for answer in some] for some in (found, expected)]
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-6)
    name = "labels" if kind == "several" else "label"
    assert [answer[name] for answer in found] == [answer[name] for answer in expected]
    assert model.nbytes > 0 and not [path for path in (tmp_path / "b").rglob("*") if path.suffix in (".pkl", ".bin")]


def test_what_it_does_not_know_is_noted(saved: Path) -> None:
    notes = [answer.get("note") for answer in load(saved, "auto").predict(["good film", " ", "؟"])]
    assert notes == [None, "the text is empty", "no part of the text is in the model's vocabulary"]


def change_weights(folder: Path) -> None:
    weights = load_file(folder / linear.WEIGHTS)
    save_file({**weights, "solution": -weights["solution"]}, folder / linear.WEIGHTS)


def change_terms(folder: Path) -> None:
    path = folder / linear.DOCUMENT
    document = json.loads(path.read_text(encoding="utf-8"))
    for one in document["vectorizers"]:
        one["terms"].reverse()
    path.write_text(json.dumps(document), encoding="utf-8")


def lose_a_label(folder: Path) -> None:
    weights = load_file(folder / linear.WEIGHTS)
    save_file({**weights, "solution": np.ascontiguousarray(weights["solution"][:, :1])}, folder / linear.WEIGHTS)


def lose_a_term(folder: Path) -> None:
    path = folder / linear.DOCUMENT
    document = json.loads(path.read_text(encoding="utf-8"))
    del document["vectorizers"][0]["terms"][-1]
    path.write_text(json.dumps(document), encoding="utf-8")


def bring_a_pattern(folder: Path) -> None:
    path = folder / linear.DOCUMENT
    document = json.loads(path.read_text(encoding="utf-8"))
    document["vectorizers"][0]["options"]["token_pattern"] = "(a+)+$"
    path.write_text(json.dumps(document), encoding="utf-8")


def write_nonsense(folder: Path) -> None:
    (folder / linear.WEIGHTS).write_bytes(b"nonsense")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (change_weights, "is not answered as when the model was saved"),
        (change_terms, "is not answered as when the model was saved"),
        (lose_a_label, "the n-grams and labels need"),
        (lose_a_term, "n-grams have"),
        (bring_a_pattern, "it counts by"),
        (write_nonsense, "cannot be read"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_every_change_is_refused(damage: Damage, words: str, saved: Path) -> None:
    damage(saved)
    with pytest.raises(BundleError, match=r"linear\.(json|safetensors) was changed"):
        load(saved)
    checksums.seal(saved)
    with pytest.raises(BundleError, match=words):
        load(saved)


def test_it_is_evaluated_and_predicts_like_any_other(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = bertie.evaluate(saved, write(tmp_path / "new.csv", 50, seed=1))
    assert found["primary"]["name"] == "macro_f1" and found["primary"]["value"] > 0.9
    assert found["floors"] == {}
    assert run(["predict", str(saved), "--text", "服务很好", "--quiet"]) == 0
    assert set(json.loads(capsys.readouterr().out)) >= {"label", "score", "scores"}


def test_what_needs_an_encoder_says_that_there_is_none(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for format_ in ("huggingface", "adapter"):
        assert run(["export", str(saved), "--format", format_, "--out", str(tmp_path / "x")]) == 2
        assert f"counts words (engine linear/float32) and has no encoder, so there is nothing that {format_}" in (
            capsys.readouterr().err
        )
    assert not (tmp_path / "x").exists()
    with pytest.raises(UsageError, match="counts words and has no encoder"):
        load_torch(saved)
