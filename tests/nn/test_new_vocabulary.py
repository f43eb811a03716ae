"""An encoder with another vocabulary: the same states for the pieces that are the same."""

from __future__ import annotations

import pytest
import torch

from bertie.nn.checkpoint import LoadedEncoder, LoadReport
from bertie.nn.config import EncoderConfig
from bertie.nn.encoder import Encoder
from bertie.nn.new_vocabulary import composed, with_vocabulary

SHAPE = {"vocab_size": 12, "hidden_size": 16, "layers": 2, "heads": 2, "intermediate_size": 32}


def loaded(**options: object) -> LoadedEncoder:
    torch.manual_seed(0)
    encoder = Encoder(EncoderConfig(**{**SHAPE, **options})).eval()  # type: ignore[arg-type]
    return LoadedEncoder(encoder, LoadReport(), {"masked_lm.bias": torch.arange(12.0)})


def test_rows_are_means_of_their_parts_and_the_rest_is_drawn_like_the_table() -> None:
    torch.manual_seed(0)
    table = torch.randn(500, 4) * torch.tensor([1.0, 2.0, 0.1, 5.0]) + torch.tensor([0.0, 1.0, 2.0, -3.0])
    made = composed(table, [[3], [1, 5, 5], *([] for _ in range(3000))])
    torch.testing.assert_close(made[0], table[3])
    torch.testing.assert_close(made[1], (table[1] + 2 * table[5]) / 3)
    torch.testing.assert_close(made[2:].mean(0), table.mean(0), atol=0.3, rtol=0.0)
    torch.testing.assert_close(made[2:].std(0), table.std(0), atol=0.0, rtol=0.1)
    assert len(composed(table, [[], []])) == 2


@pytest.mark.parametrize(
    ("options", "pad"),
    [({}, 0), ({"embedding_size": 8}, 2), ({"family": "roberta", "pad_id": 1, "position_offset": 2}, 0)],
)
def test_the_same_pieces_under_new_numbers_give_the_same_states(options: dict[str, object], pad: int) -> None:
    old = loaded(**options, max_positions=10, type_vocab_size=1)
    before = old.encoder(torch.tensor([[2, 7, 9, 3]]))
    order = [old.encoder.config.pad_id, 2, 7, 9, 3, 11]  # new id to old id
    order[0], order[pad] = order[pad], order[0]
    new = with_vocabulary(old, [[i] for i in order], pad)
    ids = torch.tensor([[order.index(i) for i in (2, 7, 9, 3)]])
    torch.testing.assert_close(new.encoder(ids), before)
    padded = torch.cat([ids, torch.tensor([[pad, pad]])], dim=1)
    torch.testing.assert_close(new.encoder(padded, (padded != pad).long())[:, :4], before)
    assert new.encoder.config.max_length == old.encoder.config.max_length
    assert new.heads["masked_lm.bias"].tolist() == [float(i) for i in order]
    new.encoder(ids, token_type_ids=torch.ones_like(ids))  # a tokenizer of ours has segments
    assert len(old.encoder.embeddings.word_embeddings.weight) == len(old.heads["masked_lm.bias"]) == 12


def test_it_can_be_trained() -> None:
    new = with_vocabulary(loaded(), [[1], [], [2, 3]], 0).encoder
    new(torch.tensor([[1, 2]])).sum().backward()
    assert all(parameter.requires_grad for parameter in new.parameters())
