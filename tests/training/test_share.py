"""What is said of what is trained: by name where a method chose, in one short line where all of it is."""

from __future__ import annotations

import torch
from torch import nn

from bertie.nn.config import EncoderConfig
from bertie.nn.encoder import Encoder
from bertie.training.tuning import share
from bertie.tuning.bitfit import BitFit
from bertie.tuning.full import Full

TINY = EncoderConfig(vocab_size=50, hidden_size=16, layers=2, heads=2, intermediate_size=24, max_positions=20)


def test_all_weights_need_no_names_and_some_are_named() -> None:
    torch.manual_seed(0)
    encoder, head = Encoder(TINY), nn.Linear(16, 2)
    whole = sum(parameter.numel() for parameter in encoder.parameters())
    Full().apply(encoder)
    assert share(Full(), encoder, head) == f"tuning: full, all {whole:,} weights of the encoder and the head's 34"
    BitFit().apply(encoder)
    line = share(BitFit(), encoder, head)
    assert f"of {whole:,} weights" in line and "layers.0-1.attention.query.bias" in line
