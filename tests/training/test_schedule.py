"""The schedule and the plan, as properties."""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertie.training.schedule import Plan, factor
from bertie.training.settings import Schedule

SCHEDULES = st.builds(
    Schedule,
    name=st.sampled_from(["linear", "cosine", "polynomial", "constant"]),
    warmup=st.floats(0.0, 1.0),
    power=st.floats(0.5, 4.0),
)
PART = st.floats(0.0, 1.0)


@given(SCHEDULES, PART)
def test_a_factor_lies_between_0_and_1(schedule: Schedule, progress: float) -> None:
    assert 0.0 <= factor(schedule, progress) <= 1.0


@given(SCHEDULES, PART, PART)
def test_it_rises_in_the_warmup_and_never_after(schedule: Schedule, one: float, other: float) -> None:
    low, high = sorted((one, other))
    if high < schedule.warmup:
        assert factor(schedule, low) <= factor(schedule, high)
    if low >= schedule.warmup:
        assert factor(schedule, low) >= factor(schedule, high) - 1e-12


@pytest.mark.parametrize(("name", "end"), [("linear", 0.0), ("cosine", 0.0), ("polynomial", 0.0), ("constant", 1.0)])
def test_where_it_starts_peaks_and_ends(
    name: Literal["linear", "cosine", "polynomial", "constant"], end: float
) -> None:
    schedule = Schedule(name=name, warmup=0.25)
    assert factor(schedule, 0.0) == 0.0
    assert factor(schedule, 0.25) == 1.0
    assert factor(schedule, 1.0) == pytest.approx(end)


def test_linear_equals_the_usual_formula() -> None:
    found = [factor(Schedule(warmup=0.1), step / 100) for step in range(101)]
    assert found == pytest.approx([min(step / 10, (100 - step) / 90) for step in range(101)])


@given(st.integers(1, 500), st.lists(st.tuples(st.integers(1, 600), st.integers(1, 900)), max_size=5))
def test_a_changed_plan_rises_evenly_keeps_its_past_and_ends_at_1(total: int, changes: list[tuple[int, int]]) -> None:
    plan = Plan.of(total)
    for step, new in sorted(changes):
        if not plan.decided < step < plan.total:
            continue
        changed = plan.changed(step, new)
        assert [changed.progress(s) for s in range(step + 1)] == pytest.approx(
            [plan.progress(s) for s in range(step + 1)]
        )
        assert [changed.total_at(s) for s in range(step + 1)] == [plan.total_at(s) for s in range(step + 1)]
        assert changed.total_at(step + 1) == changed.total_at(changed.total + 1) == changed.total
        plan = changed
    line = [plan.progress(step) for step in range(plan.total + 1)]
    assert line == sorted(line)
    assert (line[0], line[-1]) == (0.0, 1.0)
    assert all(0.0 < plan.middle(step) < 1.0 for step in range(plan.total))


def test_no_step_has_rate_zero() -> None:
    plan, schedule = Plan.of(10), Schedule(warmup=0.1)
    assert all(factor(schedule, plan.middle(step)) > 0 for step in range(10))


def test_the_past_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="before the last decision"):
        Plan.of(100).changed(50, 80).changed(50, 90)
