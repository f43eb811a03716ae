"""Only the word vectors that the training texts use are trained.

In:  a model, its training examples
Out: while it is entered, a model with a small trainable table of words; afterwards the model as it was, trained
Knows nothing of the loop.

A vocabulary has 30,000 to 250,000 rows; some thousand texts use a part of them, a batch a few hundred. The gradient of
an embedding is nevertheless as large as the table, and so are the optimiser's passes over it. A row that never occurs
has gradient zero for ever, and SGD and Adam without weight decay never move it: leaving it out changes no number, only
time and memory. Measured on one core, 6 layers x 384: steps of 360 tokens are 1.3 times as fast with a vocabulary of
50,000; steps of 1,000 tokens with one of 30,522 as fast as before. The gradient and the optimiser's two tables of the
vocabulary's size are gone from memory and checkpoints in any case.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bertie.data.batches import Examples, Rounds
from bertie.training.model import TrainingModel
from bertie.training.settings import Optimizer

WORTH = 0.7
"""Above this part of the rows in use the detour does not pay."""
EXACT = {"sgd", "adam", "adamw"}
"""Methods that never move a row whose gradient is zero. Adafactor's column means are over all rows."""


class UsedRows(nn.Module):
    """Stands in for an `nn.Embedding`; to `state_dict` and `load_state_dict` it looks like one.

    It has no `weight` on purpose: who reads the table past the look-up (a tied output layer) must not find half of it.
    """

    def __init__(self, table: nn.Embedding, used: Tensor) -> None:
        """`used` holds the token ids in use, (U,) long, rising, on the table's device; padding among them."""
        super().__init__()
        self.table = table.requires_grad_(False)  # (V, E)
        self.rows = nn.Parameter(table.weight.detach()[used])  # (U, E)
        place = torch.full((table.num_embeddings,), -1, device=used.device)
        place[used] = torch.arange(len(used), device=used.device)
        self.used: Tensor
        self.place: Tensor
        self.register_buffer("used", used, persistent=False)
        self.register_buffer("place", place, persistent=False)  # (V,) where an id stands in `rows`; -1: nowhere
        self.padding = None if table.padding_idx is None else int(place[table.padding_idx])
        self.register_state_dict_post_hook(_as_embedding)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_pre_hook(_from_embedding)  # type: ignore[no-untyped-call]

    def forward(self, input_ids: Tensor) -> Tensor:
        """(B, T) to (B, T, E). An id that training does not use (it may stand in the dev set) has its old row."""
        place = self.place[input_ids]  # (B, T)
        known = place >= 0  # (B, T)
        found = F.embedding(place.clamp(min=0), self.rows, self.padding)  # (B, T, E)
        return found if bool(known.all()) else torch.where(known.unsqueeze(-1), found, self.table(input_ids))

    @torch.no_grad()
    def write_back(self) -> None:
        """Puts the trained rows into the table."""
        self.table.weight[self.used] = self.rows


@contextmanager
def used_rows(model: TrainingModel, examples: Examples, settings: Optimizer) -> Iterator[None]:
    """Trains only the used rows where that is exact and pays; else does nothing."""
    embeddings = model.encoder.embeddings
    table = embeddings.word_embeddings
    exact = settings.name in EXACT and table.weight.requires_grad and not model.whole_vocabulary
    if not exact or isinstance(examples, Rounds) or _shared(model, table.weight):
        yield
        return
    used = torch.tensor(
        sorted({i for e in examples for s in e.sequences for i in s.ids} | {model.encoder.config.pad_id})
    )
    if len(used) > WORTH * table.num_embeddings:
        yield
        return
    standing_in = UsedRows(table, used.to(table.weight.device))
    embeddings.word_embeddings = standing_in  # type: ignore[assignment]
    try:
        yield
    finally:
        standing_in.write_back()
        embeddings.word_embeddings = table.requires_grad_(True)


def _shared(model: nn.Module, weight: Tensor) -> bool:
    """Whether another module holds the same parameter."""
    holders = [m for m in model.modules() for p in m.parameters(recurse=False) if p is weight]
    return len(holders) > 1


def _as_embedding(module: nn.Module, state: dict[str, Any], prefix: str, _: Any) -> None:
    assert isinstance(module, UsedRows)
    module.write_back()
    del state[f"{prefix}rows"]
    state[f"{prefix}weight"] = state.pop(f"{prefix}table.weight")


def _from_embedding(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    assert isinstance(module, UsedRows)
    weight = state.pop(f"{prefix}weight")
    state[f"{prefix}table.weight"], state[f"{prefix}rows"] = weight, weight[module.used.to(weight.device)]
