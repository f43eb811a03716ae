"""An encoder of some of the blocks of another."""

from __future__ import annotations

import pytest
import torch

from bertie.core.errors import UsageError
from bertie.nn.config import EncoderConfig
from bertie.nn.encoder import Encoder
from bertie.nn.fewer_layers import kept_layers, with_layers


def encoder(**options: object) -> Encoder:
    torch.manual_seed(0)
    shape = {"vocab_size": 12, "hidden_size": 16, "layers": 5, "heads": 2, "intermediate_size": 32}
    return Encoder(EncoderConfig(**{**shape, **options})).eval()  # type: ignore[arg-type]


def test_the_layers_are_evenly_spaced() -> None:
    assert kept_layers(12, 6) == [0, 2, 4, 7, 9, 11]  # of DistilBERT
    assert [kept_layers(5, 3), kept_layers(5, 5), kept_layers(5, 1)] == [[0, 2, 4], [0, 1, 2, 3, 4], [0]]


def test_the_kept_ones_compute_what_they_did() -> None:
    whole, ids = encoder(), torch.tensor([[2, 7, 9, 3]])
    part = with_layers(whole, 3)
    states = whole.embeddings(ids)
    for n in (0, 2, 4):
        states = whole.layers[n](states, None, None)
    torch.testing.assert_close(part(ids), states)
    torch.testing.assert_close(with_layers(whole, 5)(ids), whole(ids))
    part(ids).sum().backward()
    assert dict(part.named_parameters())["layers.2.attention.query.weight"].grad is not None
    assert all(parameter.grad is None for parameter in whole.parameters())  # a copy


@pytest.mark.parametrize(
    ("options", "count", "says"),
    [
        ({}, 6, "layers is 6, the encoder has 5"),
        ({"unique_layers": 1}, 3, "share weights or differ in kind"),
        ({"local_window": 4, "global_every": 2}, 3, "share weights or differ in kind"),
    ],
)
def test_what_cannot_be_left_out_is_said(options: dict[str, object], count: int, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        with_layers(encoder(**options), count)
