"""Retrieval: a first search by vectors, and a second look at the best that it found.

    query --vector--> cosine to all texts --best--> candidates --re-ranking--> both scores weighed --> order

In:  a model of the embedding task, perhaps one of re-ranking; the texts that can be found
Out: for each query the best texts, best first; how much the second look should count
Knows nothing of where the texts come from.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bertie.core.errors import DataError, UsageError
from bertie.data.mining import best_places, query_blocks
from bertie.data.rows import check_several
from bertie.metrics.ranking import ndcg
from bertie.predict import Predictor, load_torch
from bertie.tasks.reranking import Reranking
from bertie.workflow.embed import embed, embedder, require_vectors

# P texts, D width
WEIGHTS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Candidates for how much the second look counts; of equally good ones the smallest, which trusts it least."""


@dataclass(frozen=True)
class Found:
    """What a search gives for one query: texts, best first, each with its scores."""

    texts: list[str]
    cosines: list[float]
    scores: list[float] = field(default_factory=list)
    """Of the re-ranking; empty without one."""


@dataclass(frozen=True, kw_only=True)
class Retriever:
    """Texts that can be searched. Safe to call from one thread at a time."""

    first: Predictor
    """Of the embedding task."""
    second: Predictor | None
    """Of re-ranking; None: the first search decides."""
    texts: list[str]
    vectors: NDArray[np.float32]  # (P, D)
    depth: int = 20
    """How many of the first search the second look orders."""
    weight: float = 0.5
    """How much the second look counts, 0 to 1."""

    @classmethod
    def of(
        cls, embedding: str | Path | Predictor, texts: Sequence[str], reranking: str | Path | Predictor | None = None
    ) -> Retriever:
        """Embeds the texts, each once. Models as `bertie embed` takes them; UsageError: one of another task. DataError,
        as from a search: one text stands where a list is expected.
        """
        check_several(texts)
        first = require_vectors(embedding) if isinstance(embedding, Predictor) else embedder(embedding)
        second = reranking if isinstance(reranking, Predictor) or reranking is None else load_torch(reranking)
        if second is not None and not isinstance(second.task, Reranking):
            raise UsageError(f"{second.name}: is a model of {second.task.name}, expected one of reranking")
        distinct = list(dict.fromkeys(texts))
        if not distinct:
            raise UsageError("there are no texts to be found; give at least one")
        return cls(first=first, second=second, texts=distinct, vectors=embed(first, distinct))

    def search(self, queries: Sequence[str], count: int = 10) -> list[Found]:
        """For each query the `count` best texts; with a second look its order stands above the rest of the first."""
        return [_cut(weighed(found, self.weight), count) for found in self.look(queries, max(count, self.depth))]

    def look(self, queries: Sequence[str], count: int) -> list[Found]:
        """The first search, and the scores of its `depth` best in the second look; in the order of the first."""
        found = [
            Found([self.texts[i] for i in order], [float(cosines[i]) for i in order])
            for cosines in self._cosines(queries)
            for order in [best_places(cosines, count)]
        ]
        if self.second is None:
            return found
        rows = [
            {"query": query, "candidates": one.texts[: self.depth]} for query, one in zip(queries, found, strict=True)
        ]
        answers = self.second.predict(rows)
        return [replace(one, scores=answer["scores"]) for one, answer in zip(found, answers, strict=True)]

    def weigh(self, queries: Sequence[str], relevant: Sequence[Collection[str]]) -> Retriever:
        """The same with the weight that orders these queries best (nDCG at 10). Neither model may have learned from
        them: on what a model knows by heart it is always right, and would be trusted too much.
        """
        if len(queries) != len(relevant):
            raise DataError(
                f"found {len(queries)} queries and {len(relevant)} lists of relevant texts, expected one each"
            )
        return replace(self, weight=best_weight(self.look(queries, self.depth), relevant))

    def _cosines(self, queries: Sequence[str]) -> Iterator[NDArray[np.float32]]:
        """(P,) for each query."""
        asked = embed(self.first, queries)
        for part in query_blocks(len(queries), len(self.texts)):
            yield from asked[part] @ self.vectors.T


def best_weight(looked: Sequence[Found], relevant: Sequence[Collection[str]]) -> float:
    """The weight with which what was found for these queries is ordered best (nDCG at 10)."""

    def quality(weight: float) -> float:
        ranked = [weighed(found, weight).texts for found in looked]
        return round(float(np.mean(ndcg(ranked, relevant, 10))), 6)

    return max(WEIGHTS, key=lambda weight: (quality(weight), -weight))


def weighed(found: Found, weight: float) -> Found:
    """The candidates by both scores, each brought to mean 0 and deviation 1 over them: cosines and scores have scales
    of their own. What the second look has not seen stays below, in the order of the first.
    """
    if not found.scores:
        return found
    depth = len(found.scores)
    both = (1 - weight) * standardised(found.cosines[:depth]) + weight * standardised(found.scores)
    order = [int(i) for i in np.argsort(-both, kind="stable")] + list(range(depth, len(found.texts)))
    return Found(
        [found.texts[i] for i in order],
        [found.cosines[i] for i in order],
        [found.scores[i] for i in order[:depth]],
    )


def standardised(values: Sequence[float]) -> NDArray[np.float64]:
    """Mean 0 and deviation 1; all 0 where they are equal."""
    numbers = np.asarray(values, dtype=np.float64)
    return np.asarray((numbers - numbers.mean()) / max(float(numbers.std()), 1e-9))


def _cut(found: Found, count: int) -> Found:
    return Found(found.texts[:count], found.cosines[:count], found.scores[:count])
