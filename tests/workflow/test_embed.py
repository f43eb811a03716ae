"""Vectors by command: from an encoder or a bundle, to stdout or a file, whole or shortened."""

from __future__ import annotations

import json
import shutil
import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

import bertie
from bertie.bundle import folder as bundle
from bertie.bundle.folder import Model
from bertie.core.errors import DataError, UsageError
from bertie.data.rows import Rows
from bertie.nn import checkpoint
from bertie.predict import Predictor
from bertie.tasks.embedding import Embedding
from bertie.tasks.reranking import Reranking
from bertie.text.tokenizer import Tokenizer
from bertie.workflow import embed as module
from bertie.workflow.embed import run_embedding, write_vectors
from bertie.workflow.request import Loading, Reading

ROWS = Rows([{"query": "good food", "positive": "the food was great"}, {"query": "房间", "positive": "房间很好"}])
TEXTS = ["good food", "服务很好"]


def save(kind: type[Embedding] | type[Reranking], tiny_model: Path, folder: Path) -> Path:
    task = kind.from_rows(ROWS, {})
    task.build_head(32)
    bundle.save(Model(checkpoint.load(tiny_model).encoder, task, Tokenizer.from_folder(tiny_model), 32), folder, {})
    return folder


def write(model: Path, output: Path | None, source: list[str] | str, size: int | None = None) -> None:
    run_embedding(Loading(model), source, output, Reading(), lambda line: None, size)


def test_an_untuned_encoder_and_a_bundle_of_it_say_the_same(tiny_model: Path, tmp_path: Path) -> None:
    untuned = bertie.embed(tiny_model, TEXTS)
    assert untuned.shape == (2, 32) and np.linalg.norm(untuned, axis=1) == pytest.approx([1.0, 1.0])
    assert bertie.embed(save(Embedding, tiny_model, tmp_path / "m"), TEXTS) == pytest.approx(untuned, abs=1e-6)
    assert bertie.embed(tiny_model, []).shape == (0, 32)


def test_an_encoder_is_pooled_as_it_was_trained(tiny_model: Path, tmp_path: Path) -> None:
    expected = dict[str, NDArray[np.float64]]()
    for pooling in ("mean", "first"):
        task = Embedding.from_rows(ROWS, {"pooling": pooling})
        task.build_head(32)
        model = Model(checkpoint.load(tiny_model).encoder, task, Tokenizer.from_folder(tiny_model), 32)
        expected[pooling] = np.array([answer["vector"] for answer in Predictor(model).predict(TEXTS)])
    shutil.copytree(tiny_model, tmp_path / "encoder")
    (tmp_path / "encoder" / "1_Pooling").mkdir()
    for pooling, first in (("mean", False), ("first", True)):
        modes = {"pooling_mode_cls_token": first, "pooling_mode_mean_tokens": not first}
        (tmp_path / "encoder" / "1_Pooling" / "config.json").write_text(json.dumps(modes), encoding="utf-8")
        assert bertie.embed(tmp_path / "encoder", TEXTS) == pytest.approx(expected[pooling], abs=1e-5)
    assert np.abs(expected["mean"] - expected["first"]).max() > 0.01


def test_every_ending_holds_the_same_vectors(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = bertie.embed(tiny_model, TEXTS, size=8)
    for name in ("v.npy", "v.parquet", "v.jsonl"):
        write(tiny_model, tmp_path / name, TEXTS, 8)
    write(tiny_model, None, TEXTS, 8)
    lines = [capsys.readouterr().out, (tmp_path / "v.jsonl").read_text(encoding="utf-8")]
    found = [np.load(tmp_path / "v.npy"), np.array(pq.read_table(tmp_path / "v.parquet")["vector"].to_pylist())]
    found += [np.array([json.loads(line)["vector"] for line in text.splitlines()]) for text in lines]
    for vectors in found:
        assert np.array_equal(vectors.astype(np.float32), expected)
    assert np.linalg.norm(expected, axis=1) == pytest.approx([1.0, 1.0])


@pytest.mark.parametrize("ending", ["jsonl", "npy", "parquet"])
def test_vectors_are_written_as_they_come(ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROWS_PER_BLOCK", 100)
    path, vectors = tmp_path / f"v.{ending}", np.random.default_rng(0).random((1500, 256), dtype=np.float32)
    tracemalloc.start()
    write_vectors(path, (({}, vector) for vector in vectors), (1500, 256), {})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000 < path.stat().st_size
    if ending == "npy":
        assert np.array_equal(np.load(path), vectors)


def test_texts_of_a_file_in_its_order(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "texts.jsonl").write_text('{"question": "good food", "n": 1}\n{"question": "服务很好"}\n', "utf-8")
    write(tiny_model, tmp_path / "v.npy", str(tmp_path / "texts.jsonl"))
    assert np.load(tmp_path / "v.npy") == pytest.approx(bertie.embed(tiny_model, TEXTS), abs=1e-6)


def skipping(model: Path, source: Path, output: Path | None) -> None:
    run_embedding(Loading(model), str(source), output, Reading(skip_bad_rows=True), lambda line: None, None)


def test_where_bad_rows_are_left_out_each_vector_says_whose_it_is(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = tmp_path / "texts.jsonl"
    rows.write_text('{"text": "good food", "id": 7}\n{"text": ["bad"], "id": 8}\n{"text": "服务很好"}\n', "utf-8")
    skipping(tiny_model, rows, None)
    skipping(tiny_model, rows, tmp_path / "v.parquet")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    expected = bertie.embed(tiny_model, TEXTS)
    assert [{name: line[name] for name in line if name != "vector"} for line in lines] == [
        {"line": 1, "id": 7},
        {"line": 3},
    ]
    assert np.array([line["vector"] for line in lines]) == pytest.approx(expected, abs=1e-6)
    table = pq.read_table(tmp_path / "v.parquet")
    assert (table["line"].to_pylist(), table["id"].to_pylist()) == ([1, 3], [7, None])
    assert np.array(table["vector"].to_pylist()) == pytest.approx(expected, abs=1e-6)
    with pytest.raises(UsageError, match=r"v.npy: an array cannot say which rows --skip-bad-rows left out"):
        skipping(Path("no-model"), rows, tmp_path / "v.npy")


def test_a_vector_says_the_id_of_its_row(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "texts.csv").write_text("id,text\na,good food\n问,服务很好\n", encoding="utf-8")
    for name in ("v.jsonl", "v.parquet"):
        write(tiny_model, tmp_path / name, str(tmp_path / "texts.csv"))
    lines = [json.loads(line) for line in (tmp_path / "v.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [list(line) for line in lines] == [["id", "vector"]] * 2 and [line["id"] for line in lines] == ["a", "问"]
    table = pq.read_table(tmp_path / "v.parquet")
    assert table.column_names == ["id", "vector"] and table["id"].to_pylist() == ["a", "问"]


def test_one_text_is_no_list_of_them(tiny_model: Path) -> None:
    for text in ("good food", ""):
        with pytest.raises(DataError, match=r"found one text, expected a list of texts; put it into one: \[text\]"):
            bertie.embed(tiny_model, text)


def test_what_cannot_be_done_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"the vectors have 32 numbers, expected 1 to 32"):
        bertie.embed(tiny_model, TEXTS, size=33)
    with pytest.raises(UsageError, match=r"v.csv: expected a name that ends with .jsonl, .npy, .parquet"):
        write(tiny_model, tmp_path / "v.csv", TEXTS)
    with pytest.raises(UsageError, match=r"is a model of reranking, expected one of embedding"):
        bertie.embed(save(Reranking, tiny_model, tmp_path / "m"), TEXTS)
    with pytest.raises(UsageError, match="must stay as it is"):
        write(tiny_model, tmp_path / "m" / "v.npy", TEXTS)
