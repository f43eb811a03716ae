"""Replay: passages of another text among those of each round, so that what was known is not forgotten.

Robins 1995; for language models Ibrahim et al. 2024, who replay 5 % where the new text is near to the old one, 25 %
where it is far.

In:  the rounds of a training, documents of the other text, the share of its passages
Out: rounds in which that share of the passages is the other text's; the same for the same seed and round
Knows nothing of models, losses or of how documents were tokenised.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import overload

import numpy as np

from bertie.data.batches import Example
from bertie.data.passages import Arrangement, Curriculum, Documents, Passages, readable


class Replay:
    """Rounds of a curriculum, each with as many passages of other documents that these are `share` of all."""

    def __init__(self, own: Curriculum, others: Documents, share: float, fingerprint: str) -> None:
        """`share` is 0 to below 1; `fingerprint` is that of the other documents."""
        self.own, self.others, self.share, self.pace = own, others, share, own.pace
        self.readable = readable(others)
        self.fingerprint = f"{own.fingerprint} replay {share} {fingerprint}"

    def at(self, epoch: int, fitting: float = 1.0) -> Sequence[Example]:
        """The examples of a round, counted from 0; `fitting` as in `Rounds`."""
        own = self.own.at(epoch, fitting)
        count = round(len(own) * self.share / (1.0 - self.share))
        return _Both(own, self._drawn(count, epoch, own.how), count)

    def _drawn(self, count: int, epoch: int, how: Arrangement) -> Passages:
        """At least `count` passages of documents drawn by lot; all are drawn before one is drawn again."""
        random = np.random.default_rng((self.own.seed, 4, epoch))
        chosen: list[int] = []
        while count > 0:
            order = random.permutation(self.readable)
            passages = np.ceil(self.others.lengths[order] / how.room).cumsum()
            taken = int(np.searchsorted(passages, count)) + 1
            chosen += order[:taken].tolist()
            count -= int(passages[min(taken, len(order)) - 1])
        return Passages(self.others, chosen, how, (self.own.seed, 5, epoch))


class _Both(Sequence[Example]):
    """All of one round, then the first `count` passages of another."""

    def __init__(self, first: Passages, second: Passages, count: int) -> None:
        self.first, self.second, self.taken = first, second, min(count, len(second))

    def __len__(self) -> int:
        return len(self.first) + self.taken

    @cached_property
    def costs(self) -> list[int]:
        """Tokens of each passage."""
        return self.first.costs + self.second.costs[: self.taken]

    @overload
    def __getitem__(self, index: int) -> Example: ...
    @overload
    def __getitem__(self, index: slice) -> list[Example]: ...
    def __getitem__(self, index: int | slice) -> Example | list[Example]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        place = index % len(self)
        return self.first[place] if place < len(self.first) else self.second[place - len(self.first)]
