"""Expected F1: what a span can hope to score before the right one is known.

In:  places of a text, and how likely each of them is the right one
Out: the mean F1 of each place over all of them as the truth
Knows nothing of texts or models.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# K places


def expected_f1(places: NDArray[np.int64], chances: NDArray[np.float64]) -> NDArray[np.float64]:
    """The F1 by characters of each place [start, end) (K, 2), each being right with its chance (K,): (K,), 0 to 1.

    The largest is the answer of least risk (Kumar & Byrne 2004, minimum Bayes risk decoding). Chances that do not sum
    to 1 leave the rest to a truth that shares no character with any place. No place is empty.
    """
    start, end = places.T
    shared = np.minimum(end[:, None], end) - np.maximum(start[:, None], start)  # (K, K)
    lengths = end - start
    f1 = 2 * shared.clip(min=0) / (lengths[:, None] + lengths)
    found: NDArray[np.float64] = f1 @ chances
    return found
