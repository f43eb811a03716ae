"""Spans: labelled stretches of each row, predicted against gold, by strict match.

In:  gold and predicted spans of the same rows; the labels known from training
Out: `LabelScores`, as for labels: metrics, the table per class, and `Outcomes` for intervals and paired tests
Knows nothing of what a span is counted in (characters, tokens), nor of tagging schemes.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from bertie.metrics.labels import LabelScores, Outcomes, macro_f1, micro_f1, per_class, told_unseen, unseen_of
from bertie.metrics.rows import check_rows

# N rows, L labels
Span = tuple[Hashable, Hashable, str]
"""Start, end, label. Either end may be counted inclusive or exclusive, as long as gold and predictions agree. A
relation is one too: from a head with its place and label to a tail, with a label of its own."""
Cell = tuple[int, str]
"""0 right, 1 extra, 2 missed; the label."""


def span_scores(
    gold: Iterable[Collection[Span]], predicted: Iterable[Collection[Span]], labels: Sequence[str]
) -> LabelScores:
    """Micro and macro F1, precision and recall (micro) of spans; right is a span with both ends and the label right.

    The definition of CoNLL-2003 (Tjong Kim Sang & De Meulder 2003) and of seqeval's strict mode, but over any spans:
    they may be nested or overlap. A span that a row names twice counts once. Rows where nothing is asked and nothing
    said are right: without any span in the file all four are 1.0. A gold label that is not in `labels` (training) is
    counted in `unseen_labels` and missed, unless the predictions do name it. No metric here is a mean over rows.
    Rows are read once and not held.
    """
    tally = _Tally()
    for truth, guess in zip(gold, predicted, strict=True):
        tally.add(frozenset(truth), frozenset(guess))
    check_rows(tally.of_row, tally.of_row)
    known, asked = set(labels), set(tally.asked)
    order = [*labels, *sorted(asked - known), *sorted(tally.said - known - asked)]
    outcomes = tally.outcomes(order)
    total = outcomes.total()  # (3, L)
    right, extra, missed = (int(count) for count in total.sum(-1))
    unseen = unseen_of(tally.asked, known)
    nothing = float(right + extra + missed == 0)
    return LabelScores(
        metrics={
            "micro_f1": float(micro_f1(total)),
            "macro_f1": float(macro_f1(total)),
            "precision": right / (right + extra) if right + extra else nothing,
            "recall": right / (right + missed) if right + missed else nothing,
            "unseen_labels": float(sum(unseen.values())),
        },
        per_row={},
        outcomes=outcomes,
        details={"per_class": per_class(order, total), **told_unseen(unseen)},
    )


@dataclass
class _Tally:
    """Rows with equal counts become one kind by the few cells that are not 0, not by sorting all (N, 3L) of them."""

    numbers: dict[frozenset[tuple[Cell, int]], int] = field(default_factory=dict)
    """Each kind of row, by what it counts of which label, and its number."""
    of_row: array[int] = field(default_factory=lambda: array("q"))
    asked: Counter[str] = field(default_factory=Counter)
    said: set[str] = field(default_factory=set)

    def add(self, truth: frozenset[Span], guess: frozenset[Span]) -> None:
        """One row."""
        self.asked.update(label for _, _, label in truth)
        self.said.update(label for _, _, label in guess)
        parts = enumerate((truth & guess, guess - truth, truth - guess))
        cells = Counter((part, label) for part, spans in parts for _, _, label in spans)
        self.of_row.append(self.numbers.setdefault(frozenset(cells.items()), len(self.numbers)))

    def outcomes(self, order: Sequence[str]) -> Outcomes:
        """The counts with their labels in this order."""
        place = {label: i for i, label in enumerate(order)}
        cells = (
            (number, place[label], part, times)
            for kind, number in self.numbers.items()
            for (part, label), times in kind
        )
        return Outcomes.of(cells, len(order), np.array(self.of_row, dtype=np.int64))
