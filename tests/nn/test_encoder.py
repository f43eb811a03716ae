"""The encoder: shapes, masks, devices, dtypes, the halves of forward."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from bertie.core.errors import ModelError
from bertie.nn.attention import SelfAttention, additive_mask
from bertie.nn.config import EncoderConfig
from bertie.nn.encoder import Encoder

torch.set_num_threads(1)
TINY = EncoderConfig(
    vocab_size=50, hidden_size=16, layers=2, heads=2, intermediate_size=24, max_positions=20, initializer_range=0.2
)
MODERN = replace(
    TINY,
    family="modernbert",
    norm="pre",
    gated=True,
    positions="rotary",
    type_vocab_size=0,
    local_window=4,
    global_every=2,
    norm_bias=False,
)
IDS = torch.randint(1, 50, (2, 9), generator=torch.Generator().manual_seed(0))


def encoder(config: EncoderConfig = TINY) -> Encoder:
    torch.manual_seed(0)
    return Encoder(config).eval()


@pytest.mark.parametrize("config", [TINY, MODERN, replace(TINY, unique_layers=1, embedding_size=8)])
@torch.no_grad()
def test_no_mask_and_a_mask_of_ones_are_the_same(config: EncoderConfig) -> None:
    model = encoder(config)
    torch.testing.assert_close(model(IDS), model(IDS, torch.ones_like(IDS)))


@torch.no_grad()
def test_a_model_of_one_segment_reads_a_second_text_as_the_first() -> None:
    model, second = encoder(replace(TINY, type_vocab_size=1)), torch.ones_like(IDS)
    torch.testing.assert_close(model(IDS, None, second), model(IDS))
    assert not torch.allclose(encoder()(IDS, None, second), encoder()(IDS))


@pytest.mark.parametrize("config", [TINY, MODERN])
@given(length=st.integers(1, 8), padding=st.integers(1, 8))
@settings(max_examples=15, deadline=None)
@torch.no_grad()
def test_padding_changes_no_state(config: EncoderConfig, length: int, padding: int) -> None:
    model = encoder(config)
    short = IDS[:1, :length]
    padded = torch.cat([short, torch.full((1, padding), config.pad_id)], dim=1)
    mask = torch.tensor([[1] * length + [0] * padding])
    torch.testing.assert_close(model(padded, mask)[:, :length], model(short), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_a_text_of_padding_alone_gives_no_nan() -> None:
    assert encoder()(torch.zeros(1, 5, dtype=torch.long), torch.zeros(1, 5, dtype=torch.long)).isfinite().all()


@pytest.mark.parametrize("config", [TINY, MODERN])
def test_runs_on_the_meta_device(config: EncoderConfig) -> None:
    with torch.device("meta"):
        model = Encoder(config)
        ids = torch.zeros(3, 7, dtype=torch.long)
        states = model(ids, torch.ones(3, 7))
    assert states.shape == (3, 7, 16)
    assert states.is_meta


@pytest.mark.parametrize("config", [TINY, MODERN])
@torch.no_grad()
def test_runs_in_bf16(config: EncoderConfig) -> None:
    model = encoder(config)
    exact = model(IDS, torch.ones_like(IDS))
    rough = model.to(torch.bfloat16)(IDS, torch.ones_like(IDS))
    assert rough.dtype == torch.bfloat16
    torch.testing.assert_close(rough.float(), exact, atol=0.15, rtol=0.1)


@torch.no_grad()
def test_attention_sums_to_one_and_never_sees_padding_or_past_the_window() -> None:
    mask = torch.ones_like(IDS)
    mask[1, 5:] = 0
    whole, local = encoder(MODERN).attentions(IDS, mask)
    torch.testing.assert_close(whole.sum(-1), torch.ones_like(whole.sum(-1)))
    assert whole[1, :, :5, 5:].max() == 0
    far = (torch.arange(9)[:, None] - torch.arange(9)).abs() > 2
    assert local[0][:, far].max() == 0


@torch.no_grad()
def test_both_attention_paths_agree() -> None:
    model = encoder()
    mask = torch.ones_like(IDS)
    mask[0, 6:] = 0
    states = model.embeddings(IDS)
    for block in model.layers:
        hidden = additive_mask(mask, 9, None, states)
        torch.testing.assert_close(block.with_weights(states, hidden)[0], block(states, hidden), atol=1e-5, rtol=1e-5)


class Prefix(nn.Module):
    """Keys and values in front of the text."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.pairs = nn.Parameter(torch.randn(2, 1, 2, length, 8))

    def forward(self, batch: int) -> tuple[Tensor, Tensor]:
        key, value = self.pairs.expand(2, batch, -1, -1, -1)
        return key, value


@pytest.mark.parametrize("length", [7, 300])
@pytest.mark.parametrize("masked", [False, True])
def test_bfloat16_takes_the_faster_way_to_the_same_states(length: int, masked: bool) -> None:
    """Short texts are written out, long ones fused: both are within bfloat16's three digits of float32."""
    torch.manual_seed(0)
    attention, states = SelfAttention(32, 4).eval(), torch.randn(3, length, 32)
    hidden = torch.arange(length) < torch.tensor([[length], [length - 2], [1]])  # (3, T)
    mask = additive_mask(hidden, length, None, states) if masked else None
    exact = attention(states, mask)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = attention(states, None if mask is None else mask.bfloat16())
    torch.testing.assert_close(rounded.float(), exact, atol=0.03, rtol=0.03)


def test_padding_outside_of_every_window_is_no_nan_under_autocast() -> None:
    """Where it sees nothing at all; the mask is float32 there and the scores are bfloat16."""
    model, mask = encoder(MODERN), torch.ones_like(IDS)
    mask[1, 3:] = 0
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        rounded = model(IDS, mask)
    assert torch.isfinite(rounded).all()
    torch.testing.assert_close(rounded[1, :3], model(IDS, mask)[1, :3], rtol=0.1, atol=0.1)


def test_attention_dropout_can_be_set() -> None:
    model = encoder().train()
    model.set_attention_dropout(0.0)
    assert {block.attention.dropout for block in model.layers} == {0.0}
    assert model.config.attention_dropout == TINY.attention_dropout


def test_a_prefix_is_seen_and_keeps_the_positions() -> None:
    model = encoder()
    mask = torch.ones_like(IDS)
    mask[0, 4:] = 0
    before = model(IDS, mask)
    attention = model.layers[0].attention
    assert isinstance(attention, SelfAttention)
    attention.prefix = Prefix(3)
    after = model(IDS, mask)
    assert after.shape == before.shape
    assert not torch.allclose(before, after)
    assert model.attentions(IDS, mask)[0].shape == (2, 2, 9, 12)
    after.sum().backward()
    assert attention.prefix.pairs.grad is not None


@pytest.mark.parametrize("config", [TINY, MODERN])
def test_inference_mode_overwrites_nothing_that_is_seen(config: EncoderConfig) -> None:
    model = encoder(config)
    kept: list[Tensor] = []
    with torch.inference_mode():
        fast = model(IDS)
        states = model.hidden_states(IDS)
    expected = [state.detach() for state in model.hidden_states(IDS)]
    torch.testing.assert_close(fast, expected[-1])
    torch.testing.assert_close(states, expected)
    handles = [model.layers[0].attention.register_forward_hook(lambda *given: kept.append(given[2]))]
    handles.append(model.layers[0].feed_forward.input.register_forward_hook(lambda *given: kept.append(given[2])))
    with torch.inference_mode():
        model(IDS)
    model(IDS)
    torch.testing.assert_close(kept[:2], [tensor.detach() for tensor in kept[2:]])


@torch.no_grad()
def test_hidden_states_end_with_forward() -> None:
    states = encoder(MODERN).hidden_states(IDS)
    assert len(states) == 3
    torch.testing.assert_close(states[-1], encoder(MODERN)(IDS))


@torch.no_grad()
def test_roberta_counts_only_what_is_not_padding() -> None:
    model = encoder(replace(TINY, family="roberta", pad_id=1, position_offset=2))
    text = torch.tensor([[5, 6, 7]])
    left = torch.tensor([[1, 1, 5, 6, 7]])
    mask = torch.tensor([[0, 0, 1, 1, 1]])
    torch.testing.assert_close(model(left, mask)[:, 2:], model(text), atol=1e-5, rtol=1e-5)


def test_too_long_a_text_is_refused_with_what_to_do() -> None:
    with pytest.raises(ModelError, match=r"21 tokens .* 20 positions; cut it"):
        encoder()(torch.ones(1, 21, dtype=torch.long))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hidden_size", 10**9),
        ("vocab_size", 0),
        ("layers", True),
        ("heads", 3),
        ("intermediate_size", "40"),
        ("dropout", 1.0),
        ("attention_dropout", float("nan")),
        ("norm_eps", 0.0),
        ("pad_id", 50),
        ("pad_id", None),
        ("max_positions", -1),
        ("position_offset", 7),
        ("unique_layers", 3),
        ("norm", "sandwich"),
        ("activation", "exec"),
        ("norm_bias", 1),
    ],
)
def test_impossible_configs_are_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(ModelError, match=field):
        replace(TINY, **{field: value})  # type: ignore[arg-type]


def test_random_weights_are_as_in_bert() -> None:
    model = encoder(replace(TINY, hidden_size=64, vocab_size=500, initializer_range=0.02))
    words = model.embeddings.word_embeddings.weight
    assert words[0].abs().max() == 0
    assert 0.018 < words[1:].std() < 0.022
    query = model.layers[0].attention.query
    assert 0.018 < query.weight.std() < 0.022
    assert query.bias.abs().max() == 0
