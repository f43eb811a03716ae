"""Search without training: BM25, and the vectors of the encoder as it came.

In:  queries with what should be found for them
Out: for each query all texts to be found, best first; where its row names candidates, their scores
Knows nothing of the training that follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bertie.data.bm25 import Bm25Index
from bertie.data.mining import best_places, found_or_drawn, query_blocks
from bertie.data.rows import Rows
from bertie.evaluation.floors.base import Floor, Ground, State
from bertie.tasks.base import Answer

# N queries, P texts
RANKED = 100


@dataclass(frozen=True)
class Bm25(Floor):
    """Okapi BM25 (Robertson & Zaragoza 2009, equation 3.15) over words, for Chinese over one and two characters.

    Among texts that share none with the query the order is drawn: where they stand in the file says nothing.
    """

    name: ClassVar[str] = "bm25"
    tasks: ClassVar[tuple[str, ...]] = ("embedding", "reranking")
    compares_rows: ClassVar[bool] = True

    @classmethod
    def fit(cls, train: Rows, ground: Ground) -> Bm25 | None:
        """None for pairs with a number: nothing is to be found there."""
        return cls() if "query" in train[0] else None

    def can_answer(self, rows: Rows) -> bool:
        return "query" in rows[0]

    def predict(self, rows: Rows, ground: Ground) -> list[Answer]:
        """Frequencies are those of the texts to be found in these rows."""
        texts = _texts(rows)
        index, found = Bm25Index.of(texts), list[Answer]()
        for part in query_blocks(len(rows), len(texts)):
            found += _answers(index.scores(rows[part].column("query")), texts, rows[part], by_words=True)
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
    tasks: ClassVar[tuple[str, ...]] = ("embedding", "reranking")
    compares_rows: ClassVar[bool] = True
    reads_encoder: ClassVar[bool] = True
    encoder: str
    """Its fingerprint: another encoder that has its name now would be another floor."""

    @classmethod
    def fit(cls, train: Rows, ground: Ground) -> UntunedEncoder:
        return cls(ground.fingerprint)

    def predict(self, rows: Rows, ground: Ground) -> list[Answer]:
        ground.prove(self.encoder)
        if "text_a" in rows[0]:
            first, second = (ground.vectors(rows.column(side)) for side in ("text_a", "text_b"))
            return [{"cosine": float(cosine)} for cosine in (first * second).sum(axis=1)]
        texts, found = _texts(rows), list[Answer]()
        candidates, asked = ground.vectors(texts), ground.vectors(rows.column("query"))
        for part in query_blocks(len(rows), len(texts)):
            found += _answers(asked[part] @ candidates.T, texts, rows[part])
        return found

    def state(self) -> State:
        return State({"encoder": self.encoder}, {})

    @classmethod
    def from_state(cls, state: State) -> UntunedEncoder:
        return cls(state.document.get("encoder", ""))  # a bundle that does not say proves nothing


def _texts(rows: Rows) -> list[str]:
    """All that can be found for the queries of these rows."""
    if "candidates" in rows[0]:
        return list(dict.fromkeys(chain.from_iterable(rows.column("candidates"))))
    return list(dict.fromkeys(rows.column("positive")))


def _answers(scores: NDArray[np.floating], texts: list[str], rows: Rows, *, by_words: bool = False) -> list[Answer]:
    """Scores (N, P) of all texts to an answer a row; `by_words`: those that are 0 have no order."""
    if "candidates" not in rows[0]:
        places = [
            found_or_drawn(one, RANKED, query) if by_words else best_places(one, RANKED)
            for query, one in zip(rows.column("query"), scores, strict=True)
        ]
        return [{"ranked": [texts[i] for i in order]} for order in places]
    place = {text: i for i, text in enumerate(texts)}
    return [
        {"scores": [float(values[place[text]]) for text in row["candidates"]]}
        for row, values in zip(rows, scores, strict=True)
    ]
