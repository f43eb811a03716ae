"""Word vectors from counting: which pieces stand near each other in a corpus, as the first table of an encoder.

In:  documents as pieces
Out: a vector for each piece, (V, D)
Knows nothing of encoders and of training.
"""

# V pieces of the vocabulary, D width, P pairs of pieces

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix
from sklearn.utils.extmath import randomized_svd

from bertie.data.corpus_shards import Shards

WINDOW = 6
"""Pieces to each side that count as near."""
SMOOTHING = 0.75
"""Power of the shares of what stands near, which keeps rare pieces from looking special (Levy et al. 2015, 3.1)."""
MOST_TOKENS = 4_000_000
"""Tokens that are counted: of a larger corpus every n-th document."""
AT_ONCE = 1_000_000
"""Tokens whose pairs lie in memory at a time."""


def cooccurrence_vectors(documents: Shards, vocab_size: int, width: int, seed: int) -> NDArray[np.float32]:
    """Vectors (V, D) of length one; zeros for pieces that the documents do not have.

    Singular vectors of the positive pointwise mutual information of pieces and their neighbours, weighed by the root of
    the singular values (Levy and Goldberg 2014, equation 8). Two pieces have a large product where they stand together
    more often than by chance, which is what a masked language model learns first, and slowly from random numbers.
    """
    counts = cooccurrences(documents, vocab_size)
    information = positive_information(counts)
    rank = min(width, vocab_size - 1)
    left, strength, _ = randomized_svd(information, rank, n_iter=3, random_state=seed)
    vectors = np.zeros((vocab_size, width), dtype=np.float32)
    vectors[:, :rank] = left * np.sqrt(strength)  # (V, rank)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)  # (V, 1)
    seen = length > 1e-6 * max(float(length.max()), 1e-30)
    result: NDArray[np.float32] = np.where(seen, vectors / np.where(seen, length, 1.0), 0.0).astype(np.float32)
    return result


def cooccurrences(documents: Shards, vocab_size: int) -> csr_matrix:
    """(V, V) how often two pieces stand within `WINDOW` of each other in a document, nearer ones counting more: those
    side by side once, those k apart 1 / k. Symmetric.
    """
    total = csr_matrix((vocab_size, vocab_size), dtype=np.float32)
    for ids, document in _stretches(documents):
        for distance in range(1, WINDOW + 1):
            same = document[distance:] == document[:-distance]
            first, second = ids[:-distance][same], ids[distance:][same]  # (P,) each
            weight = np.full(len(first), 1.0 / distance, dtype=np.float32)
            total += coo_matrix((weight, (first, second)), shape=total.shape).tocsr()
    return (total + total.T).tocsr()


def positive_information(counts: csr_matrix) -> csr_matrix:
    """max(0, log(p(a, b) / (p(a) q(b)))) (V, V), q being the smoothed shares of what stands near."""
    pairs = counts.tocoo()
    near = np.asarray(counts.sum(axis=0), dtype=np.float64).ravel()  # (V,)
    smoothed = near**SMOOTHING
    smoothed /= max(float(smoothed.sum()), 1e-30)
    expected = near[pairs.row] * smoothed[pairs.col]  # (P,), in counts as the pairs are
    value = np.maximum(np.log(np.maximum(pairs.data / expected, 1e-30)), 0.0).astype(np.float32)
    found = csr_matrix((value, (pairs.row, pairs.col)), shape=counts.shape)
    found.eliminate_zeros()
    return found


def _stretches(documents: Shards) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Ids (T,) of many documents one behind the other, and the number of the document of each."""
    step = max(1, math.ceil(documents.tokens / MOST_TOKENS))
    ids: list[NDArray[np.int64]] = []
    held = 0
    for index in range(0, len(documents), step):
        ids.append(np.asarray(documents[index].ids).astype(np.int64))
        held += len(ids[-1])
        if held >= AT_ONCE:
            yield _joined(ids)
            ids, held = [], 0
    if held:
        yield _joined(ids)


def _joined(ids: list[NDArray[np.int64]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return np.concatenate(ids), np.repeat(np.arange(len(ids)), [len(one) for one in ids])
