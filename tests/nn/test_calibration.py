"""Calibration: what it finds, when it keeps still, and a layer that takes it in."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bertie.nn.calibration import FEWEST, Calibration, fit_calibration


def drawn(rows: int, scale: float, bias: list[float], seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits of a model and labels drawn from what would be right: the softmax of logits * scale + bias."""
    generator = torch.Generator().manual_seed(seed)
    logits = 3.0 * torch.randn(rows, len(bias), generator=generator)
    right = (logits * scale + torch.tensor(bias)).softmax(-1)
    return logits, torch.multinomial(right, 1, generator=generator).squeeze(1)


def test_finds_the_scale_and_the_bias_that_made_the_labels() -> None:
    found = fit_calibration(*drawn(4000, 0.5, [-1.0, 0.0, 1.0]))
    assert found is not None
    assert found.scale == pytest.approx(0.5, abs=0.04)
    assert (found.bias - found.bias.mean()).tolist() == pytest.approx([-1.0, 0.0, 1.0], abs=0.15)


def test_a_border_that_lies_elsewhere_is_found_and_more_rows_are_right() -> None:
    logits, labels = drawn(800, 0.6, [0.9, -0.9])
    found = fit_calibration(logits, labels)
    assert found is not None
    unseen, truth = drawn(4000, 0.6, [0.9, -0.9], seed=1)
    before, after = ((one.argmax(1) == truth).float().mean() for one in (unseen, found(unseen)))
    assert after > before + 0.02


def test_a_model_that_is_only_too_sure_keeps_its_borders() -> None:
    found = fit_calibration(*drawn(2000, 0.4, [0.0, 0.0]))
    assert found is not None and found.scale < 0.6
    assert not found.bias.any()


def test_what_is_right_already_or_too_little_is_left_alone() -> None:
    assert fit_calibration(*drawn(1000, 1.0, [0.0, 0.0, 0.0])) is None
    assert fit_calibration(*drawn(FEWEST - 1, 0.2, [3.0, -3.0])) is None


def test_perfect_answers_and_labels_that_never_come_do_not_run_away() -> None:
    labels = torch.arange(300) % 2
    logits = torch.nn.functional.one_hot(labels, 5) * 4.0
    found = fit_calibration(logits, labels)
    assert found is not None
    assert 1.0 < found.scale < 100.0 and bool(torch.isfinite(found.bias).all())
    assert (found(logits).argmax(1) == labels).all()


def test_is_the_same_in_any_precision_and_twice() -> None:
    logits, labels = drawn(500, 0.5, [1.0, 0.0])
    one, two, rough = (fit_calibration(x, labels) for x in (logits, logits, logits.double()))
    assert one is not None and two is not None and rough is not None
    assert one.scale == two.scale and torch.equal(one.bias, two.bias)
    assert rough.scale == pytest.approx(one.scale, rel=1e-6)


def test_a_layer_that_took_it_in_gives_calibrated_logits() -> None:
    torch.manual_seed(0)
    layer, states = nn.Linear(6, 3), torch.randn(5, 6)
    calibration = Calibration(0.7, torch.tensor([0.1, -0.4, 0.0]))
    wanted = calibration(layer(states))
    calibration.into(layer)
    torch.testing.assert_close(layer(states), wanted)
