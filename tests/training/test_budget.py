"""The budget's arithmetic, on a clock that the test moves."""

from __future__ import annotations

import time

import pytest

from bertie.training.budget import MARKS, Budget


class Clock:
    """Seconds that pass when the test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    moved = Clock()
    monkeypatch.setattr(time, "monotonic", moved)
    return moved


def work(budget: Budget, clock: Clock, steps: int, seconds: float) -> None:
    for _ in range(steps):
        clock.now += seconds
        budget.stepped(100)


def test_what_fits_is_what_the_speed_says(clock: Clock) -> None:
    budget = Budget(1000.0)
    work(budget, clock, 102, 1.0)
    assert budget.steps_left(100, 0.0) == pytest.approx((1000 - 102) * 0.97, abs=2)


def test_a_machine_that_was_busy_at_first_is_forgiven(clock: Clock) -> None:
    """Three minutes at a fifth of the speed, two at full speed: what is left is planned at full speed."""
    budget = Budget(900.0)
    work(budget, clock, 36, 5.0)
    busy = budget.steps_left(100, 0.0)
    work(budget, clock, 120, 1.0)
    assert budget.steps_left(100, 0.0) > 0.9 * (900 - 300) * 0.97 > 2 * busy


def test_one_slow_evaluation_is_forgotten_at_the_next(clock: Clock) -> None:
    budget = Budget(900.0)
    budget.evaluated(100.0)
    work(budget, clock, 50, 1.0)
    slow = budget.steps_left(100, 0.1)
    budget.evaluated(5.0)
    assert budget.steps_left(100, 0.1) > 5 * slow


def test_every_mark_is_looked_at_once(clock: Clock) -> None:
    budget = Budget(100.0)
    looks = 0
    for _ in range(99):
        work(budget, clock, 1, 1.0)
        looks += budget.look()
    assert looks == len(MARKS)


def test_earlier_sessions_count(clock: Clock) -> None:
    budget = Budget(100.0, before=60.0)
    work(budget, clock, 40, 1.0)
    assert budget.used() == 100.0
    assert budget.over()


def test_without_a_limit_nothing_is_over(clock: Clock) -> None:
    budget = Budget(None)
    work(budget, clock, 500, 10.0)
    assert not budget.over()
    assert not budget.look()
