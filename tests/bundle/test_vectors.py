"""The encoder of a bundle that gives vectors says how: what starts from it, and other programs, compute the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from transformers import AutoModel, AutoTokenizer

import bertie
from bertie.bundle import checksums
from bertie.bundle import folder as bundle
from bertie.bundle.folder import Model
from bertie.core.errors import BundleError
from bertie.data import vector_files
from bertie.data.catalogue import resolve
from bertie.data.rows import Rows
from bertie.nn import checkpoint
from bertie.predict import Predictor, load
from bertie.tasks.embedding import Embedding
from bertie.text.tokenizer import Tokenizer
from bertie.tuning.p_tuning_v2 import PTuningV2

ROWS = Rows([{"query": "good food", "positive": "the food was great"}, {"query": "房间", "positive": "房间很好"}])
TEXTS = ["good food", "服务很好", "the service was slow " * 20]
SETTINGS = {"prefix": "the a: ", "pooling": "first"}
FILES = ["1_Pooling/config.json", "config_sentence_transformers.json", "modules.json", "sentence_bert_config.json"]


def model_of(tiny_model: Path, settings: dict[str, Any]) -> Model:
    task = Embedding.from_rows(ROWS, settings)
    task.build_head(32)
    return Model(checkpoint.load(tiny_model).encoder, task, Tokenizer.from_folder(tiny_model), 64)


def vectors(model: Model) -> np.ndarray[Any, Any]:
    return np.array([answer["vector"] for answer in Predictor(model).predict(TEXTS)])


@pytest.mark.parametrize("settings", [{}, SETTINGS], ids=["mean", "first with a prefix"])
def test_an_encoder_of_a_bundle_is_pooled_and_prefixed_as_the_bundle(
    settings: dict[str, Any], tiny_model: Path, tmp_path: Path
) -> None:
    model = model_of(tiny_model, settings)
    bundle.save(model, tmp_path / "m", {})
    for place in (tmp_path / "m", tmp_path / "m" / "model"):  # a bundle may be named, or the encoder in it
        source = resolve(place)
        assert (source.prefix, source.pooling) == (settings.get("prefix", ""), settings.get("pooling", "mean"))
    assert bertie.embed(tmp_path / "m" / "model", TEXTS) == pytest.approx(vectors(model), abs=1e-5)


@pytest.mark.parity
@pytest.mark.parametrize("settings", [{}, SETTINGS], ids=["mean", "first with a prefix"])
def test_the_steps_of_sentence_transformers_give_the_same_vectors(
    settings: dict[str, Any], tiny_model: Path, tmp_path: Path
) -> None:
    """Its steps on the classes of transformers: prompt, cut, encoder, pooling, length one."""
    model, folder = model_of(tiny_model, settings), tmp_path / "m" / "model"
    bundle.save(model, tmp_path / "m", {})
    said = bundle.read_json(folder / "config_sentence_transformers.json")
    prompt = said["prompts"][said["default_prompt_name"]] if said["default_prompt_name"] else ""
    length = bundle.read_json(folder / "sentence_bert_config.json")["max_seq_length"]
    tokenizer = AutoTokenizer.from_pretrained(folder, model_max_length=length)
    batch = tokenizer([prompt + text for text in TEXTS], padding=True, truncation="longest_first", return_tensors="pt")
    assert batch["input_ids"].shape == batch["token_type_ids"].shape == (3, 64)
    with torch.no_grad():
        states = AutoModel.from_pretrained(folder).eval()(**batch).last_hidden_state
    mask = batch["attention_mask"].unsqueeze(-1)
    modes = bundle.read_json(folder / "1_Pooling" / "config.json")
    pooled = states[:, 0] if modes["pooling_mode_cls_token"] else (states * mask).sum(1) / mask.sum(1)
    assert F.normalize(pooled, dim=1).numpy() == pytest.approx(vectors(model), abs=1e-5)


def test_the_seal_covers_what_is_said_of_the_vectors(tiny_model: Path, tmp_path: Path) -> None:
    bundle.save(model_of(tiny_model, SETTINGS), tmp_path / "m", {})
    assert {f"model/{name}" for name in FILES} <= set(checksums.sealed(tmp_path / "m"))
    path = tmp_path / "m" / "model" / vector_files.POOLING
    path.write_text(path.read_text(encoding="utf-8").replace("true", "false", 1), encoding="utf-8")
    with pytest.raises(BundleError, match=r"model/1_Pooling/config\.json was changed"):
        load(tmp_path / "m")


def test_an_encoder_that_is_not_the_whole_model_is_no_sentence_transformer(tiny_model: Path, tmp_path: Path) -> None:
    model = model_of(tiny_model, SETTINGS)
    method = PTuningV2(length=2)
    method.apply(model.encoder)
    bundle.save(replace(model, tuning=method), tmp_path / "m", {})
    assert not (tmp_path / "m" / "model" / "modules.json").exists()
    assert (resolve(tmp_path / "m").prefix, resolve(tmp_path / "m").pooling) == ("the a: ", "first")
