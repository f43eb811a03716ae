"""Mining: of all texts that can be found, those that look like what a query wants and are not it.

In:  rows with `query` and `positive`; what an untuned encoder makes of texts
Out: for each row some texts of other rows; for each row the best candidates of a first search
Knows nothing of tasks or of how an encoder works.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from bertie.data.bm25 import Bm25Index
from bertie.data.relevance import Relevance
from bertie.data.rows import Rows

# N queries, P texts, D width
Vectors = Callable[[Sequence[str]], NDArray[np.float32]]
"""Texts to vectors (N, D) of length one."""
BLOCK, CELLS = 512, 512 * 8192
"""Queries that are compared with all texts at once, and scores that are held of them: memory does not grow with the
number of texts."""
RANKED = 1000
"""First places of an order that differ in reciprocal rank fusion; one from the other behind them is nothing."""
REACH = 5
"""Negatives are drawn from this many times as many of the hardest: the very first would all be of one sort."""
CONSTANT = 60
"""k of reciprocal rank fusion, as in the paper: it decides how much the first places count."""


def best_by_words(rows: Rows, count: int) -> list[list[str]]:
    """For the query of each row the `count` best of all positives by BM25, best first; its own may not be among them.
    What only repeats the query is no candidate. Where fewer share a word with the query, others are drawn: their order
    in the file says nothing.

    This search needs no model, so the same rows have the same candidates wherever they are judged.
    """
    relevance, found = Relevance.of(rows), list[list[str]]()
    texts, index = relevance.texts, Bm25Index.of(relevance.texts)
    for part in query_blocks(len(rows), len(texts)):
        queries = rows[part].column("query")
        for query, scores in zip(queries, index.scores(queries), strict=True):
            barred = relevance.echoes(query)
            places = found_or_drawn(scores, count + len(barred), query)
            found.append([text for i in places if (text := texts[i]) not in barred][:count])
    return found


def hard_negatives(rows: Rows, vectors: Vectors, count: int, margin: float, seed: int = 0) -> list[list[str]]:
    """For each row up to `count` positives of other rows that stand high for its query, by words and by vectors.

    The two orders are fused by reciprocal rank (Cormack et al. 2009). What may be an answer too is left out: other
    positives of the same query, the query's own text, and texts whose cosine to the row's own positive is above
    1 - `margin`. The cosine to the query would not do: where a search is hard, most of what stands above the positive
    is wrong, and most useful.
    """
    relevance, rng = Relevance.of(rows), random.Random(seed)
    texts, negatives = relevance.texts, list[list[str]]()
    place = {text: i for i, text in enumerate(texts)}
    index, found, asked = Bm25Index.of(texts), vectors(texts), vectors(rows.column("query"))  # (P, D), (N, D)
    for part in query_blocks(len(rows), len(texts)):
        own = [place[text] for text in rows[part].column("positive")]
        queries = rows[part].column("query")
        by_words = _reciprocal(index.scores(queries), above=0.0)  # a text without a shared word has no rank
        fused = by_words + _reciprocal(asked[part] @ found.T)  # (N, P)
        fused[found[own] @ found.T > 1.0 - margin] = 0.0
        for query, scores in zip(queries, fused, strict=True):
            scores[[place[text] for text in (*relevance.right(query), *relevance.echoes(query))]] = 0.0
            hardest = [texts[i] for i in best_places(scores, count * REACH) if scores[i] > 0.0]
            negatives.append(rng.sample(hardest, min(count, len(hardest))))
    return negatives


def query_blocks(queries: int, texts: int) -> Iterator[slice]:
    """The queries in runs, of each of which the scores of all texts may be held at once."""
    size = min(BLOCK, max(1, CELLS // max(1, texts)))
    return (slice(start, start + size) for start in range(0, queries, size))


def best_places(scores: NDArray[np.floating], count: int) -> NDArray[np.intp]:
    """Where the `count` largest of (P,) stand, largest first, equal ones in their order; the rest is not sorted."""
    if count >= len(scores):
        return np.argsort(-scores, kind="stable")
    least = np.partition(-scores, count - 1)[count - 1]
    above, equal = np.flatnonzero(-scores < least), np.flatnonzero(-scores == least)
    places = np.concatenate([above, equal[: count - len(above)]])
    return np.asarray(places[np.argsort(-scores[places], kind="stable")])


def found_or_drawn(scores: NDArray[np.floating], count: int, query: str) -> list[int]:
    """The `count` best places of scores by words (P,), best first; where fewer are above 0, others are drawn, for the
    same query the same ones.
    """
    best = [i for i in best_places(scores, count).tolist() if scores[i] > 0.0]
    others = np.flatnonzero(scores <= 0.0)
    drawn = random.Random(query).sample(range(len(others)), min(count - len(best), len(others)))
    return best + [int(others[i]) for i in drawn]


def _reciprocal(scores: NDArray[np.floating], above: float = -np.inf) -> NDArray[np.float64]:
    """Scores (N, P) to 1 / (k + rank); ranks behind the first, and of scores that are not `above`, are all alike."""
    found = np.full(scores.shape, 1.0 / (CONSTANT + 1 + RANKED))
    for row, values in zip(found, scores, strict=True):
        best = best_places(values, RANKED)
        best = best[values[best] > above]
        row[best] = 1.0 / (CONSTANT + 1 + np.arange(len(best)))
    return found
