"""Adapters of strangers: what is broken is refused by name, before anything is computed with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from bertie.core.errors import ModelError
from bertie.nn.peft_files import CONFIG, PREFIX, WEIGHTS, load_adapter, save_adapter
from bertie.tuning.lora import Lora
from tests.tuning.encoders import batch, moved, tiny

QUERY = f"{PREFIX}encoder.layer.0.attention.self.query."
A, B, MAGNITUDE = f"{QUERY}lora_A.weight", f"{QUERY}lora_B.weight", f"{QUERY}lora_magnitude_vector"
WORDS = f"{PREFIX}embeddings.word_embeddings."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An adapter of rank 4 on a tiny BERT of width 16."""
    encoder = tiny("bert")
    Lora(rank=4).apply(encoder)
    save_adapter(moved(encoder), tmp_path, "tiny")
    return tmp_path


def test_a_whole_one_is_read(folder: Path) -> None:
    encoder, text = tiny("bert"), batch()
    before = encoder(*text)
    assert load_adapter(encoder, folder) == []
    assert (encoder(*text) - before).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({B: torch.ones(16, 1)}, r"query.lora_B.weight is \(16, 1\), expected \(16, 4\)"),
        ({B: torch.ones(16)}, r"query.lora_B.weight is \(16,\), expected"),
        ({B: torch.ones(15, 4)}, r"query.lora_B.weight is \(15, 4\), .* belongs to another checkpoint"),
        ({A: torch.ones(4, 17)}, r"query.lora_A.weight is \(4, 17\), expected \(4, 16\)"),
        ({A: torch.ones(0, 16), B: torch.ones(16, 0)}, r"lora_[AB].weight is .*0.* none of them 0"),
        ({A: torch.tensor(1.0)}, r"query.lora_A.weight is \(\), expected"),
        ({MAGNITUDE: torch.ones(1)}, r"lora_magnitude_vector is \(1,\), expected \(16,\)"),
        ({A: torch.ones(4, 16, dtype=torch.int64)}, r"lora_A.weight holds torch.int64, expected floats"),
        ({f"{WORDS}lora_A.weight": torch.ones(4, 16), f"{WORDS}lora_B.weight": torch.ones(60, 4)}, "no linear layer"),
    ],
)
def test_tensors_that_do_not_fit_are_named(folder: Path, changes: dict[str, Tensor], message: str) -> None:
    save_file(load_file(folder / WEIGHTS) | changes, folder / WEIGHTS)
    with pytest.raises(ModelError, match=message):
        load_adapter(tiny("bert"), folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lora_alpha": None}, "lora_alpha is None"),
        ({"lora_alpha": "16"}, "lora_alpha is '16'"),
        ({"lora_alpha": 10**400}, "expected a number above 0"),
        ({"lora_alpha": float("nan")}, "lora_alpha is nan"),
        ({"alpha_pattern": ["x"]}, r"alpha_pattern \['x'\], expected"),
        ({"alpha_pattern": {"query": "8"}}, "alpha_pattern {'query': '8'}"),
        ({"alpha_pattern": {r"layer\.[01]\..*query": 8}}, "expected names of layers"),
        ({"init_lora_weights": "pissa_niter_4"}, "init_lora_weights is 'pissa_niter_4', which changes the encoder"),
        ({"bias": "lora_only"}, "bias is 'lora_only', which is not read; merge the adapter with peft"),
        ({"peft_type": "IA3"}, "peft_type is 'IA3', expected 'LORA'"),
    ],
)
def test_a_config_without_its_numbers_is_refused(folder: Path, changes: dict[str, Any], message: str) -> None:
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    (folder / CONFIG).write_text(json.dumps(config | changes), encoding="utf-8")
    with pytest.raises(ModelError, match=message):
        load_adapter(tiny("bert"), folder)


def test_a_config_that_cannot_be_read_is_no_adapter(folder: Path) -> None:
    (folder / CONFIG).write_text("[" * 100_000, encoding="utf-8")
    with pytest.raises(ModelError, match="is no adapter"):
        load_adapter(tiny("bert"), folder)
