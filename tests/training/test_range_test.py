"""The range test: what it reads in a curve, and that nothing is left of it in a model."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bertie.core.errors import UsageError
from bertie.training.hooks import Hook, Step
from bertie.training.model import TrainingModel
from bertie.training.range_test import Curve, Sweep, range_test
from bertie.training.settings import Optimizer, Training
from bertie.training.state import random_state
from bertie.training.tuning import Tuner, penalised
from tests.training.toy import toy_examples, toy_model
from tests.tuning.test_methods import NAMES, method_of

SETTINGS = Training(epochs=1, rows_per_batch=8, dtype="float32", optimizer=Optimizer(rate=1e-3, layer_decay=0.5))
SWEEP = Sweep(lowest=1e-5, highest=1e3, steps=80)


def curve(noise: float, turn: float = 1e-3, fall: float = 0.4, seed: int = 0) -> Curve:
    """Flat at 0.7, lower by `fall` two powers of ten further on, up from `turn`."""
    rates = np.geomspace(1e-7, 1e-1, 100)
    down = fall / (1 + (turn / 30 / rates) ** 1.5)
    up = np.where(rates > turn, (np.log10(rates / turn)) ** 2 * 8, 0.0)
    losses = 0.7 - down + up + noise * np.random.default_rng(seed).standard_normal(100)
    return Curve.read(list(map(float, rates)), list(map(float, losses)))


@settings(max_examples=50, deadline=None)
@given(st.floats(0.0, 0.05), st.sampled_from([1e-4, 1e-3, 1e-2]), st.integers(0, 1000))
def test_divergence_is_found_where_the_loss_turns_up(noise: float, turn: float, seed: int) -> None:
    found = curve(noise, turn, seed=seed)
    assert found.diverged is not None and found.suggestion is not None
    assert 0.5 * turn < found.diverged < 5 * turn
    assert found.suggestion == pytest.approx(found.diverged / 10)
    assert found.falling <= found.best <= found.diverged


@pytest.mark.parametrize("seed", range(5))
def test_a_loss_that_only_rises_tells_it_too(seed: int) -> None:
    """A head that starts from a solution has little to fall."""
    found = curve(0.02, 1e-3, fall=0.0, seed=seed)
    assert found.diverged is not None and 3e-4 < found.diverged < 5e-3


def test_a_loss_that_never_rises_gives_no_suggestion() -> None:
    found = curve(0.0, turn=1.0)
    assert found.diverged is None and found.suggestion is None


def test_a_loss_that_is_not_finite_has_diverged() -> None:
    rates = list(map(float, np.geomspace(1e-6, 1e-2, 40)))
    found = Curve.read(rates, [0.7] * 39 + [math.inf])
    assert found.diverged is not None and found.diverged >= rates[34]
    assert all(map(math.isfinite, found.smoothed))


def test_rates_rise_by_the_same_factor() -> None:
    rates = [SWEEP.rate(step) for step in range(SWEEP.steps)]
    assert rates[0] == pytest.approx(1e-5) and rates[-1] == pytest.approx(1e3)
    assert np.ptp(np.diff(np.log(rates))) < 1e-9
    for wrong in (
        {"lowest": 1.0, "highest": 0.1},
        {"lowest": 0.0, "highest": 0.1},
        {"lowest": 1e-5, "highest": math.inf},
    ):
        with pytest.raises(UsageError, match="expected 0 < lowest"):
            Sweep(**wrong)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="too few"):
        Sweep(lowest=1e-5, highest=1.0, steps=5)


class Seen(Hook):
    """Remembers the steps."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.rates: list[list[float]] = []

    def begin(self, optimizer: torch.optim.Optimizer, done: int, total: int) -> None:
        self.optimizer = optimizer

    def after_step(self, step: Step) -> None:
        self.steps.append(step)
        self.rates.append([group["lr"] for group in self.optimizer.param_groups])


def test_a_real_one_diverges_and_rates_of_layers_keep_their_distance() -> None:
    seen = Seen()
    found = range_test(toy_model(), toy_examples(200), SETTINGS, SWEEP, [seen])
    assert found.diverged is not None and 1e-3 < found.diverged < 1e2
    top, below = (SETTINGS.optimizer.rate, SETTINGS.optimizer.rate * 0.5)
    for rates, step in zip(seen.rates, seen.steps, strict=True):
        assert rates[0] == pytest.approx(found.rates[step.number - 1])
        assert any(rate == pytest.approx(rates[0] * below / top) for rate in rates)
    assert len(found.losses) < SWEEP.steps, "what has exploded is not trained on"


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", NAMES)
def test_the_model_is_as_it_was(name: str, dtype: str) -> None:
    method, toy = method_of(name), toy_model()
    method.apply(toy.encoder)
    model = TrainingModel(toy.encoder, toy.task, [penalised(method)]).eval()
    before, generators = {key: t.clone() for key, t in model.state_dict().items()}, random_state()
    asking = [parameter.requires_grad for parameter in model.parameters()]
    own = set(vars(model))
    training = replace(SETTINGS, dtype=dtype)  # type: ignore[arg-type]
    range_test(model, toy_examples(), training, replace(SWEEP, steps=30), [Tuner(method, model.encoder)])
    assert random_state() == generators and not model.training and not model.encoder.training
    assert [parameter.requires_grad for parameter in model.parameters()] == asking
    assert all(parameter.grad is None for parameter in model.parameters())
    assert set(vars(model)) == own
    after = model.state_dict()
    assert after.keys() == before.keys()
    assert [key for key in before if not torch.equal(before[key], after[key])] == []


def test_a_loss_that_explodes_at_once_says_what_to_do() -> None:
    with pytest.raises(UsageError, match="begin lower, --lowest"):
        range_test(toy_model(), toy_examples(), SETTINGS, Sweep(lowest=1e30, highest=1e35, steps=30))
