"""Search without training: BM25, and the vectors of the encoder as it came.

In:  queries with what should be found for them
Out: for each query all texts to be found, best first
Knows nothing of the training that follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags
from sklearn.feature_extraction.text import CountVectorizer

from bertie.data.rows import Rows
from bertie.evaluation.features import pooled_features
from bertie.evaluation.floors.base import Floor, Ground, State
from bertie.tasks.base import Answer
from bertie.text.language import detect

SATURATION, LENGTH = 1.2, 0.75
"""k1 and b of BM25, as usual."""
RANKED = 100
BLOCK = 512
"""Queries that are compared at once."""


@dataclass(frozen=True)
class Bm25(Floor):
    """Okapi BM25 (Robertson & Zaragoza 2009, equation 3.15) over words, for Chinese over one and two characters."""

    name: ClassVar[str] = "bm25"
    tasks: ClassVar[tuple[str, ...]] = ("embedding",)
    compares_rows: ClassVar[bool] = True

    @classmethod
    def fit(cls, train: Rows, ground: Ground) -> Bm25:
        return cls()

    def predict(self, rows: Rows, ground: Ground) -> list[Answer]:
        """Frequencies are those of the texts to be found in these rows."""
        texts = list(dict.fromkeys(rows.column("positive")))
        counter = _counter(texts)
        try:
            counts = counter.fit_transform(texts).astype(np.float64)  # (P, F)
        except ValueError:  # no text has a word
            return [{"ranked": texts[:RANKED]} for _ in rows]
        weights = _bm25(csr_matrix(counts))
        asked = csr_matrix(counter.transform(rows.column("query")))  # (N, F)
        found: list[Answer] = []
        for start in range(0, len(rows), BLOCK):
            found += _best(np.asarray((asked[start : start + BLOCK] @ weights.T).todense()), texts)
        return found

    def state(self) -> State:
        """There is nothing to keep."""
        return State({}, {})

    @classmethod
    def from_state(cls, state: State) -> Bm25:
        return cls()


@dataclass(frozen=True)
class UntunedEncoder(Floor):
    """The cosine of the vectors that the encoder gives before any training."""

    name: ClassVar[str] = "untuned_encoder"
    tasks: ClassVar[tuple[str, ...]] = ("embedding",)
    compares_rows: ClassVar[bool] = True
    reads_encoder: ClassVar[bool] = True

    @classmethod
    def fit(cls, train: Rows, ground: Ground) -> UntunedEncoder:
        return cls()

    def predict(self, rows: Rows, ground: Ground) -> list[Answer]:
        texts = list(dict.fromkeys(rows.column("positive")))
        candidates, asked = self._vectors(texts, ground), self._vectors(rows.column("query"), ground)
        return _best(asked @ candidates.T, texts)

    def state(self) -> State:
        """There is nothing to keep."""
        return State({}, {})

    @classmethod
    def from_state(cls, state: State) -> UntunedEncoder:
        return cls()

    @staticmethod
    def _vectors(texts: list[str], ground: Ground) -> NDArray[np.float32]:
        examples = ground.encode(Rows([{"text": text} for text in texts]))
        found = pooled_features(ground.encoder, examples, ground.tokenizer.pad_id, ground.dtype)  # (P, D)
        lengths: NDArray[np.float32] = np.linalg.norm(found, axis=1, keepdims=True).clip(min=1e-12)
        return found / lengths


def _counter(texts: list[str]) -> CountVectorizer:
    if detect(texts[:: max(1, len(texts) // 2000)]).latin > 0.5:
        return CountVectorizer(token_pattern=r"(?u)\w+")
    return CountVectorizer(analyzer="char", ngram_range=(1, 2))


def _bm25(counts: csr_matrix) -> csr_matrix:
    """Counts (P, F) to the weight that a query's term has in each text."""
    texts, lengths = counts.shape[0], np.asarray(counts.sum(axis=1)).ravel()  # (P,)
    holding = np.asarray((counts > 0).sum(axis=0)).ravel()  # (F,) texts that hold the term
    rarity = np.log1p((texts - holding + 0.5) / (holding + 0.5))  # (F,)
    norm = SATURATION * (1 - LENGTH + LENGTH * lengths / max(lengths.mean(), 1e-9))  # (P,)
    weights = counts.copy()
    places = np.repeat(np.arange(texts), np.diff(counts.indptr))
    weights.data = counts.data * (SATURATION + 1) / (counts.data + norm[places])
    return csr_matrix(weights @ diags(rarity))


def _best(scores: NDArray[np.floating], texts: list[str]) -> list[Answer]:
    """Scores (N, P) to the best texts of each row."""
    return [{"ranked": [texts[i] for i in np.argsort(-row, kind="stable")[:RANKED]]} for row in scores]
