"""A new vocabulary for an encoder that has learned: its body is kept, its word vectors are made anew.

In:  an encoder with its output layer, for each new piece the old pieces of its text
Out: the encoder with a table for the new vocabulary
Knows nothing of tokenizers: `text/shared_pieces.py` tells which pieces belong together.

A piece that both vocabularies know keeps its vector, any other is the mean of the old vectors of its parts (Gee et al.
2022, fast vocabulary transfer; the first half also FOCUS, Dobler and de Melo 2023). FOCUS and WECHSEL (Minixhofer et
al. 2022) weigh whole old pieces by similarity in static vectors of another source instead, which nothing here asks for.
What has no part is drawn from the normal distribution of the old vectors (Minixhofer et al. 2022, section 3).
"""

# V pieces, E width of the word vectors

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

import torch
from torch import Tensor
from torch.nn import functional as F

from bertie.nn.checkpoint import LoadedEncoder
from bertie.nn.config import EncoderConfig
from bertie.nn.encoder import Encoder

WORDS, POSITIONS, SEGMENTS = (f"embeddings.{name}_embeddings.weight" for name in ("word", "position", "token_type"))
BIAS = "masked_lm.bias"
Parts = Sequence[Sequence[int]]


def with_vocabulary(loaded: LoadedEncoder, parts: Parts, pad_id: int) -> LoadedEncoder:
    """The same encoder for another vocabulary.

    Args:
        loaded: in fp32; it is left as it is.
        parts: for each piece of the new vocabulary the ids of its parts in the old one, none where it has none.
        pad_id: the new id of padding.
    """
    old = loaded.encoder.config
    config = _config(old, len(parts), pad_id)
    weights = dict(loaded.encoder.state_dict())
    weights[WORDS] = composed(weights[WORDS], parts)
    if old.position_offset:
        # Positions are counted from pad_id + 1: the rows of real ones move with it.
        unused = weights[POSITIONS].new_zeros(config.position_offset, config.embedding_width)
        weights[POSITIONS] = torch.cat([unused, weights[POSITIONS][old.position_offset :]])
    if config.type_vocab_size != old.type_vocab_size:
        weights[SEGMENTS] = weights[SEGMENTS].repeat(config.type_vocab_size, 1)
    with torch.device("meta"):
        encoder = Encoder(config)
    encoder.load_state_dict({name: weight.clone() for name, weight in weights.items()}, assign=True)
    heads = dict(loaded.heads)
    if BIAS in heads:
        heads[BIAS] = composed(heads[BIAS].unsqueeze(1), parts).squeeze(1)  # (V,)
    for parameter in encoder.parameters():
        parameter.requires_grad_(True)
    return LoadedEncoder(encoder.eval(), loaded.report, heads)


@torch.no_grad()
def composed(table: Tensor, parts: Parts) -> Tensor:
    """Rows of a table (V, E) as means of its rows (V', E); those of no parts are drawn like the table's."""
    counts = torch.tensor([len(ids) for ids in parts])
    starts = counts.cumsum(0) - counts
    flat = torch.tensor(list(chain.from_iterable(parts)), dtype=torch.long)
    made = F.embedding_bag(flat, table, starts, mode="mean")  # (V', E)
    missing = counts == 0
    mean, deviation = table.mean(dim=0), table.std(dim=0)  # (E,) each
    made[missing] = mean + deviation * torch.randn(int(missing.sum()), table.shape[1])
    return made


def _config(old: EncoderConfig, vocabulary: int, pad_id: int) -> EncoderConfig:
    offset = pad_id + 1 if old.position_offset else 0
    return replace(
        old,
        vocab_size=vocabulary,
        pad_id=pad_id,
        position_offset=offset,
        max_positions=old.max_length + offset,
        # A tokenizer of ours marks the second of two texts, which RoBERTa's never does.
        type_vocab_size=2 if old.type_vocab_size == 1 else old.type_vocab_size,
    )
