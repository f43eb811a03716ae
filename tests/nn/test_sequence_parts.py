"""Sequences in parts: the states of all at once, in the memory of a part."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from bertie.nn import sequence_parts
from bertie.nn.config import EncoderConfig
from bertie.nn.encoder import Encoder
from bertie.nn.heads import mean_pool
from bertie.nn.sequence_parts import SequencePart, parts, read_states
from tests.nn.test_encoder import MODERN, TINY, encoder

BOUND = 16
LENGTHS = [9, 2, 5, 9, 1, 3, 7, 2]
IDS = torch.randint(1, 50, (8, 9), generator=torch.Generator().manual_seed(1))
MASK = torch.arange(9) < torch.tensor(LENGTHS)[:, None]  # (S, T)
TYPES = (torch.arange(9) > 3).long().expand(8, 9).contiguous()


@pytest.fixture(autouse=True)
def bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequence_parts, "TOKENS", BOUND)


def watched(model: Encoder) -> list[int]:
    """Tokens that come to the first block, call by call."""
    seen: list[int] = []
    model.layers[0].register_forward_pre_hook(lambda _, given: seen.append(given[0][..., 0].numel()))
    return seen


@pytest.mark.parametrize("config", [TINY, MODERN, replace(TINY, family="roberta", pad_id=1, position_offset=2)])
@pytest.mark.parametrize("causal", [False, True])
def test_the_states_are_those_of_all_at_once(config: EncoderConfig, causal: bool) -> None:
    model = encoder(config)
    types = TYPES if config.type_vocab_size else None
    whole = model(IDS, MASK, types, causal=causal).detach()  # with gradients nothing is divided
    seen = watched(model)
    with torch.inference_mode():
        divided = model(IDS, MASK, types, causal=causal)
    torch.testing.assert_close(divided[MASK], whole[MASK], atol=1e-6, rtol=1e-5)
    assert divided.shape == whole.shape
    assert len(seen) > 1 and max(seen) <= BOUND
    assert sum(seen) < IDS.numel(), "a part is padded to its own longest sequence"


@torch.no_grad()
def test_without_padding_and_with_padding_in_front() -> None:
    model = encoder(replace(TINY, family="roberta", pad_id=1, position_offset=2))
    left = MASK.flip(1)
    padded = IDS.clip(min=2).masked_fill(~left, 1)
    alone = [model(padded[i : i + 1, 9 - length :])[0] for i, length in enumerate(LENGTHS)]
    found = model(padded, left.long())
    for i, length in enumerate(LENGTHS):
        torch.testing.assert_close(found[i, 9 - length :], alone[i], atol=1e-6, rtol=1e-5)
    one = model(IDS[3:4])
    torch.testing.assert_close(model(IDS)[3:4], one, atol=1e-6, rtol=1e-5)


def test_usual_batches_one_sequence_and_training_stay_whole() -> None:
    model, few = encoder(), IDS[:2, :8]
    seen = watched(model)
    with torch.no_grad():
        model(few)
        model(IDS[:1].repeat(1, 2))
        model.train()(IDS, MASK)
    model.eval()(IDS, MASK)
    assert seen == [16, 18, 72, 72]


@pytest.mark.parametrize("gradient", [False, True])
def test_what_is_read_of_each_stands_in_the_order_of_the_sequences(gradient: bool) -> None:
    model, numbers = encoder(), torch.arange(8.0)
    expected = mean_pool(model(IDS, MASK), MASK).detach()
    held: list[int] = []

    def read(states: Tensor, part: SequencePart) -> Tensor:
        held.append(states[..., 0].numel())
        return torch.cat([mean_pool(states, part.attention_mask), numbers[part.places, None]], dim=1)

    with torch.set_grad_enabled(gradient):
        found = read_states(model, IDS, MASK, None, read)
    torch.testing.assert_close(found[:, :-1], expected, atol=1e-6, rtol=1e-5)
    assert found[:, -1].equal(numbers) and found.requires_grad == gradient
    assert held == [72] if gradient else max(held) <= BOUND


def test_every_sequence_is_in_one_part_and_a_text_of_padding_alone_has_a_place() -> None:
    mask = MASK.clone()
    mask[1] = False
    found = list(parts(IDS, mask, None))
    assert sorted(torch.cat([torch.as_tensor(part.places) for part in found]).tolist()) == list(range(8))
    assert all(part.input_ids.numel() <= BOUND for part in found)
    assert found[-1].attention_mask is None, "nothing is padded among sequences of one length"
