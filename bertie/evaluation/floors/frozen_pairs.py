"""Frozen pairs: a linear order of candidates on what an encoder that nobody has tuned sees in query and text together.

In:  queries with candidates, of which some are right
Out: answers in the form of re-ranking, a linear solution that the head can start from
Knows nothing of the training that follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bertie.data.batches import Example, stack
from bertie.data.rows import Rows
from bertie.evaluation.features import frozen_batches
from bertie.evaluation.floors.base import Floor, Ground, State
from bertie.nn.losses import listwise_cross_entropy
from bertie.nn.pair_head import SCALE, cosine_weight, pair_features
from bertie.tasks.base import Answer, Task
from bertie.tasks.reranking import Candidates, Reranking, sides
from bertie.text.tokenizer import Encoded

# C candidates of all rows, F features
ROWS = 400
"""Training rows that it is fitted on, spread over all: they cost the encoder as much as half an epoch of as many."""
STRENGTHS = (1e4, 1e3, 1e2, 10.0, 1.0)
"""Candidates for the pull towards the cosine, strong to weak; rows that were held out choose."""
SCALES = (0.0, 1.0, 2.0, 5.0, 10.0, 20.0)
"""Candidates for what the cosine counts before that. Both sides have seen each other in the encoder, so it may say
little, and counted in full a softmax over it can be worse than chance."""
HELD_OUT = 4
"""Every fourth row."""
STEPS = 40


@dataclass(frozen=True)
class FrozenPairs(Floor):
    """Softmax over the candidates of each row, of a linear score of the features that the head reads.

    The penalty is the distance from the bare cosine of the two sides, times what it is worth: the floor starts as an
    order that is sound, and learns how to leave it only as far as held-out rows allow.
    """

    name: ClassVar[str] = "frozen_pairs"
    tasks: ClassVar[tuple[str, ...]] = ("reranking",)
    reads_encoder: ClassVar[bool] = True
    bounds_rows: ClassVar[bool] = True
    weight: NDArray[np.float32]  # (F,) over `pair_features`
    encoder: str
    """Fingerprint of the encoder whose features these are."""

    @classmethod
    def fit(cls, train: Rows, ground: Ground) -> FrozenPairs:
        rows = train.take(range(0, len(train), max(1, len(train) // ROWS)))
        lists = [one for one in _lists(ground, ground.encode(rows)) if one.right is not None]
        held, fitted = lists[::HELD_OUT], [one for i, one in enumerate(lists) if i % HELD_OUT] or lists
        cosine, known = cosine_weight(lists[0].features.shape[1] // 3) / SCALE, _joined(lists)
        base = min((scale * cosine for scale in SCALES), key=lambda weight: float(_loss(known, weight)))
        solutions = [_solve(fitted, strength, base) for strength in STRENGTHS]
        best = min(range(len(STRENGTHS)), key=lambda i: float(_loss(_joined(held), solutions[i])))
        return cls(_solve(lists, STRENGTHS[best], base).numpy(), ground.fingerprint)

    def predict(self, rows: Rows, ground: Ground) -> list[Answer]:
        ground.prove(self.encoder)
        weight = torch.from_numpy(self.weight)
        return [{"scores": (one.features @ weight).tolist()} for one in _lists(ground, ground.encode(rows))]

    def start(self, task: Task) -> bool:
        """Kumar et al. 2022: probe, then tune."""
        if not isinstance(task, Reranking):
            return False
        task.start_from(torch.from_numpy(self.weight))
        return True

    def state(self) -> State:
        return State({"encoder": self.encoder}, {"weight": self.weight})

    @classmethod
    def from_state(cls, state: State) -> FrozenPairs:
        return cls(state.weights["weight"], state.document["encoder"])


@dataclass(frozen=True)
class _List:
    """The candidates of one row."""

    features: Tensor  # (C, F)
    right: Tensor | None  # (C,)


def _lists(ground: Ground, examples: Sequence[Example]) -> list[_List]:
    """What the head would read, of each candidate; of a long text its first window."""
    device = next(ground.encoder.parameters()).device

    def compute(chosen: list[Example]) -> Tensor:
        batch = stack(chosen, ground.tokenizer.pad_id).to(device)
        states = ground.encoder(batch.input_ids, batch.attention_mask, batch.token_type_ids)
        return pair_features(states, *sides(batch)).cpu()

    single = [Example((sequence,)) for example in examples for sequence in _first_windows(example)]
    found: dict[int, Tensor] = {}
    for places, features in frozen_batches(ground.encoder, single, [one.cost for one in single], compute, ground.dtype):
        found.update(zip(places, features, strict=True))
    rows = iter(found[i].clone() for i in range(len(single)))
    return [
        _List(
            torch.stack([next(rows) for _ in _first_windows(example)]),
            None if example.target is None else torch.tensor(example.target),
        )
        for example in examples
    ]


def _first_windows(example: Example) -> list[Encoded]:
    assert isinstance(example, Candidates)
    starts = np.cumsum([0, *example.windows[:-1]])
    return [example.sequences[i] for i in starts]


def _joined(lists: Sequence[_List]) -> tuple[Tensor, Tensor, Tensor, int]:
    """Features (C, F), which are right (C,), the row of each (C,), rows."""
    right = torch.cat([one.right for one in lists if one.right is not None])
    row = torch.tensor([r for r, one in enumerate(lists) for _ in one.features])
    return torch.cat([one.features for one in lists]), right, row, len(lists)


def _loss(joined: tuple[Tensor, Tensor, Tensor, int], weight: Tensor) -> Tensor:
    features, right, row, rows = joined
    return listwise_cross_entropy(features @ weight, right, row, rows)


def _solve(lists: Sequence[_List], strength: float, base: Tensor) -> Tensor:
    """The weight (F,) with the least loss and distance from `base`, by L-BFGS; the problem is convex."""
    joined = _joined(lists)
    change = torch.zeros_like(base, requires_grad=True)
    search = torch.optim.LBFGS([change], max_iter=STEPS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        search.zero_grad()
        loss = _loss(joined, base + change) + strength / (2 * len(lists)) * change.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    with torch.enable_grad():
        search.step(closure)  # type: ignore[no-untyped-call]
    return (base + change).detach()
