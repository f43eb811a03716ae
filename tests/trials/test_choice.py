"""The choice: the default is kept against luck, the simpler one is taken where it costs nothing."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bertie.evaluation.judge import difference
from bertie.metrics.intervals import Interval
from bertie.tasks.base import Scores
from bertie.trials.choice import Candidate, choose
from bertie.trials.space import Variation

DEFAULT = Variation(model="m")
WORDS, FROZEN = Variation(kind="words"), Variation(kind="frozen", model="m")
LORA, FAST = Variation(model="m", method="lora"), Variation(model="quick")
ROWS = 500


def scores(wrong: set[int], rows: int = ROWS) -> Scores:
    right = [float(i not in wrong) for i in range(rows)]
    return Scores("accuracy", {"accuracy": sum(right) / rows}, {"accuracy": right})


def candidate(variation: Variation, wrong: range, rows: int = ROWS, room: Interval | None = None) -> Candidate:
    slow = {"words": 0.001, "frozen": 0.010, "tuned": 0.004 if variation.model == "quick" else 0.010}
    return Candidate(variation, scores(set(wrong), rows), slow[variation.kind], room)


def chosen(*candidates: Candidate, rows: int = ROWS) -> tuple[Variation, list[str]]:
    found = choose(candidates, DEFAULT, rows)
    return candidates[found.place].variation, [reason.why for reason in found.reasons]


def test_a_lucky_trial_does_not_replace_the_default() -> None:
    assert chosen(candidate(DEFAULT, range(30)), candidate(LORA, range(27))) == (DEFAULT, ["default"])


def test_a_clearly_better_one_does() -> None:
    default, better = candidate(DEFAULT, range(60)), candidate(LORA, range(20))
    place = choose([default, better], DEFAULT, ROWS)
    assert place.place == 1
    (reason,) = place.reasons
    assert reason.why == "better" and reason.other == 0 and reason.difference is not None
    assert reason.difference.low > 0


def test_many_comparisons_need_more() -> None:
    default, once = candidate(DEFAULT, range(16)), candidate(LORA, range(9))
    assert difference(once.scores, default.scores).low > 0
    assert chosen(default, once)[0] == LORA
    others = [candidate(Variation(model="m", rate=1 + i / 100), range(16)) for i in range(20)]
    assert chosen(default, once, *others) == (DEFAULT, ["default"])


def test_few_changed_rows_are_counted_exactly_at_that_level_too() -> None:
    default, once = candidate(DEFAULT, range(16)), candidate(LORA, range(8))  # 8 gains, no loss: p = 0.5**8 = 0.0039
    others = [candidate(Variation(model="m", rate=1 + i / 100), range(16)) for i in range(14)]
    assert chosen(default, once, *others[:11])[0] == LORA  # 0.05 / 12 = 0.0042
    assert chosen(default, once, *others) == (DEFAULT, ["default"])  # 0.05 / 15 = 0.0033


def test_words_that_are_as_good_are_taken() -> None:
    equal = chosen(candidate(WORDS, range(10)), candidate(FROZEN, range(10)), candidate(DEFAULT, range(10)))
    assert equal == (WORDS, ["simpler"])
    assert chosen(candidate(WORDS, range(40)), candidate(DEFAULT, range(10))) == (DEFAULT, ["default"])
    # Not clearly worse, but perhaps much worse.
    assert chosen(candidate(WORDS, range(14, 30)), candidate(DEFAULT, range(14))) == (DEFAULT, ["default"])


def test_a_faster_encoder_that_is_as_good_is_taken() -> None:
    assert chosen(candidate(DEFAULT, range(10)), candidate(FAST, range(10))) == (FAST, ["simpler"])
    assert chosen(candidate(DEFAULT, range(10)), candidate(LORA, range(10))) == (DEFAULT, ["default"])


def test_few_rows_prefer_nothing_unless_words_leave_no_room() -> None:
    few = [candidate(WORDS, range(1), 30), candidate(DEFAULT, range(1), 30)]
    assert chosen(*few, rows=30) == (DEFAULT, ["default", "few"])
    assert chosen(candidate(WORDS, range(20), 30), few[1], rows=30) == (DEFAULT, ["default"])
    sure = candidate(WORDS, range(1), 30, Interval(1.0, 0.99, 1.0))
    assert chosen(sure, few[1], rows=30) == (WORDS, ["room"])
    unsure = candidate(WORDS, range(1), 30, Interval(0.99, 0.97, 1.0))
    assert chosen(unsure, few[1], rows=30) == (DEFAULT, ["default", "few"])


def test_without_the_default_the_best_is_taken() -> None:
    assert chosen(candidate(FROZEN, range(10)), candidate(WORDS, range(90))) == (FROZEN, ["alone"])
    assert chosen(candidate(FROZEN, range(40)), candidate(LORA, range(10))) == (LORA, ["best"])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 6))
def test_what_is_chosen_is_never_clearly_worse_than_the_default(seed: int, others: int) -> None:
    rng = np.random.default_rng(seed)
    variations = [DEFAULT, WORDS, FROZEN, *(Variation(model="m", rate=1 + i / 10) for i in range(1, others))]
    candidates = [
        Candidate(one, scores(set(np.flatnonzero(rng.random(200) < rng.uniform(0, 0.3)).tolist()), 200), 0.01)
        for one in variations
    ]
    found = choose(candidates, DEFAULT, 200)
    assert difference(candidates[found.place].scores, candidates[0].scores).high >= 0.0
