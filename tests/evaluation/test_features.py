"""Features: a vector a row, whatever batch it stood in."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bertie.data import rows
from bertie.data.batches import Example
from bertie.evaluation.features import pooled_features, text_vectors
from bertie.nn import checkpoint
from bertie.nn.config import EncoderConfig
from bertie.nn.encoder import Encoder
from bertie.nn.heads import mean_pool
from bertie.text.tokenizer import Encoded, Tokenizer


def test_pooled_features_are_the_mean_states_in_the_order_of_the_rows() -> None:
    torch.manual_seed(0)
    encoder = tiny_encoder().eval()
    rng = random.Random(0)
    examples = [
        Example(tuple(encoded(rng, rng.randint(1, 30)) for _ in range(2 if i % 5 == 0 else 1))) for i in range(23)
    ]
    found = pooled_features(encoder, examples, 0, rows_per_batch=4, tokens_per_batch=64)
    for row, example in zip(found, examples, strict=True):
        with torch.no_grad():
            alone = [mean_pool(encoder(torch.tensor([one.ids]), None, None)) for one in example.sequences]
        assert np.abs(row - torch.cat(alone).mean(0).numpy()).max() < 1e-5


def test_pooled_features_leave_the_encoder_in_its_mode() -> None:
    encoder = tiny_encoder().train()
    pooled_features(encoder, [Example((encoded(random.Random(0), 5),))], 0)
    assert encoder.training


def test_vectors_of_texts_are_the_same_in_blocks(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, tokenizer = checkpoint.load(tiny_model).encoder, Tokenizer.from_folder(tiny_model)
    texts = ["good food", "服务很好", "a", "the film was bad", "快"]
    whole, sizes = text_vectors(encoder, tokenizer, texts, 32), list[int]()
    encode = Tokenizer.encode_batch

    def counted(self: Tokenizer, block: Sequence[str], *rest: Any) -> list[Encoded]:
        sizes.append(len(block))
        return encode(self, block, *rest)

    monkeypatch.setattr(Tokenizer, "encode_batch", counted)
    monkeypatch.setattr(rows, "ROWS_PER_BLOCK", 2)
    assert np.abs(text_vectors(encoder, tokenizer, texts, 32) - whole).max() < 1e-5
    assert sizes == [2, 2, 1]


def encoded(rng: random.Random, length: int) -> Encoded:
    ids = [rng.randrange(1, 50) for _ in range(length)]
    return Encoded(ids, [0] * length, [(0, 0)] * length, [None] * length, False)


def tiny_encoder() -> Encoder:
    return Encoder(EncoderConfig(vocab_size=50, hidden_size=16, layers=2, heads=2, intermediate_size=32))
