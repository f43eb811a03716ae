"""Ranking: where the relevant documents of each query stand among its ranked candidates.

In:  per query the ids of the candidates, best first (or with scores, in any order), and the relevant ids, graded or not
Out: nDCG@k, reciprocal rank@k, recall@k or average precision, 0 to 1, one value a query
Knows nothing of what a query or a document is.

The mean over queries is the metric (nDCG, MRR, recall, MAP); `mean_interval` and `paired_difference` take the lists.

Relevant documents that are not among the candidates count as missed: the ideal ranking has them.

Candidates with one score have no order. Their value is the mean over all of their orders, in closed form (McSherry &
Najork 2008): a model that gives every candidate the same score gains nothing from the order in which they stood.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bertie.core.errors import DataError, UsageError

# C candidates of a query, G groups of candidates with one score, M relevant documents
Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Ranked = Sequence[Sequence[Hashable]]
"""Per query the ids of its candidates, each once; best first, unless scores say the order."""
Relevant = Sequence[Collection[Hashable] | Mapping[Hashable, float]]
"""Per query the ids of its relevant documents, at least one; or id to gain, 0 and up, of which 0 is not relevant."""
CandidateScores = Sequence[Sequence[float]] | None
"""Per query the score of each candidate, larger is better; None: the candidates are ranked, without ties."""


def ndcg(ranked: Ranked, relevant: Relevant, k: int, scores: CandidateScores = None) -> list[float]:
    """nDCG@k of each query: gain / log2(rank + 1) summed over the first k, relative to the ideal ranking's.

    Järvelin & Kekäläinen 2002 with the discount of Burges et al. 2005 and gains as given (not 2^gain - 1), as in
    trec_eval and scikit-learn. DataError: a query without a relevant document, or with an id twice; it says which.
    """
    _check_cutoff(k)
    return [_ndcg(query, k) for query in _queries(ranked, relevant, scores)]


def reciprocal_rank(ranked: Ranked, relevant: Relevant, k: int, scores: CandidateScores = None) -> list[float]:
    """1 / rank of each query's first relevant document, 0.0 where none is among the first k; the mean is MRR@k.

    Voorhees 1999. DataError as in `ndcg`.
    """
    _check_cutoff(k)
    return [_reciprocal_rank(query, k) for query in _queries(ranked, relevant, scores)]


def recall(ranked: Ranked, relevant: Relevant, k: int, scores: CandidateScores = None) -> list[float]:
    """The part of each query's relevant documents that is among its first k. DataError as in `ndcg`."""
    _check_cutoff(k)
    return [_recall(query, k) for query in _queries(ranked, relevant, scores)]


def average_precision(ranked: Ranked, relevant: Relevant, scores: CandidateScores = None) -> list[float]:
    """Precision at the rank of each relevant document, averaged over all of them, of each query; the mean is MAP.

    Without a cut-off, as in trec_eval; a relevant document that is no candidate has precision 0.
    DataError as in `ndcg`.
    """
    return [_average_precision(query) for query in _queries(ranked, relevant, scores)]


@dataclass(frozen=True)
class _Query:
    gains: Floats
    """(C,): of the candidates, in their order."""
    tied: Counts
    """(G,): candidates in each group of one score, in the same order; all 1 without ties."""
    ideal: Floats
    """(M,): gains of the relevant documents, largest first."""

    def shared(self, values: NDArray[np.generic]) -> Floats:
        """Values (C,) with the mean of its group in each place: what is to be expected there."""
        group = np.repeat(np.arange(len(self.tied)), self.tied)  # (C,)
        return np.asarray((np.bincount(group, values, len(self.tied)) / self.tied)[group])

    def groups(self) -> Iterator[tuple[int, int, int]]:
        """Of each group with a relevant document: candidates before it, its candidates, its relevant ones."""
        ends = self.tied.cumsum()
        hits = np.diff((self.gains > 0).cumsum()[ends - 1], prepend=0)  # (G,)
        for group in np.flatnonzero(hits):
            yield int(ends[group] - self.tied[group]), int(self.tied[group]), int(hits[group])


def _ndcg(query: _Query, k: int) -> float:
    gains, ideal = query.shared(query.gains)[:k], query.ideal[:k]
    discount = 1 / np.log2(np.arange(2, max(len(gains), len(ideal)) + 2))
    return min(1.0, float(gains @ discount[: len(gains)] / (ideal @ discount[: len(ideal)])))


def _recall(query: _Query, k: int) -> float:
    return min(1.0, float(query.shared(query.gains > 0)[:k].sum() / len(query.ideal)))


def _reciprocal_rank(query: _Query, k: int) -> float:
    for before, size, hits in query.groups():
        expected, chance = 0.0, hits / size  # chance that the first hit of the group stands just here
        for place in range(1, min(size - hits + 1, k - before) + 1):
            expected += chance / (before + place)
            chance *= (size - place - hits + 1) / max(size - place, 1)
        return expected
    return 0.0


def _average_precision(query: _Query) -> float:
    total, found = 0.0, 0
    for before, size, hits in query.groups():
        place = np.arange(1, size + 1)
        others = (place - 1) * (hits - 1) / max(size - 1, 1)  # expected hits of the group before a hit that stands here
        total += hits / size * float(((found + 1 + others) / (before + place)).sum())
        found += hits
    return min(1.0, total / len(query.ideal))


def _check_cutoff(k: int) -> None:
    if k < 1:
        raise UsageError(f"found k = {k}, expected the number of candidates to look at, 1 or more")


def _queries(ranked: Ranked, relevant: Relevant, scores: CandidateScores) -> list[_Query]:
    assert len(ranked) == len(relevant), f"{len(ranked)} rankings, {len(relevant)} sets of relevant documents"
    assert scores is None or len(scores) == len(ranked), f"{len(ranked)} rankings with the scores of others"
    if not ranked:
        raise DataError("there are no queries to score; give a file with queries and their relevant documents")
    values = scores if scores is not None else [None] * len(ranked)
    cases = [(ids, _gains(wanted), value) for ids, wanted, value in zip(ranked, relevant, values, strict=True)]
    problems = [(number, problem) for number, case in enumerate(cases, start=1) for problem in _problems(*case)]
    if problems:
        raise DataError([f"query {number} of {len(cases)}: {problem}" for number, problem in problems])
    return [_query(*case) for case in cases]


def _gains(relevant: Collection[Hashable] | Mapping[Hashable, float]) -> Mapping[Hashable, float]:
    if isinstance(relevant, str):  # a collection too, of its characters
        raise DataError(f"found the id {relevant!r} where a query has several, expected a list; write [{relevant!r}]")
    return relevant if isinstance(relevant, Mapping) else dict.fromkeys(relevant, 1.0)


def _problems(ids: Sequence[Hashable], gains: Mapping[Hashable, float], scores: Sequence[float] | None) -> list[str]:
    """What cannot be scored in a query."""
    found = [
        f"found the gain {gain} of {name!r}, expected 0 or more; fix it"
        for name, gain in gains.items()
        if not 0 <= gain < math.inf
    ]
    if not found and not any(gains.values()):
        found.append("found no relevant document, expected at least one; name it or leave the query out")
    if len(set(ids)) < len(ids):
        twice = next(name for i, name in enumerate(ids) if name in ids[:i])
        found.append(f"found the candidate {twice!r} twice, expected each once; leave one out")
    if scores is not None and len(scores) != len(ids):
        found.append(f"found {len(scores)} scores for {len(ids)} candidates, expected one each")
    if scores is not None and any(math.isnan(score) for score in scores):
        found.append("found a score that is no number (nan), expected numbers; see what the model gives")
    return found


def _query(ids: Sequence[Hashable], gains: Mapping[Hashable, float], scores: Sequence[float] | None) -> _Query:
    found = np.array([gains.get(name, 0.0) for name in ids], dtype=np.float64)
    ideal = np.sort([gain for gain in gains.values() if gain > 0])[::-1]
    tied = np.ones(len(ids), dtype=np.int64)
    if scores is not None:
        values = np.asarray(scores, dtype=np.float64)
        found = found[np.argsort(-values, kind="stable")]
        tied = np.unique(values, return_counts=True)[1][::-1]
    return _Query(found, tied, np.asarray(ideal, dtype=np.float64))
