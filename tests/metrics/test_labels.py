"""Label metrics are scikit-learn's, for labels that training knew and for labels that it did not."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, f1_score, precision_recall_fscore_support

from bertie.core.errors import DataError
from bertie.metrics.labels import (
    AVERAGES,
    THRESHOLDS,
    LabelScores,
    best_threshold,
    confused_pairs,
    confusion_table,
    multi_label,
    single_label,
)

from . import dense

LABELS = ["体育", "finance", "tech", "never used"]
GOLD_LABELS = [*LABELS[:3], "unseen-z", "unseen-a"]

pairs = st.lists(st.tuples(st.sampled_from(GOLD_LABELS), st.sampled_from(LABELS)), min_size=1, max_size=60)
some = st.frozensets(st.sampled_from(LABELS[:3]), max_size=3)
label_sets = st.lists(st.tuples(some, some), min_size=1, max_size=40)


def row_counts(scores: LabelScores) -> list[list[int]]:
    """Right, extra and missed labels of each row."""
    return scores.outcomes.of_kinds()[scores.outcomes.of_row].tolist()


@given(pairs)
def test_single_label_equals_scikit_learn(rows: list[tuple[str, str]]) -> None:
    gold, predicted = [g for g, _ in rows], [p for _, p in rows]
    scores = single_label(gold, predicted, LABELS)
    assert scores.metrics["accuracy"] == pytest.approx(np.mean([g == p for g, p in rows]))
    assert scores.metrics["macro_f1"] == pytest.approx(f1_score(gold, predicted, average="macro", zero_division=0))
    assert scores.metrics["weighted_f1"] == pytest.approx(
        f1_score(gold, predicted, average="weighted", zero_division=0)
    )
    order = scores.details["confusion"]["labels"]
    table = confusion_table(scores.details["confusion"])
    assert table == confusion_matrix(gold, predicted, labels=order).tolist()
    expected = precision_recall_fscore_support(gold, predicted, labels=order, zero_division=0)
    for i, row in enumerate(scores.details["per_class"]):
        found = [row["precision"], row["recall"], row["f1"], row["support"]]
        assert found == pytest.approx([column[i] for column in expected])
    assert np.mean(scores.per_row["accuracy"]) == pytest.approx(scores.metrics["accuracy"])


def test_unseen_gold_labels_stand_after_the_training_labels_and_count_as_wrong() -> None:
    scores = single_label(["tech", "zebra", "apple", "zebra"], ["tech", "tech", "tech", "体育"], LABELS)
    assert scores.details["confusion"]["labels"] == [*LABELS, "apple", "zebra"]
    assert scores.details["unseen_labels"] == 3 == scores.metrics["unseen_labels"]
    assert scores.details["unseen"] == {"zebra": 2, "apple": 1}
    assert scores.metrics["accuracy"] == 0.25
    assert scores.per_row == {"accuracy": [1.0, 0.0, 0.0, 0.0]}


@given(label_sets)
def test_multi_label_equals_scikit_learn(rows: list[tuple[frozenset[str], frozenset[str]]]) -> None:
    gold, predicted = [g for g, _ in rows], [p for _, p in rows]
    scores = multi_label(gold, predicted, LABELS)
    truth = np.array([[label in g for label in LABELS] for g in gold])
    guess = np.array([[label in p for label in LABELS] for p in predicted])
    seen = [i for i in range(len(LABELS)) if truth[:, i].any() or guess[:, i].any()]
    if seen:
        macro = f1_score(truth, guess, average="macro", labels=seen, zero_division=0)
        assert scores.metrics["macro_f1"] == pytest.approx(macro)
        weighted = f1_score(truth, guess, average="weighted", zero_division=0)
        assert scores.metrics["weighted_f1"] == pytest.approx(weighted)
    assert scores.metrics["micro_f1"] == pytest.approx(f1_score(truth, guess, average="micro", zero_division=1))
    assert scores.metrics["samples_f1"] == pytest.approx(f1_score(truth, guess, average="samples", zero_division=1))
    assert scores.metrics["subset_accuracy"] == pytest.approx((truth == guess).all(axis=1).mean())
    for name, values in scores.per_row.items():
        assert np.mean(values) == pytest.approx(scores.metrics[name])
    assert row_counts(scores) == [[len(g & p), len(p - g), len(g - p)] for g, p in rows]
    for name, average in AVERAGES.items():
        total = scores.outcomes.total()
        assert float(average(total)) == pytest.approx(scores.metrics[name])


@pytest.mark.parametrize("metric", ["micro_f1", "macro_f1", "weighted_f1", "samples_f1", "subset_accuracy"])
def test_the_threshold_is_that_of_the_best_score(metric: str) -> None:
    rng, names = np.random.default_rng(3), ["rare", "usual", "often"]
    truth = rng.random((80, 3)) < [0.05, 0.3, 0.8]
    scores = np.clip(0.5 * truth + rng.random((80, 3)) * [0.3, 0.5, 0.6], 0.0, 1.0)
    gold = [{name for name, one in zip(names, row, strict=True) if one} for row in truth]

    def value(threshold: float) -> float:
        said = [{name for name, one in zip(names, row, strict=True) if one >= threshold} for row in scores]
        return multi_label(gold, said, names).metrics[metric]

    best = max(map(value, THRESHOLDS.tolist()))
    chosen = best_threshold(scores, truth, metric)
    assert value(chosen) == pytest.approx(best)
    assert all(abs(chosen - 0.5) <= abs(one - 0.5) for one in THRESHOLDS.tolist() if value(one) == value(chosen))


def test_an_unseen_label_among_several_is_a_miss() -> None:
    scores = multi_label([["tech", "new"], ["tech"]], [["tech"], ["tech"]], LABELS)
    assert row_counts(scores) == [[1, 0, 1], [1, 0, 0]]
    assert scores.details["unseen_labels"] == 1
    assert scores.details["unseen"] == {"new": 1}
    assert [row["label"] for row in scores.details["per_class"]] == [*LABELS, "new"]


def test_a_label_named_twice_counts_once() -> None:
    assert row_counts(multi_label([["tech", "tech"]], [["tech"]], LABELS)) == [[1, 0, 0]]


def test_a_text_is_no_collection_of_labels() -> None:
    for gold, predicted in ((["tech"], [["tech"]]), ([["tech"]], ["tech"])):
        with pytest.raises(DataError, match=r"found the label 'tech' where rows have several labels.*write \['tech'\]"):
            multi_label(gold, predicted, LABELS)


def drawn(count: int, seed: int) -> tuple[list[str], list[str], list[str]]:
    """Labels of 300 rows, what is said of them, and the labels of the training, some of which do not occur."""
    rng = np.random.default_rng(seed)
    names = [f"label {i}" for i in rng.permutation(count)]
    gold, said = (rng.choice(names, 300, p=rng.dirichlet(np.full(count, 0.3))) for _ in range(2))
    return gold.tolist(), np.where(rng.random(300) < 0.6, gold, said).tolist(), names[: max(1, count * 3 // 4)]


@pytest.mark.parametrize("count", [1, 2, 9, 300])
def test_figures_are_to_the_last_bit_those_of_a_whole_table(count: int) -> None:
    gold, said, known = drawn(count, count)
    scores = single_label(gold, said, known)
    expected, kinds = dense.single(gold, said, scores.details["confusion"]["labels"])
    assert scores.metrics == {name: expected.get(name, scores.metrics["unseen_labels"]) for name in scores.metrics}
    assert scores.details["per_class"] == expected["per_class"]
    assert confusion_table(scores.details["confusion"]) == expected["confusion"]
    assert np.array_equal(dense.kinds_of(scores.outcomes), kinds)


@pytest.mark.parametrize("count", [1, 2, 9, 80])
def test_figures_of_several_labels_are_to_the_last_bit_those_of_a_whole_table(count: int) -> None:
    first, second, known = drawn(count, count + 1)
    gold, said = ([set(rows[i : i + 3]) for i in range(0, 300, 2)] for rows in (first, second))
    gold[0], said[1] = set(), set()
    scores = multi_label(gold, said, known)
    expected, kinds = dense.several(gold, said, [row["label"] for row in scores.details["per_class"]])
    assert scores.metrics == {name: expected.get(name, scores.metrics["unseen_labels"]) for name in scores.metrics}
    assert scores.details["per_class"] == expected["per_class"]
    assert scores.per_row["samples_f1"] == expected["rows"]
    assert np.array_equal(dense.kinds_of(scores.outcomes), kinds), "the order of the kinds is what intervals draw by"


def kept(scores: LabelScores) -> int:
    """Bytes of the outcomes and cells of the confusion."""
    kinds = scores.outcomes.kinds
    arrays = (kinds.data, kinds.indices, kinds.indptr, scores.outcomes.of_row)
    return sum(one.nbytes for one in arrays) + 8 * sum(map(len, scores.details.get("confusion", {}).get("cells", [])))


def as_several(gold: list[str], said: list[str], labels: list[str]) -> LabelScores:
    return multi_label([[one] for one in gold], [[one] for one in said], labels)


@pytest.mark.parametrize("score", [single_label, as_several])
def test_memory_does_not_grow_with_the_square_of_the_labels(score: Callable[..., LabelScores]) -> None:
    labels = [str(i) for i in range(3000)]
    said = [labels[(i + i % 2) % 3000] for i in range(3000)]
    tracemalloc.start()
    scores = score(labels, said, labels)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert kept(scores) < 3000 * 100, "a few bytes for each row and label"
    assert peak < 15_000_000, "a table of all pairs has nine million cells"


def test_everything_is_plain_json() -> None:
    for scores in (single_label(["a", "b"], ["a", "a"], ["a"]), multi_label([["a"], []], [["a"], ["b"]], ["a"])):
        json.dumps([scores.metrics, scores.per_row, scores.details])


def test_the_most_confused_pairs_come_first_and_right_answers_never() -> None:
    gold = ["a"] * 6 + ["b"] * 3 + ["c"]
    predicted = ["a", "a", "b", "b", "b", "c", "b", "a", "a", "c"]
    found = confused_pairs(single_label(gold, predicted, ["a", "b", "c"]).details["confusion"], most=2)
    assert found == [("a", "b", 3), ("b", "a", 2)]
    assert confused_pairs(single_label(["a"], ["a"], ["a", "b"]).details["confusion"]) == []


def test_no_rows_is_an_error_that_says_so() -> None:
    for score in (single_label, multi_label):
        with pytest.raises(DataError, match="no rows to score"):
            score([], [], LABELS)
