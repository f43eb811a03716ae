"""What is chosen where a recipe leaves it open."""

from __future__ import annotations

import pytest

from bertie.training.settings import Optimizer, Training
from bertie.workflow.train import fill


@pytest.mark.parametrize(
    ("rows", "epochs", "rows_per_batch", "rate"),
    [
        (10, 4, 8, 2e-5),
        (180, 4, 8, 2e-5),
        (999, 4, 16, 2e-5),
        (1000, 10, 16, 3e-5),
        (2400, 5, 32, 3e-5),
        (10**6, 4, 32, 3e-5),
    ],
)
def test_by_the_number_of_rows(rows: int, epochs: int, rows_per_batch: int, rate: float) -> None:
    filled = fill(Training(), rows, 500, 12)
    assert (filled.epochs, filled.rows_per_batch, filled.optimizer.rate) == (epochs, rows_per_batch, rate)


def test_what_was_said_stays() -> None:
    said = Training(epochs=2, rows_per_batch=5, optimizer=Optimizer(rate=3e-4, name="sgd"), clip=0.0, keep="best")
    assert fill(said, 50, 5, 12) == said


def test_few_dev_rows_choose_nothing() -> None:
    assert fill(Training(), 180, 20, 12).keep == "last"
    assert fill(Training(), 1000, 100, 12).keep == "best"


def test_a_shallow_encoder_bears_a_higher_rate() -> None:
    assert fill(Training(), 5000, 500, 6).optimizer.rate > fill(Training(), 5000, 500, 7).optimizer.rate
    assert fill(Training(), 500, 500, 6) == fill(Training(), 500, 500, 12)
