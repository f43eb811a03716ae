"""Label shift: labels that are given in other shares where a model will be used than where it learns.

In:  how often each label stands in the training rows and in those that stand for its use
Out: the logarithm of the ratio of the shares, for each label; nothing where the two do not clearly differ
Knows nothing of rows and models.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from scipy.stats import chisquare

CHANCE = 1e-3
"""Probability of a difference like this among rows drawn alike (Pearson's test) below which it is taken for real."""
FEWEST = 5.0
"""Rows of a label that must be expected for the test to hold; rarer labels are counted as one."""


def label_shift(learned: Mapping[str, int], expected: Mapping[str, int]) -> dict[str, float]:
    """log(share where it is used / share in training) of each label of `learned`; empty without a clear difference.

    A posterior p(y|x) of the training becomes that of the use by adding this to its logits (Saerens et al. 2002,
    equation 2.4). The shares of the use are drawn towards the training's as by one row for each label, so that a label
    that happens to be missing there is rarer, not impossible. A label that training never saw is not counted.
    """
    labels = list(learned)
    counts = np.array([expected.get(label, 0) for label in labels], dtype=np.float64)  # (C,)
    shares = np.array([learned[label] for label in labels], dtype=np.float64) / sum(learned.values())  # (C,)
    rows = counts.sum()
    rare = shares * rows < FEWEST
    found = np.append(counts[~rare], counts[rare].sum())
    alike = np.append(shares[~rare], shares[rare].sum()) * rows
    kept = alike > 0
    if kept.sum() < 2 or not chisquare(found[kept], alike[kept]).pvalue < CHANCE:
        return {}
    drawn = (counts + len(labels) * shares) / (rows + len(labels))
    return {label: math.log(ratio) for label, ratio in zip(labels, (drawn / shares).tolist(), strict=True)}
