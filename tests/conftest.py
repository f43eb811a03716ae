"""A tiny random model with a real tokenizer, for tests of everything above the encoder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from bertie.nn import checkpoint
from bertie.nn.config import EncoderConfig
from bertie.nn.encoder import Encoder

WORDS = ["good", "bad", "great", "poor", "film", "food", "service", "fast", "slow", "the", "a", "was", "very", "not"]
HAN = "好坏快慢服务很不是的了我你这那书手机房间电影东西送货物流满意失望喜欢讨厌一二三"
SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in the Hugging Face format: BERT, 2 layers x 32, a vocabulary of words, letters and Han characters."""
    folder = tmp_path_factory.mktemp("tiny")
    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,!?"
    pieces = [*SPECIALS, *WORDS, *letters, *(f"##{letter}" for letter in letters), *dict.fromkeys(HAN)]
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": True}), encoding="utf-8")
    config = EncoderConfig(
        family="bert",
        vocab_size=len(pieces),
        hidden_size=32,
        layers=2,
        heads=2,
        intermediate_size=64,
        max_positions=64,
    )
    torch.manual_seed(0)
    checkpoint.save(Encoder(config), folder)
    return folder
