"""The files by which a folder says how its encoder gives vectors: as sentence-transformers writes and reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bertie.core.errors import ModelError
from bertie.data.vector_files import (
    MODULES,
    POOLING,
    PROMPTS,
    Pooling,
    length_of,
    pooling_of,
    prefix_of,
    refuse_others,
    write,
)

MODES = {
    "pooling_mode_cls_token": False,
    "pooling_mode_mean_tokens": False,
    "pooling_mode_max_tokens": False,
    "pooling_mode_mean_sqrt_len_tokens": False,
    "pooling_mode_weightedmean_tokens": False,
    "pooling_mode_lasttoken": False,
}
"""Keys of `Pooling.save` of the versions 2.4 to 5; each is an argument of its constructor, so none may be another."""


def read(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text(encoding="utf-8"))


def said(folder: Path, name: str, content: object) -> Path:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(content), encoding="utf-8")
    return folder


def test_the_files_are_those_of_sentence_transformers(tmp_path: Path) -> None:
    """What `SentenceTransformer.save` of version 5 writes, but for `__version__`: none of theirs wrote it."""
    write(tmp_path, pooling="first", prefix="query: ", width=32, max_length=64, complete=True)
    assert read(tmp_path, "modules.json") == [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
    ]
    pooling = {"word_embedding_dimension": 32, **MODES, "pooling_mode_cls_token": True, "include_prompt": True}
    assert read(tmp_path, "1_Pooling/config.json") == pooling
    assert read(tmp_path, "sentence_bert_config.json") == {"max_seq_length": 64, "do_lower_case": False}
    assert read(tmp_path, "config_sentence_transformers.json") == {
        "model_type": "SentenceTransformer",
        "prompts": {"query": "query: ", "document": "query: "},
        "default_prompt_name": "query",
        "similarity_fn_name": "cosine",
    }


def test_without_a_prefix_nothing_is_put_before_a_text(tmp_path: Path) -> None:
    write(tmp_path, pooling="mean", prefix="", width=8, max_length=64, complete=True)
    config = read(tmp_path, PROMPTS)
    assert (config["prompts"], config["default_prompt_name"]) == ({"query": "", "document": ""}, None)
    modes = {name for name, value in read(tmp_path, POOLING).items() if value is True}
    assert modes == {"pooling_mode_mean_tokens", "include_prompt"}


@pytest.mark.parametrize("pooling", ["mean", "first"])
@pytest.mark.parametrize("prefix", ["", "query: ", "为这个句子生成表示："])
def test_what_is_written_is_read(pooling: Pooling, prefix: str, tmp_path: Path) -> None:
    write(tmp_path, pooling=pooling, prefix=prefix, width=8, max_length=64, complete=False)
    assert (pooling_of(tmp_path), prefix_of(tmp_path)) == (pooling, prefix)
    assert not (tmp_path / "modules.json").exists(), "an encoder that needs more than itself is no whole model"


@pytest.mark.parametrize(("mode", "pooling"), [("cls", "first"), (["cls"], "first"), ("mean", "mean"), ("max", "mean")])
def test_the_names_of_version_6_are_read(mode: object, pooling: str, tmp_path: Path) -> None:
    assert pooling_of(said(tmp_path, POOLING, {"embedding_dimension": 8, "pooling_mode": mode})) == pooling


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        (MODULES, [{"type": "sentence_transformers.models.Transformer"}, {"type": "a.b.Dense"}], "a step 'Dense'"),
        (POOLING, {"pooling_mode": ["cls", "mean"]}, "the pooling cls and mean"),
        (POOLING, {"pooling_mode_max_tokens": True}, "the pooling max"),
    ],
)
def test_vectors_that_are_made_otherwise_are_refused(name: str, content: object, what: str, tmp_path: Path) -> None:
    write(tmp_path, pooling="mean", prefix="", width=8, max_length=64, complete=True)
    refuse_others(tmp_path)
    assert length_of(tmp_path) == 64
    with pytest.raises(ModelError, match=f"its vectors need {what}, which Bertie does not have"):
        refuse_others(said(tmp_path, name, content))


@pytest.mark.parametrize(
    ("config", "prefix"),
    [
        ({}, ""),
        ({"prompts": {"query": "query: "}, "default_prompt_name": None}, ""),
        ({"prompts": {"query": "query: ", "s": "text: "}, "default_prompt_name": "s"}, "text: "),
    ],
)
def test_only_the_default_prompt_is_a_prefix(config: object, prefix: str, tmp_path: Path) -> None:
    assert prefix_of(tmp_path) == ""
    assert prefix_of(said(tmp_path, PROMPTS, config)) == prefix


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ([1], "expected a JSON object; correct the file"),
        ({"default_prompt_name": "s", "prompts": {}}, "default_prompt_name is 's', expected the name of a text"),
        ({"default_prompt_name": "s", "prompts": {"s": 1}}, "expected the name of a text in prompts"),
        ({"default_prompt_name": ["s"]}, "expected the name of a text in prompts"),
    ],
)
def test_a_prompt_that_cannot_be_read_is_named(config: object, words: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=rf"config_sentence_transformers\.json: .*{words}"):
        prefix_of(said(tmp_path, PROMPTS, config))
