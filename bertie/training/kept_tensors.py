"""The tensors that autograd keeps for the way back: how many bytes of them live at once.

In:  every tensor as it is kept
Out: bytes; what a graph gives back, once it was gone through or is forgotten, no longer counts
Knows nothing of models.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Tensor


class KeptTensors:
    """Counts while `watched` is entered. One step may be several passes, of which not all live at once."""

    def __init__(self, own: Collection[int]) -> None:
        """`own`: addresses of what is there anyway, as weights are."""
        self.most, self.largest = 0, 0
        """Bytes that lived at the highest point, and of the largest tensor."""
        self._own, self._now = own, 0
        self._times: Counter[int] = Counter()  # by address: many keep the same tensor

    def watched(self) -> torch.autograd.graph.saved_tensors_hooks:
        """A context in which all that is kept is counted."""
        return torch.autograd.graph.saved_tensors_hooks(self._keep, lambda kept: kept.tensor)

    def count(self, tensor: Tensor, times: int) -> None:
        """Kept once more, 1, or given back, -1."""
        storage = tensor.untyped_storage()
        address, size = storage.data_ptr(), storage.nbytes()
        if address in self._own:
            return
        before = self._times[address]
        self._times[address] += times
        if 0 in (before, before + times):
            self._now += times * size
        self.most, self.largest = max(self.most, self._now), max(self.largest, size)

    def _keep(self, tensor: Tensor) -> _Kept:
        self.count(tensor, 1)
        return _Kept(tensor.detach(), self)  # what a graph gave holds the graph, which then would never be forgotten


@dataclass
class _Kept:
    """A tensor in a graph. It lives as long as the graph keeps it."""

    tensor: Tensor
    by: KeptTensors

    def __del__(self) -> None:
        self.by.count(self.tensor, -1)
