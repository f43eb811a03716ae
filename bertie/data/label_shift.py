"""Label shift: labels that are given in other shares where a model will be used than where it learns.

In:  how often each label stands in the training rows and in those that stand for its use
Out: the logarithm of the ratio of the shares, for each label; nothing where no label's share clearly differs
Knows nothing of rows and models.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from scipy.stats import binom

CHANCE = 1e-3
"""Probability that any label of rows drawn alike differs so much (exact binomial, Bonferroni) below which it is taken
for real. One test of all labels together would not see the one that differs among 150 that do not."""


def label_shift(learned: Mapping[str, int], expected: Mapping[str, int]) -> dict[str, float]:
    """log(share where it is used / share in training) of each label of `learned`; empty without a clear difference.

    A posterior p(y|x) of the training becomes that of the use by adding this to its logits (Saerens et al. 2002,
    equation 2.4). Labels whose share does not clearly differ share what the others leave, as in training. The shares of
    the use are drawn towards the training's as by one row for each label, so that a label that happens to be missing
    there is rarer, not impossible. A label that training never saw is not counted.
    """
    labels = list(learned)
    counts = np.array([expected.get(label, 0) for label in labels], dtype=np.int64)  # (C,)
    shares = np.array([learned[label] for label in labels], dtype=np.float64) / sum(learned.values())  # (C,)
    rows = int(counts.sum())
    fewer, more = binom.cdf(counts, rows, shares), binom.sf(counts - 1, rows, shares)
    differ = 2 * np.minimum(fewer, more) * len(labels) < CHANCE  # (C,)
    if not rows or not differ.any():
        return {}
    drawn = (counts + len(labels) * shares) / (rows + len(labels))
    left, before = 1.0 - drawn[differ].sum(), 1.0 - shares[differ].sum()
    drawn[~differ] = shares[~differ] * (left / before if before > 0 else 1.0)
    return {label: math.log(ratio) for label, ratio in zip(labels, (drawn / shares).tolist(), strict=True)}
