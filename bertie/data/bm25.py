"""BM25: which texts share rare words with a query.

In:  texts that can be found; queries
Out: scores (N, P), 0 and up
Knows nothing of encoders or of what is made of the order.

Okapi BM25 (Robertson & Zaragoza 2009, equation 3.15) over words, and over one and two characters of scripts that are
written without spaces, such as Chinese. A text may hold both.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags
from sklearn.feature_extraction.text import CountVectorizer

from bertie.metrics.tokens import fold_width

# N queries, P texts, F terms
SATURATION, LENGTH = 1.2, 0.75
"""k1 and b, as usual."""
Floats = NDArray[np.float64]
_WORD = r"0-9a-z_\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u0370-\u052f"
"""Digits, and letters of scripts that have spaces between words: Latin, Greek, Cyrillic."""
_RUN = re.compile(rf"([{_WORD}]+)|((?:[^\W{_WORD}]|[\u0530-\u1cff])+)")
"""A word; or other letters beside each other, with the vowel signs of Indic scripts and Thai, which are no letters."""


@dataclass(frozen=True)
class Bm25Index:
    """Texts by what their terms weigh; how rare a term is, is counted over these texts."""

    texts: int
    counter: CountVectorizer | None
    """None: no text has a term."""
    weights: csr_matrix  # (P, F)

    @classmethod
    def of(cls, texts: Sequence[str]) -> Bm25Index:
        """Counts the terms of the texts that can be found."""
        counter = CountVectorizer(analyzer=terms)
        try:
            counts = counter.fit_transform(texts).astype(np.float64)  # (P, F)
        except ValueError:  # no text has a term
            return cls(len(texts), None, csr_matrix((len(texts), 0)))
        return cls(len(texts), counter, _weights(csr_matrix(counts)))

    def scores(self, queries: Sequence[str]) -> Floats:
        """(N, P). All texts for each query: a caller with many queries asks for a block of them at a time."""
        if self.counter is None:
            return np.zeros((len(queries), self.texts))
        asked = csr_matrix(self.counter.transform(queries))  # (N, F)
        return np.asarray((asked @ self.weights.T).todense())


def terms(text: str) -> list[str]:
    """Words in lower case, and of each run of other letters its characters and pairs of neighbours; no marks."""
    found = list[str]()
    for word, run in _RUN.findall(fold_width(text).lower()):
        found += [word] if word else [*run, *map("".join, pairwise(run))]
    return found


def _weights(counts: csr_matrix) -> csr_matrix:
    """Counts (P, F) to the weight that a query's term has in each text."""
    texts, lengths = counts.shape[0], np.asarray(counts.sum(axis=1)).ravel()  # (P,)
    holding = np.asarray((counts > 0).sum(axis=0)).ravel()  # (F,) texts that hold the term
    rarity = np.log1p((texts - holding + 0.5) / (holding + 0.5))  # (F,)
    norm = SATURATION * (1 - LENGTH + LENGTH * lengths / max(lengths.mean(), 1e-9))  # (P,)
    weights = counts.copy()
    places = np.repeat(np.arange(texts), np.diff(counts.indptr))
    weights.data = counts.data * (SATURATION + 1) / (counts.data + norm[places])
    return csr_matrix(weights @ diags(rarity))
