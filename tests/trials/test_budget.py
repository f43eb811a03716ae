"""The arithmetic of time: never more than there is, nothing that is too short to be worth while."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bertie.trials.budget import MARGIN, SPARE, WORTH, Costs, allot

SECONDS = st.floats(0.0, 1e5)
COSTS = st.builds(
    Costs, trial=SECONDS, least=st.floats(0.1, 1e5), finish=SECONDS, default=st.none() | st.floats(0.1, 1e5)
)


@given(st.floats(-1e4, 1e6), COSTS)
def test_a_trial_and_the_bundle_fit_into_what_is_left(left: float, costs: Costs) -> None:
    given_ = allot(left, costs)
    if given_ is not None:
        assert given_ >= costs.least * (1 - 1e-9)
        assert given_ + costs.trial + costs.finish <= left + 1e-6 * abs(left)


@given(st.floats(0.0, 1e6), COSTS)
def test_the_first_may_take_all_and_later_ones_a_part(left: float, costs: Costs) -> None:
    first, later = allot(left, replace(costs, default=None)), allot(left, costs)
    if costs.default is not None and later is not None:
        assert first is not None and later <= first
        assert later >= WORTH * costs.default * (1 - 1e-9)
        assert later <= max(SPARE * costs.default, costs.least) * (1 + 1e-9)


@given(st.floats(0.0, 1e6), st.floats(0.0, 1e5), COSTS)
def test_more_time_is_never_less_training(left: float, more: float, costs: Costs) -> None:
    little, much = allot(left, costs), allot(left + more, costs)
    assert little is None or (much is not None and much >= little)


@given(COSTS)
def test_what_is_needed_is_enough(costs: Costs) -> None:
    costs = replace(costs, default=None)
    assert allot(costs.needed * (1 + 1e-6) + 1e-3, costs) is not None
    assert allot(costs.finish + costs.trial / MARGIN, costs) is None


@given(st.floats(60.0, 1e5), COSTS)
def test_trials_one_after_the_other_end_within_the_budget(budget: float, costs: Costs) -> None:
    left, count = budget, 0
    while count < 1000 and (seconds := allot(left, replace(costs, default=costs.default if count else None))):
        left -= seconds + costs.trial
        count += 1
    assert count == 0 or left >= costs.finish - 1e-6 * budget
