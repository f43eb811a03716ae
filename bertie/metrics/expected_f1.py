"""Expected F1: what a span can hope to score before the right one is known.

In:  places of a text, and how likely each of them is the right one
Out: the mean F1 of each place over all of them as the truth
Knows nothing of texts or models.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# K places, k of them at once
CELLS = 1 << 20
"""Pairs of places that are compared at once: a long passage has thousands of places, and tens of millions of pairs."""


def expected_f1(places: NDArray[np.int64], chances: NDArray[np.float64]) -> NDArray[np.float64]:
    """The F1 by characters of each place [start, end) (K, 2), each being right with its chance (K,): (K,), 0 to 1.

    The largest is the answer of least risk (Kumar & Byrne 2004, minimum Bayes risk decoding). Chances that do not sum
    to 1 leave the rest to a truth that shares no character with any place. No place is empty.
    """
    at_once = max(1, CELLS // max(1, len(places)))
    found = [_expected(places[k : k + at_once], places, chances) for k in range(0, len(places), at_once)]
    return np.concatenate([np.zeros(0), *found])


def _expected(some: NDArray[np.int64], places: NDArray[np.int64], chances: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same of some places (k, 2): (k,)."""
    (first, last), (start, end) = some.T[:, :, None], places.T
    shared = np.minimum(last, end) - np.maximum(first, start)  # (k, K)
    f1 = 2 * shared.clip(min=0) / ((last - first) + (end - start))
    found: NDArray[np.float64] = f1 @ chances
    return found
