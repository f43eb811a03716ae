"""Pairs of entities between which there may be a relation: which are asked, and which of a row are learned from.

In:  entities of texts, relations between them
Out: ordered pairs by index; what training tells of them as plain values
Knows nothing of models and labels' numbers.

All ordered pairs of a text's entities are far too many in a long one, and most cannot be. So a pair is asked where its
types stood in some relation of the training, in this order, and where it is no wider than the widest there, of which a
few that are far wider than all others do not count.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Record = Mapping[str, Any]
RARE = 200
"""One relation in so many may be far wider than the others."""
FAR = 2
"""Times the width that the others have at most: as wide as that a pair may be in any case."""


@dataclass(frozen=True)
class Possible:
    """What relations of the training have in common."""

    types: frozenset[tuple[str, str]]
    """Labels of head and tail."""
    reach: int
    """Characters from the first to the last of the widest pair that is asked."""

    @classmethod
    def of(cls, rows: Iterable[Record]) -> Possible:
        """From rows of `entities` and `relations`."""
        pairs = [
            (row["entities"][link["head"]], row["entities"][link["tail"]]) for row in rows for link in row["relations"]
        ]
        widths = sorted(max(a["end"], b["end"]) - min(a["start"], b["start"]) for a, b in pairs)
        reach = min(widths[-1], FAR * widths[-1 - len(widths) // RARE]) if widths else 0
        return cls(frozenset((a["label"], b["label"]) for a, b in pairs), reach)

    def pairs(self, entities: Sequence[Record]) -> Iterator[tuple[int, int]]:
        """Head and tail of each pair that may be related. The entities are in the order of their starts."""
        for i, one in enumerate(entities):
            for j in range(i + 1, len(entities)):
                other = entities[j]
                if other["start"] >= one["start"] + self.reach:
                    break
                if max(one["end"], other["end"]) - one["start"] <= self.reach:
                    both = ((i, j), (j, i))
                    yield from (p for p in both if (entities[p[0]]["label"], entities[p[1]]["label"]) in self.types)

    def labelled(self, row: Record, unrelated: int) -> list[tuple[int, int, str]]:
        """Head, tail and label of the pairs of a row to learn from: all relations, then pairs without any.

        `unrelated` is how many of these at most; which of them depends on the text alone. Their label is empty.
        """
        related = [(link["head"], link["tail"], link["label"]) for link in row["relations"]]
        order = sorted(range(len(row["entities"])), key=lambda i: row["entities"][i]["start"])
        found = self.pairs([row["entities"][i] for i in order])
        known = {(head, tail) for head, tail, _ in related}
        others = [pair for i, j in found if (pair := (order[i], order[j])) not in known]
        if len(others) > unrelated:
            others = random.Random(row["text"]).sample(others, unrelated)
        return related + [(head, tail, "") for head, tail in others]
