"""First attention: the heads of the first block see the neighbours of each token, wherever it stands."""

from __future__ import annotations

import pytest
import torch

from bertie.nn.config import EncoderConfig
from bertie.nn.encoder import Encoder
from bertie.nn.first_attention import OFFSETS, start_attention

SHAPE = EncoderConfig(vocab_size=500, hidden_size=256, layers=2, heads=4, intermediate_size=64, max_positions=512)
RANDOM_WORDS = 30


def started(shape: EncoderConfig = SHAPE) -> Encoder:
    torch.manual_seed(0)
    encoder = Encoder(shape).eval()
    start_attention(encoder, 3)
    return encoder


@pytest.mark.parametrize("length", [12, 100, 512])
@torch.no_grad()
def test_each_head_sees_mostly_one_neighbour(length: int) -> None:
    torch.manual_seed(1)
    ids = torch.randint(1, 500, (RANDOM_WORDS if length < 200 else 3, length))
    weights = started().attentions(ids)[0]  # (B, H, T, T)
    for head, offset in enumerate(OFFSETS):
        seen = weights[:, head].mean(dim=0)
        there = torch.stack([seen.diagonal(k).mean() for k in range(-4, 5)])
        assert int(there.argmax()) - 4 == offset, f"head {head}: {there}"
        assert float(there.max()) > 0.5


def test_what_stood_there_comes_through() -> None:
    """A changed neighbour changes what leaves the first block's attention in the direction of its own vector."""
    encoder = started()
    ids = torch.randint(1, 500, (1, 20))
    changed = ids.clone()
    changed[0, 9] = (ids[0, 9] + 7) % 499 + 1
    block = encoder.layers[0]
    before, after = (encoder.embeddings(one) for one in (ids, changed))
    moved = block.attention(after) - block.attention(before)  # type: ignore[operator, union-attr]
    step = (after - before)[0, 9]
    beside, far = moved[0, 10] @ step, moved[0, 15] @ step
    assert float(beside) > 5 * abs(float(far)) and float(beside) > 0.05 * float(step @ step)


def test_any_number_of_heads_and_the_same_again_from_the_same_seed() -> None:
    shape = EncoderConfig(vocab_size=50, hidden_size=36, layers=1, heads=12, intermediate_size=24, max_positions=64)
    one, other = started(shape), started(shape)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert torch.isfinite(one(torch.randint(1, 50, (2, 64)))).all()
