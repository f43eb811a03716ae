"""An exported bundle answers in transformers as it does here, and is written only if it does."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_MODULES_CACHE", tempfile.mkdtemp(prefix="bertie-modules-"))

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

from bertie.bundle import folder as bundle
from bertie.bundle import golden
from bertie.bundle.folder import Model
from bertie.core.errors import BundleError, UsageError
from bertie.data.rows import Rows
from bertie.nn import checkpoint
from bertie.predict import Predictor
from bertie.tasks.classification import Classification
from bertie.text.tokenizer import Tokenizer
from bertie.workflow import export
from bertie.workflow.export import run_export
from tests.bundle.making import PAIRS, ROWS, SEVERAL

TEXTS = [
    "good",
    "The film was great, but the service at the hotel was slow!",
    "很好",
    "服务很好，很满意；物流太慢了 and the phone is bad.",
    "",
    "一二三" * 40,
]
STOCK = {"normalise": True}


@pytest.fixture
def make(tiny_model: Path, tmp_path: Path) -> Any:
    """Rows and settings to a bundle whose head has large weights, so that a wrong one would show."""

    def made(rows: Rows, settings: dict[str, Any], origin: str = "tiny") -> Predictor:
        task = Classification.from_rows(rows, settings)
        task.build_head(32)
        torch.manual_seed(1)
        with torch.no_grad():
            task.head.output.weight.normal_(0.0, 1.0)
            task.head.output.bias.normal_(0.0, 1.0)
        model = Model(checkpoint.load(tiny_model).encoder, task, Tokenizer.from_folder(tiny_model), 64, origin=origin)
        inputs = [{column: row[column] for column in task.columns} for row in rows]
        model.golden.extend(golden.record(Predictor(model).predict, inputs))
        bundle.save(model, tmp_path / "b", {})
        return Predictor(model)

    return made


def their_scores(folder: Path, texts: list[str], pairs: list[str] | None = None, remote: bool = False) -> list[Any]:
    """Label to score for each text, by transformers alone."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, trust_remote_code=remote).eval()
    with torch.no_grad():
        logits: Tensor = model(**tokenizer(texts, pairs, padding=True, truncation=True, return_tensors="pt")).logits
    several = model.config.problem_type == "multi_label_classification"
    rows = (logits.sigmoid() if several else logits.softmax(-1)).tolist()
    return [{model.config.id2label[i]: score for i, score in enumerate(row)} for row in rows]


def assert_same(answers: list[dict[str, Any]], theirs: list[dict[str, float]]) -> None:
    for answer, scores in zip(answers, theirs, strict=True):
        assert answer["scores"] == pytest.approx(scores, abs=1e-4)


@pytest.mark.parity
@pytest.mark.parametrize("rows", [ROWS, SEVERAL], ids=["one label", "several labels"])
def test_texts_get_the_same_scores_in_transformers(rows: Rows, make: Any, tmp_path: Path) -> None:
    predictor = make(rows, STOCK)
    said = run_export(tmp_path / "b", "huggingface", tmp_path / "out")
    assert "BertForSequenceClassification for transformers; logits within" in said
    assert_same(predictor.predict(TEXTS), their_scores(tmp_path / "out", TEXTS))


@pytest.mark.parity
def test_pairs_get_the_same_scores_in_transformers(make: Any, tmp_path: Path) -> None:
    predictor = make(PAIRS, STOCK)
    run_export(tmp_path / "b", "huggingface", tmp_path / "out")
    first, second = TEXTS, TEXTS[::-1]
    answers = predictor.predict([{"text_a": a, "text_b": b} for a, b in zip(first, second, strict=True)])
    assert_same(answers, their_scores(tmp_path / "out", first, second))


@pytest.mark.parity
def test_what_no_stock_class_can_say_brings_its_code(make: Any, tmp_path: Path) -> None:
    predictor = make(ROWS, {"pooling": "attention", "normalise": True})
    assert "needs trust_remote_code=True" in run_export(tmp_path / "b", "huggingface", tmp_path / "out")
    assert_same(predictor.predict(TEXTS), their_scores(tmp_path / "out", TEXTS, remote=True))
    assert "trust_remote_code=True" in (tmp_path / "out" / "README.md").read_text()


@pytest.mark.parity
@pytest.mark.parametrize(
    ("rows", "inputs"),
    [(ROWS, TEXTS), (SEVERAL, TEXTS), (PAIRS, [{"text": "good", "text_pair": "好" * 99}])],
    ids=["one label", "several labels", "pair"],
)
def test_the_readme_tells_the_truth(rows: Rows, inputs: list[Any], make: Any, tmp_path: Path) -> None:
    predictor = make(rows, STOCK)
    run_export(tmp_path / "b", "huggingface", tmp_path / "out")
    readme = (tmp_path / "out" / "README.md").read_text()
    assert "top_k=None, truncation=True" in readme and "cuts texts at 64 tokens" in readme
    classify = pipeline("text-classification", model=str(tmp_path / "out"))
    theirs = classify(inputs, top_k=None, truncation=True)
    ours = [{"text_a": row["text"], "text_b": row["text_pair"]} if isinstance(row, dict) else row for row in inputs]
    assert_same(predictor.predict(ours), [{one["label"]: one["score"] for one in row} for row in theirs])


def test_what_reads_long_texts_in_windows_says_that_they_are_cut(make: Any, tmp_path: Path) -> None:
    make(ROWS, {**STOCK, "long_texts": "windows", "overlap": 0.5})
    said = run_export(tmp_path / "b", "huggingface", tmp_path / "out")
    assert "of the bundle's up to 64 tokens, longer texts are cut and not read in windows; see README.md" in said
    readme = (tmp_path / "out" / "README.md").read_text()
    assert "as in training" not in readme
    assert "cuts texts at 64 tokens; without it longer texts fail. The bundle reads all of such a text" in readme
    assert "(each reads 50% of the one before again)" in readme


def test_the_folder_says_what_it_is(make: Any, tmp_path: Path) -> None:
    make(SEVERAL, STOCK, origin="e5-small")
    run_export(tmp_path / "b", "huggingface", tmp_path / "out")
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert (config["bertie_pooling_layer"], config["num_hidden_layers"]) == (True, 3)
    assert config["problem_type"] == "multi_label_classification"
    settings = json.loads((tmp_path / "out" / "tokenizer_config.json").read_text())
    assert (settings["model_max_length"], settings["tokenizer_class"]) == (64, "PreTrainedTokenizerFast")
    readme = (tmp_path / "out" / "README.md").read_text()
    for words in ("`e5-small`", "`food`, `good`, `service`", "a label is given from 0.5 on", "meant for inference"):
        assert words in readme
    assert checkpoint.load(tmp_path / "out").encoder.config.layers == 2


def test_an_export_that_answers_otherwise_is_not_written(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(ROWS, STOCK)
    honest = export.load_classifier

    def broken(folder: Path) -> Any:
        encoder, head = honest(folder)
        with torch.no_grad():
            head.output.bias.add_(torch.tensor([0.0, 0.01]))
        return encoder, head

    monkeypatch.setattr(export, "load_classifier", broken)
    with pytest.raises(BundleError, match=r"logits differ by 1\.0e-02 .* nothing was written"):
        run_export(tmp_path / "b", "huggingface", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_only_known_formats_and_free_folders(make: Any, tmp_path: Path) -> None:
    make(ROWS, {})
    with pytest.raises(UsageError, match="format is 'onyx', expected one of huggingface"):
        run_export(tmp_path / "b", "onyx", tmp_path / "out")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.doc").write_text("x")
    with pytest.raises(UsageError, match=r"holds thesis\.doc"):
        run_export(tmp_path / "b", "huggingface", tmp_path / "out")
    with pytest.raises(UsageError, match="is a file"):
        run_export(tmp_path / "b", "huggingface", tmp_path / "out" / "thesis.doc")
    with pytest.raises(UsageError, match="lies inside the bundle"):
        run_export(tmp_path / "b", "huggingface", tmp_path / "b" / "hf")


def test_an_empty_folder_is_taken(make: Any, tmp_path: Path) -> None:
    make(ROWS, {"pooling": "first"})
    (tmp_path / "out").mkdir()
    run_export(tmp_path / "b", "huggingface", tmp_path / "out")
    assert (tmp_path / "out" / "model.safetensors").is_file()
