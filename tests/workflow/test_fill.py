"""What is chosen where a recipe leaves it open."""

from __future__ import annotations

import pytest

from bertie.tasks.base import Defaults
from bertie.training.settings import Optimizer, Training
from bertie.tuning.layerwise import Layerwise
from bertie.tuning.lora import Lora
from bertie.workflow.train import COMPUTE, Extent, fill

SLOW_START = Defaults(rate_factor=2.0, head_rate_factor=20.0, most_rows=16)


def extent(rows: int = 5000, dev_rows: int = 500, layers: int = 12, share: float = 0.2, width: int = 384) -> Extent:
    """`share`: what an epoch takes of the usual compute."""
    return Extent(rows, dev_rows, layers, width, share * COMPUTE)


@pytest.mark.parametrize(
    ("rows", "share", "epochs", "rows_per_batch", "rate"),
    [
        (10, 1e-6, 4, 8, 2e-5),
        (180, 1e-6, 4, 8, 2e-5),
        (999, 1e-6, 4, 16, 2e-5),
        (1000, 1e-6, 8, 16, 6e-5),
        (2400, 0.2, 5, 32, 6e-5),
        (10**6, 50.0, 4, 32, 6e-5),
    ],
)
def test_by_the_number_of_rows(rows: int, share: float, epochs: int, rows_per_batch: int, rate: float) -> None:
    filled = fill(Training(), extent(rows, share=share), Defaults())
    assert (filled.epochs, filled.rows_per_batch, filled.optimizer.rate) == (epochs, rows_per_batch, rate)


def test_what_was_said_stays() -> None:
    said = Training(
        epochs=2,
        rows_per_batch=5,
        optimizer=Optimizer(rate=3e-4, head_rate_factor=2.0, layer_decay=0.9, name="sgd"),
        clip=0.0,
        keep="best",
    )
    assert fill(said, extent(50, 5), SLOW_START) == said


def test_a_given_rate_is_that_of_all_layers() -> None:
    filled = fill(Training(optimizer=Optimizer(rate=3e-5)), extent(), Defaults())
    assert (filled.optimizer.rate, filled.optimizer.layer_decay) == (3e-5, 1.0)


def test_few_dev_rows_choose_nothing() -> None:
    assert fill(Training(), extent(180, 20), Defaults()).keep == "last"
    assert fill(Training(), extent(1000, 100), Defaults()).keep == "best"


def test_the_lower_layers_of_a_deep_encoder_learn_less() -> None:
    shallow, deep, *few = (
        fill(Training(), extent(rows, layers=layers), Defaults())
        for rows, layers in ((5000, 6), (5000, 7), (500, 6), (500, 12))
    )
    assert shallow.optimizer.layer_decay == 1.0
    assert deep.optimizer.rate * deep.optimizer.layer_decay**6 < shallow.optimizer.rate < deep.optimizer.rate
    assert few[0] == few[1]


def test_a_task_says_what_it_usually_wants() -> None:
    usual, own = (fill(Training(), extent(), defaults) for defaults in (Defaults(), SLOW_START))
    assert own.optimizer.rate == pytest.approx(2 * usual.optimizer.rate)
    assert (usual.optimizer.head_rate_factor, own.optimizer.head_rate_factor) == (1.0, 20.0)
    assert (usual.rows_per_batch, own.rows_per_batch) == (32, 16)


def test_few_weights_take_larger_steps_and_the_head_its_usual_ones() -> None:
    whole, few = (fill(Training(), extent(layers=6), SLOW_START, method).optimizer for method in (None, Lora()))
    assert few.rate == pytest.approx(10 * whole.rate)
    assert few.rate * few.head_rate_factor == pytest.approx(whole.rate * whole.head_rate_factor)


def test_a_given_rate_is_that_of_the_head_too_whatever_the_method() -> None:
    said = Training(optimizer=Optimizer(rate=1e-3))
    for defaults, factor in ((Defaults(), 1.0), (SLOW_START, 20.0)):
        filled = fill(said, extent(), defaults, Lora()).optimizer
        assert (filled.rate, filled.head_rate_factor) == (1e-3, factor)


def test_layer_wise_rates_are_the_methods_unless_somebody_says_so() -> None:
    assert fill(Training(), extent(layers=6), Defaults(), Layerwise(decay=0.7)).optimizer.layer_decay == 0.7
    said = Training(optimizer=Optimizer(rate=1e-4, layer_decay=0.5))
    assert fill(said, extent(), Defaults(), Layerwise()).optimizer.layer_decay == 0.5


def test_a_wide_encoder_gets_less_where_all_layers_learn_alike() -> None:
    alike = Defaults(rate_factor=2.5, layer_decay=1.0)
    narrow, wide = (fill(Training(), extent(width=width), alike).optimizer for width in (384, 768))
    assert (narrow.rate, narrow.layer_decay) == (pytest.approx(1.5e-4), 1.0)
    assert wide.rate == pytest.approx(0.75e-4)
    assert fill(Training(), extent(width=768), Defaults()).optimizer.rate == 6e-5
