"""Activation checkpointing: the same gradients, random numbers included, from what is computed again."""

from __future__ import annotations

from unittest import mock

import pytest
import torch
from torch import Tensor

from bertie.core.runtime import autocast
from bertie.nn.encoder import Encoder
from bertie.nn.layers import Block
from bertie.tuning.base import Method
from bertie.tuning.lora import Lora
from bertie.tuning.prefix import PrefixTuning
from bertie.tuning.prompt import PromptTuning
from bertie.tuning.top_layers import TopLayers
from tests.tuning.encoders import KINDS, batch, moved, tiny

CPU = torch.device("cpu")


def gradients(encoder: Encoder, wanted: bool, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    encoder.train()
    encoder.set_dropout(0.3)
    encoder.set_attention_dropout(0.2)
    encoder.checkpointing = wanted
    encoder.zero_grad(set_to_none=True)
    torch.manual_seed(3)
    ids, mask = batch()
    with autocast(CPU, dtype):
        states = encoder(ids, mask)
    (states.float() ** 2).sum().backward()
    return {name: p.grad.clone() for name, p in encoder.named_parameters() if p.grad is not None}


def same(encoder: Encoder, dtype: torch.dtype = torch.float32) -> None:
    plain, again = gradients(encoder, False, dtype), gradients(encoder, True, dtype)
    assert plain.keys() == again.keys() and plain
    for name, gradient in plain.items():
        torch.testing.assert_close(again[name], gradient, rtol=1e-6, atol=1e-6, msg=name)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("family", KINDS)
def test_gradients_are_the_same(family: str, dtype: torch.dtype) -> None:
    same(tiny(family), dtype)


@pytest.mark.parametrize(
    "method", [Lora(dropout=0.2), PrefixTuning(), PromptTuning(), TopLayers(layers=1)], ids=lambda method: method.name
)
def test_with_methods_too(method: Method) -> None:
    encoder = tiny("bert")
    method.apply(encoder)
    same(moved(encoder))


def test_each_block_is_computed_twice_in_training_and_once_otherwise() -> None:
    encoder, honest = tiny("bert"), Block.forward
    with mock.patch.object(Block, "forward", autospec=True, side_effect=honest) as called:
        gradients(encoder, True)
        assert called.call_count == 2 * len(encoder.layers)
        encoder.eval()
        encoder(*batch())
        with torch.no_grad():
            encoder.train()(*batch())
        assert called.call_count == 4 * len(encoder.layers)


def test_all_states_too() -> None:
    encoder, (ids, mask) = tiny("bert"), batch()
    found = []
    for wanted in (False, True):
        encoder.train().checkpointing = wanted
        encoder.zero_grad(set_to_none=True)
        torch.manual_seed(0)
        loss = torch.stack(encoder.hidden_states(ids, mask)).square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        found.append(encoder.embeddings.word_embeddings.weight.grad)
    torch.testing.assert_close(found[0], found[1], rtol=1e-6, atol=1e-6)
