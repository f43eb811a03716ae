"""The official score of SemEval-2010 task 8: by hand, and as its script counts, over any labels."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertie.core.errors import DataError
from bertie.metrics.labels import single_label
from bertie.metrics.relations import (
    OFFICIAL,
    DirectedSample,
    are_directed,
    directed_interval,
    directed_scores,
    official_macro_f1,
    paired_directed_difference,
    relation_of,
)
from bertie.metrics.samples import F1Sample

from . import dense

LABELS = ["Cause-Effect(e1,e2)", "Cause-Effect(e2,e1)", "Message-Topic(e1,e2)", "Message-Topic(e2,e1)", "Other"]
CE, EC, MT, TM, OTHER = LABELS
MORE = [*LABELS, "产地(e1,e2)", "产地(e2,e1)"]
pairs = st.lists(st.tuples(st.sampled_from(MORE), st.sampled_from(MORE)), min_size=1, max_size=40)


def by_the_script(gold: list[str], predicted: list[str]) -> float:
    """What the script does, step by step: a column of its own for the right relation with the wrong direction."""
    confusion: Counter[tuple[str, str]] = Counter()
    proposed: Counter[str] = Counter()
    names = [(label.partition("(")[0], guess.partition("(")[0]) for label, guess in zip(gold, predicted, strict=True)]
    for (truth, guess), whole, said in zip(names, gold, predicted, strict=True):
        column = "WRONG_DIR" if truth == guess and whole != said else guess
        confusion[column, truth] += 1
        proposed[column] += 1
    answers = Counter(truth for truth, _ in names)
    total = 0.0
    for name in answers.keys() - {"Other"}:
        right = confusion[name, name]
        precision = right / (proposed[name] + confusion["WRONG_DIR", name]) if proposed[name] else 0.0
        recall = right / answers[name]
        total += 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return total / len(answers.keys() - {"Other"})


def test_by_hand() -> None:
    """Cause-Effect: 2 right, 1 in the wrong direction, 1 missed, 1 extra: P 2/4, R 2/4. Message-Topic: P 1/1, R 1/2."""
    gold = [CE, EC, CE, EC, MT, TM, OTHER, OTHER]
    said = [CE, EC, EC, OTHER, MT, OTHER, CE, OTHER]
    scores = directed_scores(gold, said, LABELS)
    assert scores.value == pytest.approx((1 / 2 + 2 / 3) / 2) == pytest.approx(by_the_script(gold, said))
    assert [(row["label"], row["precision"], row["recall"], row["support"]) for row in scores.per_relation] == [
        ("Cause-Effect", 0.5, 0.5, 4),
        ("Message-Topic", 1.0, 0.5, 2),
    ]
    json.dumps(scores.per_relation)


def test_the_wrong_direction_counts_twice_and_the_wrong_relation_once_on_each_side() -> None:
    assert directed_scores([CE, CE], [CE, EC], LABELS).value == pytest.approx(1 / 2)  # P 1/2, R 1/2
    assert directed_scores([CE, CE, MT], [CE, MT, MT], LABELS).value == pytest.approx(2 / 3)  # 2/3 and 2/3
    assert directed_scores([CE, CE], [CE, OTHER], LABELS).value == pytest.approx(2 / 3)  # P 1, R 1/2


def test_only_relations_of_the_gold_count() -> None:
    """A claim of another is as good as Other, as the script says of itself."""
    assert directed_scores([CE, CE], [CE, MT], LABELS).value == directed_scores([CE, CE], [CE, OTHER], LABELS).value
    assert directed_scores([OTHER, CE], [MT, CE], LABELS).value == 1.0
    assert directed_scores([OTHER], [OTHER], LABELS).value == 1.0
    assert directed_scores([OTHER], [CE], LABELS).value == 0.0


def test_a_relation_that_training_never_saw_is_missed() -> None:
    scores = directed_scores(["产地(e1,e2)", CE], [OTHER, CE], LABELS)
    assert scores.value == 0.5 and [row["label"] for row in scores.per_relation] == [
        "Cause-Effect",
        "Message-Topic",
        "产地",
    ]


@given(pairs)
def test_equal_to_the_script(rows: list[tuple[str, str]]) -> None:
    gold, said = [g for g, _ in rows], [p for _, p in rows]
    if all(label == OTHER for label in gold):
        return
    assert directed_scores(gold, said, MORE).value == pytest.approx(by_the_script(gold, said))


def test_which_labels_are_directed() -> None:
    assert are_directed(LABELS) and are_directed([CE, EC]) and are_directed(["产地(e1,e2)", "Other"])
    assert not are_directed(["Other"]) and not are_directed([*LABELS, "unknown"]) and not are_directed(["合作", "拥有"])
    assert relation_of("A(b)(e2,e1)") == "A(b)" and relation_of("Other") is None and relation_of("A(e1,e3)") is None


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(*[st.sampled_from(LABELS)] * 3), min_size=1, max_size=40))
def test_intervals_hold_the_value_and_differences_are_those_of_the_scores(rows: list[tuple[str, str, str]]) -> None:
    gold, first, second = ([row[i] for row in rows] for i in range(3))
    a, b = directed_scores(gold, first, LABELS), directed_scores(gold, second, LABELS)
    interval = directed_interval(a.outcomes, resamples=50)
    assert 0.0 <= interval.low <= interval.value <= interval.high <= 1.0
    assert interval.value == pytest.approx(a.value) or a.value in (0.0, 1.0)
    both = paired_directed_difference(a.outcomes, b.outcomes, resamples=50)
    assert both.value == pytest.approx(a.value - b.value) and both.low <= both.value <= both.high
    assert paired_directed_difference(a.outcomes, a.outcomes, resamples=50).holds_zero


def test_the_interval_covers_as_often_as_it_says() -> None:
    """Rows drawn from a population of which the score is known."""
    rng = np.random.default_rng(0)
    gold = rng.choice(LABELS, 20_000).tolist()
    said = [label if rng.random() < 0.7 else rng.choice(LABELS) for label in gold]
    truth = directed_scores(gold, said, LABELS).value
    held = 0
    for _ in range(60):
        rows = rng.choice(len(gold), 300)
        found = directed_scores([gold[i] for i in rows], [said[i] for i in rows], LABELS)
        interval = directed_interval(found.outcomes, resamples=200)
        held += interval.low <= truth <= interval.high
    assert held >= 51


def test_the_sample_gives_averages_over_labels_and_over_relations() -> None:
    gold, said, other = [CE, EC, MT, OTHER] * 20, [CE, CE, MT, OTHER] * 20, [CE, EC, MT, OTHER] * 20

    def sample(answers: list[str]) -> DirectedSample:
        labels = F1Sample(single_label(gold, answers, LABELS).outcomes)
        return DirectedSample(labels, directed_scores(gold, answers, LABELS).outcomes)

    one, two = sample(said), sample(other)
    assert {OFFICIAL, "macro_f1", "weighted_f1"} <= set(one.names)
    assert one.interval(OFFICIAL).value == pytest.approx((1 / 2 + 1) / 2)
    assert one.interval("macro_f1").value == pytest.approx(single_label(gold, said, LABELS).metrics["macro_f1"])
    assert two.difference(one, OFFICIAL).low > 0 and two.difference(one, "macro_f1").low > 0
    assert two.interval(OFFICIAL).high == 1.0 and two.interval(OFFICIAL).low < 1.0


@pytest.mark.parametrize("seed", range(3))
def test_the_official_intervals_are_to_the_last_bit_those_of_a_whole_table(seed: int) -> None:
    rng = np.random.default_rng(seed)
    gold = rng.choice(MORE, 120).tolist()
    first, second = (
        directed_scores(gold, np.where(rng.random(120) < 0.6, gold, rng.choice(MORE, 120)).tolist(), LABELS).outcomes
        for _ in range(2)
    )
    assert directed_interval(first, resamples=200) == dense.interval(first, official_macro_f1, 200)
    expected = dense.difference(first, second, official_macro_f1, 200)
    assert paired_directed_difference(first, second, resamples=200) == expected


def test_no_rows_is_an_error_that_says_so() -> None:
    with pytest.raises(DataError, match="no rows to score"):
        directed_scores([], [], LABELS)
