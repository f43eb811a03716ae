"""Near duplicates: pairs of texts that share most of their character sequences, without comparing all pairs.

In:  texts
Out: pairs of indices with their Jaccard similarity
Knows nothing of rows, splits and labels.

MinHash with banding (Broder 1997; Leskovec et al., Mining of Massive Datasets, 3.4): texts that agree in one band of
hashes are candidates, and every candidate is then compared exactly. At a similarity of 0.6 a pair is missed once in
250, at 0.7 once in 60,000.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bertie.text.normalise import fold

THRESHOLD = 0.65
"""Jaccard similarity of the shingle sets from which two texts are called near duplicates."""
SHORT = 0.45
"""The same for two texts that are one character apart: in a short text it changes much of the shingles."""
CHARACTERS = 600
"""Only the beginning of a long text is compared: copies show there, and the time stays in bounds."""
NARROW, WIDE = 2, 4
"""Characters of a shingle in Chinese and in an alphabet."""
_CHINESE = 0x2E80  # characters above it
_BANDS, _ROWS = 40, 4
_CHUNK = 20_000  # texts hashed at once; bounds the memory
_CROWD = 40
"""A bucket of more texts links each to its neighbours and to the first only, or a boilerplate line would give millions
of pairs. The first is of the earliest part, so that a copy of it in a later one is found however many there are."""

Hashes = NDArray[np.uint32]


@dataclass(frozen=True)
class Pair:
    """Two texts, the earlier one first."""

    first: int
    second: int
    similarity: float


def near_duplicates(texts: Sequence[str], threshold: float = THRESHOLD) -> list[Pair]:
    """Pairs of at least `threshold`, most similar first. Of texts with the same folded form give one."""
    folded = [fold(text)[:CHARACTERS] for text in texts]
    pairs = list(_similar(folded, [shingle_hashes(text) for text in folded], threshold))
    # A few letters more make another script prevail: then a text and its copy have shingles of one width only here.
    mixed = [i for i, text in enumerate(folded) if is_mixed(text)]
    widths = [shingle_width(folded[i]) for i in mixed]
    again = _similar([folded[i] for i in mixed], [shingle_hashes(folded[i], NARROW) for i in mixed], threshold)
    across = (pair for pair in again if widths[pair.first] != widths[pair.second])
    pairs += [Pair(mixed[pair.first], mixed[pair.second], pair.similarity) for pair in across]
    return sorted(pairs, key=lambda pair: (-pair.similarity, pair.first, pair.second))


def _similar(folded: Sequence[str], shingles: Sequence[Hashes], threshold: float) -> Iterator[Pair]:
    for first, second in sorted(_candidates(shingles)):
        similarity = jaccard(shingles[first], shingles[second])
        if similarity >= threshold or (similarity >= SHORT and one_apart(folded[first], folded[second])):
            yield Pair(first, second, similarity)


def shingle_width(text: str) -> int:
    """Characters in a run: two where most of the text is Chinese, four in an alphabet; never more than there are."""
    points = _points(text)
    width = NARROW if (points > _CHINESE).sum() * 2 > len(points) else WIDE
    return max(1, min(width, len(points)))


def is_mixed(text: str) -> bool:
    """Whether a near copy may have runs of the other width: a quarter to three quarters of the text is Chinese."""
    points = _points(text)
    return len(points) <= 4 * int((points > _CHINESE).sum()) <= 3 * len(points)


def shingle_hashes(text: str, width: int | None = None) -> Hashes:
    """Distinct hashes of all runs of so many characters; None: of `shingle_width`."""
    points = _points(text)
    width = shingle_width(text) if width is None else max(1, min(width, len(points)))
    hashes = np.full(max(0, len(points) - width + 1), width, dtype=np.uint64)
    for k in range(width):
        hashes = (hashes ^ points[k : k + len(hashes)]) * np.uint64(0x9E3779B97F4A7C15)
        hashes ^= hashes >> np.uint64(29)
    return np.unique((hashes >> np.uint64(16)).astype(np.uint32))


def _points(text: str) -> NDArray[np.uint64]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint64)


def jaccard(first: Hashes, second: Hashes) -> float:
    """Shared shingles as a part of all, 0 to 1."""
    shared = len(np.intersect1d(first, second, assume_unique=True))
    return shared / max(1, len(first) + len(second) - shared)


def one_apart(first: str, second: str) -> bool:
    """One character was replaced, added or taken away."""
    shorter, longer = sorted((first, second), key=len)
    start = next((i for i, (a, b) in enumerate(zip(shorter, longer, strict=False)) if a != b), len(shorter))
    return shorter[start:] == longer[start + 1 :] or shorter[start + 1 :] == longer[start + 1 :]


def _candidates(shingles: Sequence[Hashes]) -> set[tuple[int, int]]:
    filled = np.array([i for i, hashes in enumerate(shingles) if len(hashes)], dtype=np.int64)
    made = signatures([shingles[i] for i in filled], _BANDS * _ROWS)
    found: set[tuple[int, int]] = set()
    for band in range(_BANDS):
        keys = band_keys(made[:, band * _ROWS : (band + 1) * _ROWS])
        order = np.argsort(keys, kind="stable")
        for bucket in _runs(keys[order]):
            members = filled[order[bucket]]
            reach = len(members) if len(members) <= _CROWD else 2
            links = [pair for step in range(1, reach) for pair in zip(members[:-step], members[step:], strict=True)]
            if len(members) > _CROWD:
                links += [(members[0], member) for member in members[1:]]
            found.update((int(min(a, b)), int(max(a, b))) for a, b in links)
    return found


def signatures(shingles: Sequence[Hashes], functions: int) -> Hashes:
    """(N, functions): the smallest value of each hash function over the shingles of each text, which has some."""
    rng = np.random.default_rng(0)
    masks = rng.integers(0, 2**32, functions, dtype=np.uint32)
    factors = rng.integers(0, 2**31, functions, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    made = np.empty((len(shingles), functions), dtype=np.uint32)
    for start in range(0, len(shingles), _CHUNK):
        chunk = shingles[start : start + _CHUNK]
        values = np.concatenate(chunk)
        starts = np.cumsum([0, *map(len, chunk[:-1])])
        for f in range(functions):
            mixed = (values ^ masks[f]) * factors[f]
            made[start : start + len(chunk), f] = np.minimum.reduceat(mixed ^ (mixed >> np.uint32(15)), starts)
    return made


def band_keys(band: Hashes) -> NDArray[np.uint64]:
    """(N,): one hash of the values (N, rows) of a band."""
    keys = np.zeros(len(band), dtype=np.uint64)
    for column in band.T:
        keys = (keys ^ column.astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        keys ^= keys >> np.uint64(31)
    return keys


def _runs(ordered: NDArray[np.uint64]) -> Iterator[slice]:
    """Slices of two or more equal keys."""
    edges = np.flatnonzero(np.diff(ordered)) + 1
    bounds = np.concatenate([[0], edges, [len(ordered)]])
    for k in np.flatnonzero(np.diff(bounds) > 1):
        yield slice(int(bounds[k]), int(bounds[k + 1]))
