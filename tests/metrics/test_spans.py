"""Span scores are seqeval's in strict mode on tagged sequences, and hold for spans that no tags can express."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics.v1 import precision_recall_fscore_support
from seqeval.scheme import IOB2, Entities

from bertie.core.errors import DataError
from bertie.metrics.intervals import f1_interval, paired_f1_difference
from bertie.metrics.labels import AVERAGES, LabelScores
from bertie.metrics.spans import Span, span_scores

LABELS = ["人名", "ORG", "never used"]
TAGS = ["O", "B-人名", "I-人名", "B-ORG", "I-ORG", "B-unseen", "I-unseen"]

tags = st.lists(st.tuples(st.sampled_from(TAGS), st.sampled_from(TAGS)), min_size=1, max_size=12)
spans = st.builds(
    lambda start, length, label: (start, start + length, label),
    st.integers(0, 6),
    st.integers(1, 4),
    st.sampled_from([*LABELS, "unseen"]),
)
some = st.lists(spans, max_size=8)
pairs = st.lists(st.tuples(some, some), min_size=1, max_size=20)


def row_counts(scores: LabelScores) -> list[list[int]]:
    """Right, extra and missed spans of each row."""
    return scores.outcomes.of_kinds()[scores.outcomes.of_row].tolist()


def spans_of(sequence: Sequence[str]) -> list[Span]:
    """Strict reading of BIO tags: a span begins with B- and goes on over I- of the same label."""
    found: list[Span] = []
    for i, tag in enumerate(sequence):
        label = tag[2:]
        if tag.startswith("B-"):
            found.append((i, i + 1, label))
        elif label and found and found[-1][1:] == (i, label):
            found[-1] = (found[-1][0], i + 1, label)
    return found


@settings(deadline=None)
@given(st.lists(tags, min_size=1, max_size=8))
def test_equal_to_seqeval_in_strict_mode(rows: list[list[tuple[str, str]]]) -> None:
    gold, predicted = [[g for g, _ in row] for row in rows], [[p for _, p in row] for row in rows]
    truth, guess = [spans_of(row) for row in gold], [spans_of(row) for row in predicted]
    assert [[(e.start, e.end, e.tag) for e in row] for row in Entities(gold, IOB2).entities] == truth
    scores = span_scores(truth, guess, LABELS)
    if not any([*truth, *guess]):
        assert scores.metrics["micro_f1"] == scores.metrics["precision"] == scores.metrics["recall"] == 1.0
        return

    def expected(average: str | None) -> tuple[object, ...]:
        result = precision_recall_fscore_support(gold, predicted, average=average, scheme=IOB2, zero_division=0)
        return tuple(result)

    found = tuple(scores.metrics[name] for name in ("precision", "recall", "micro_f1"))
    assert found == pytest.approx(expected("micro")[:3])
    assert scores.metrics["macro_f1"] == pytest.approx(expected("macro")[2])
    used = sorted({label for row in [*truth, *guess] for _, _, label in row})
    table = {row["label"]: row for row in scores.details["per_class"]}
    for i, label in enumerate(used):
        row = [table[label][name] for name in ("precision", "recall", "f1", "support")]
        assert row == pytest.approx([column[i] for column in expected(None)])  # type: ignore[index]


@settings(deadline=None)
@given(pairs)
def test_outcomes_are_counts_and_give_the_metrics_again(rows: list[tuple[list[Span], list[Span]]]) -> None:
    gold, predicted = [g for g, _ in rows], [p for _, p in rows]
    scores = span_scores(gold, predicted, LABELS)
    assert row_counts(scores) == [[len(set(g) & set(p)), len(set(p) - set(g)), len(set(g) - set(p))] for g, p in rows]
    total = scores.outcomes.total()
    for name in ("micro_f1", "macro_f1"):
        assert float(AVERAGES[name](total)) == pytest.approx(scores.metrics[name])
        interval = f1_interval(scores.outcomes, name, resamples=50)
        assert 0 <= interval.low <= interval.value <= interval.high <= 1
        assert interval.value == pytest.approx(scores.metrics[name])
    assert (total[0] + total[2]).tolist() == [row["support"] for row in scores.details["per_class"]]
    kinds = scores.outcomes.kinds.toarray()
    assert len(np.unique(kinds, axis=0)) == len(kinds), "equal rows are one kind"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(some, some, some), min_size=1, max_size=15))
def test_paired_differences_are_those_of_the_metrics(rows: list[tuple[list[Span], ...]]) -> None:
    gold, first, second = (list(column) for column in zip(*rows, strict=True))
    a, b = span_scores(gold, first, LABELS), span_scores(gold, second, LABELS)
    for name in ("micro_f1", "macro_f1"):
        both = paired_f1_difference(a.outcomes, b.outcomes, name, resamples=50)
        assert both.value == pytest.approx(a.metrics[name] - b.metrics[name])
        assert both.low <= both.value <= both.high
        assert paired_f1_difference(a.outcomes, a.outcomes, name, resamples=50).value == 0.0


@settings(deadline=None)
@given(pairs)
def test_order_and_repetition_within_a_row_do_not_matter(rows: list[tuple[list[Span], list[Span]]]) -> None:
    gold, predicted = [g for g, _ in rows], [p for _, p in rows]
    again = span_scores([[*g[::-1], *g] for g in gold], [[*p, *p[::-1]] for p in predicted], LABELS)
    assert again.metrics == span_scores(gold, predicted, LABELS).metrics


def test_nested_and_overlapping_spans_are_spans() -> None:
    gold = [[(0, 8, "ORG"), (0, 2, "LOC"), (1, 4, "LOC")]]
    predicted = [[(0, 8, "ORG"), (0, 2, "ORG"), (1, 4, "LOC")]]
    scores = span_scores(gold, predicted, ["ORG", "LOC"])
    assert row_counts(scores) == [[2, 1, 1]]
    assert scores.metrics["precision"] == scores.metrics["recall"] == pytest.approx(2 / 3)


@pytest.mark.parametrize("near", [(0, 3, "人名"), (1, 2, "人名"), (0, 2, "ORG")])
def test_nearly_right_is_wrong(near: Span) -> None:
    assert row_counts(span_scores([[(0, 2, "人名")]], [[near]], LABELS)) == [[0, 1, 1]]


def test_an_unseen_label_is_counted_and_missed() -> None:
    gold: list[list[Span]] = [[(0, 2, "人名"), (3, 4, "new")], [(0, 1, "new"), (0, 1, "new")], [(2, 3, "ORG")]]
    predicted: list[list[Span]] = [[(0, 2, "人名"), (3, 4, "ORG")], [], [(2, 3, "ORG")]]
    scores = span_scores(gold, predicted, LABELS)
    assert scores.details["unseen_labels"] == 2 == scores.metrics["unseen_labels"]
    assert scores.details["unseen"] == {"new": 2}
    assert row_counts(scores) == [[1, 1, 1], [0, 0, 1], [1, 0, 0]]
    assert [row["label"] for row in scores.details["per_class"]] == [*LABELS, "new"]
    assert scores.details["per_class"][-1] == {
        "label": "new",
        "precision": 0.0,
        "recall": 0.0,
        "f1": 0.0,
        "support": 2,
    }
    json.dumps([scores.metrics, scores.per_row, scores.details])


def test_many_spans_in_one_row_do_not_overflow() -> None:
    row: list[Span] = [(i, i + 1, "人名") for i in range(70_000)]
    scores = span_scores([row], [row[:40_000]], LABELS)
    assert row_counts(scores) == [[40_000, 0, 30_000]]
    assert scores.metrics["recall"] == pytest.approx(4 / 7)
    assert f1_interval(scores.outcomes).value == pytest.approx(8 / 11)


def test_nothing_claimed_or_nothing_asked_scores_zero() -> None:
    span: list[list[Span]] = [[(0, 1, "ORG")]]
    for gold, predicted in ((span, [[]]), ([[]], span)):
        metrics = span_scores(gold, predicted, LABELS).metrics
        assert [metrics[name] for name in ("micro_f1", "macro_f1", "precision", "recall")] == [0.0] * 4


def test_intervals_stay_fast_with_many_kinds_of_rows() -> None:
    rng = np.random.default_rng(0)
    labels = [f"label {i}" for i in range(20)]

    def rows() -> list[list[Span]]:
        return [[(int(i), int(i) + 1, labels[i]) for i in rng.choice(20, 6)] for _ in range(5000)]

    gold, first, second = rows(), rows(), rows()
    began = time.process_time()
    a, b = span_scores(gold, first, labels), span_scores(gold, second, labels)
    f1_interval(a.outcomes)
    paired_f1_difference(a.outcomes, b.outcomes, "macro_f1")
    assert time.process_time() - began < 8.0


def test_no_rows_is_an_error_that_says_so() -> None:
    with pytest.raises(DataError, match="no rows to score"):
        span_scores([], [], LABELS)


def test_relations_are_spans_from_a_head_to_a_tail() -> None:
    ann, bob = (0, 3, "人"), (8, 11, "人")
    scores = span_scores([{(ann, bob, "knows")}, set()], [{(bob, ann, "knows"), (ann, bob, "knows")}, set()], ["knows"])
    assert (scores.metrics["precision"], scores.metrics["recall"]) == (0.5, 1.0)
