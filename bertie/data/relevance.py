"""Relevance: of all texts that can be found, those that are right for a query, and those that only repeat it.

In:  rows with `query` and `positive`
Out: the positives of a query, in whichever rows they stand; what must not count against it
Knows nothing of how texts are found or ordered.

Queries are the same where they differ in case, spacing and marks alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from bertie.data.rows import Rows
from bertie.text.normalise import fold


@dataclass(frozen=True)
class Relevance:
    """What is to be found for the queries of some rows."""

    texts: list[str]
    """All positives, each once, in the order of the rows."""
    by_query: Mapping[str, list[str]]
    """Folded query to its positives, each once."""
    by_text: Mapping[str, list[str]]
    """Folded text to those of `texts` that say it."""
    firsts: list[int]
    """The first row of each query: one with several positives is asked once."""

    @classmethod
    def of(cls, rows: Rows) -> Relevance:
        """Rows may share queries and positives."""
        texts = list(dict.fromkeys(rows.column("positive")))
        by_query, by_text = defaultdict[str, dict[str, None]](dict), defaultdict[str, list[str]](list)
        firsts: dict[str, int] = {}
        for i, row in enumerate(rows):
            query = fold(row["query"])
            by_query[query][row["positive"]] = None
            firsts.setdefault(query, i)
        for text in texts:
            by_text[fold(text)].append(text)
        listed = {query: list(found) for query, found in by_query.items()}
        return cls(texts, listed, dict(by_text), list(firsts.values()))

    def right(self, query: str) -> list[str]:
        """All positives of a query; none where no row asks it."""
        return self.by_query.get(fold(query), [])

    def echoes(self, query: str) -> list[str]:
        """Texts that say what the query says and are none of its positives: of a pair that stands in the rows both ways
        round, the query itself. Any search has them first, and they are neither right nor wrong.
        """
        right = self.right(query)
        return [text for text in self.by_text.get(fold(query), []) if text not in right]
