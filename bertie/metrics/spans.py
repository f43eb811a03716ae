"""Spans: labelled stretches of each row, predicted against gold, by strict match.

In:  gold and predicted spans of the same rows; the labels known from training
Out: `LabelScores`, as for labels: metrics, the table per class, and `Outcomes` for intervals and paired tests
Knows nothing of what a span is counted in (characters, tokens), nor of tagging schemes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Sequence

import numpy as np

from bertie.metrics.labels import LabelScores, Outcomes, macro_f1, micro_f1, per_class
from bertie.metrics.rows import check_rows

# N rows, L labels, U kinds of rows
Span = tuple[Hashable, Hashable, str]
"""Start, end, label. Either end may be counted inclusive or exclusive, as long as gold and predictions agree. A
relation is one too: from a head with its place and label to a tail, with a label of its own."""
Cell = tuple[int, int]
"""0 right, 1 extra, 2 missed; the place of the label."""


def span_scores(
    gold: Sequence[Collection[Span]], predicted: Sequence[Collection[Span]], labels: Sequence[str]
) -> LabelScores:
    """Micro and macro F1, precision and recall (micro) of spans; right is a span with both ends and the label right.

    The definition of CoNLL-2003 (Tjong Kim Sang & De Meulder 2003) and of seqeval's strict mode, but over any spans:
    they may be nested or overlap. A span that a row names twice counts once. Rows where nothing is asked and nothing
    said are right: without any span in the file all four are 1.0. A gold label that is not in `labels` (training) is
    counted in `unseen_labels` and missed, unless the predictions do name it. No metric here is a mean over rows.
    """
    check_rows(gold, predicted)
    truth, guess = [frozenset(row) for row in gold], [frozenset(row) for row in predicted]
    known = set(labels)
    asked, said = _labels(truth), _labels(guess)
    order = [*labels, *sorted(asked - known), *sorted(said - known - asked)]
    outcomes = _outcomes(truth, guess, order)
    total = np.einsum("u,ukl->kl", np.bincount(outcomes.of_row), outcomes.kinds)  # (3, L)
    right, extra, missed = (int(count) for count in total.sum(-1))
    unseen = sum(label not in known for row in truth for _, _, label in row)
    nothing = float(right + extra + missed == 0)
    return LabelScores(
        metrics={
            "micro_f1": float(micro_f1(total)),
            "macro_f1": float(macro_f1(total)),
            "precision": right / (right + extra) if right + extra else nothing,
            "recall": right / (right + missed) if right + missed else nothing,
            "unseen_labels": float(unseen),
        },
        per_row={},
        outcomes=outcomes,
        details={"per_class": per_class(order, total), "unseen_labels": unseen},
    )


def _labels(rows: Sequence[frozenset[Span]]) -> set[str]:
    return {label for row in rows for _, _, label in row}


def _outcomes(gold: Sequence[frozenset[Span]], predicted: Sequence[frozenset[Span]], order: Sequence[str]) -> Outcomes:
    """Rows with equal counts become one kind by the few cells that are not 0, not by sorting all (N, 3L) of them."""
    place = {label: i for i, label in enumerate(order)}
    numbers: dict[frozenset[tuple[Cell, int]], int] = {}
    of_row = np.empty(len(gold), dtype=np.int64)
    for i, (truth, guess) in enumerate(zip(gold, predicted, strict=True)):
        parts = (truth & guess, guess - truth, truth - guess)
        cells = Counter((part, place[label]) for part, spans in enumerate(parts) for _, _, label in spans)
        of_row[i] = numbers.setdefault(frozenset(cells.items()), len(numbers))
    kinds = np.zeros((len(numbers), 3, len(order)), dtype=np.int32)  # a document can hold more spans than int8 counts
    for cells_of_kind, number in numbers.items():
        for (part, label), times in cells_of_kind:
            kinds[number, part, label] = times
    return Outcomes(kinds, of_row)
