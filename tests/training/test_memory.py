"""The estimate of memory: exact where it can be counted, near where it is measured, and it changes nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from bertie.bundle.folder import METHODS
from bertie.core.errors import UsageError
from bertie.core.runtime import free_memory
from bertie.data.batches import Batch
from bertie.nn.encoder import Encoder
from bertie.training.memory import Memory, estimate_memory, optimizer_bytes
from bertie.training.model import StepLoss, TrainingModel
from bertie.training.optimizer import make_optimizer, parameter_groups, parameters
from bertie.training.regularizing import regularized
from bertie.training.settings import Optimizer, Training
from bertie.training.state import random_state
from tests.house.source import ROOT
from tests.training.toy import toy_examples, toy_model

SETTINGS = Training(epochs=1, rows_per_batch=8, dtype="float32", optimizer=Optimizer(rate=1e-3))
FACTOR = 1.7
"""Between what is estimated and what lives, to either side, as docs/en/memory.md says."""


def tuned(method: str) -> TrainingModel:
    model = toy_model()
    METHODS.get(method)().apply(model.encoder)
    return model


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "adafactor"])
def test_the_optimisers_state_is_as_large_as_said(name: str) -> None:
    model, settings = toy_model(), Optimizer(name=name, rate=1e-3)  # type: ignore[arg-type]
    optimizer = make_optimizer(parameter_groups(model.encoder, model.task, settings), settings)
    trained = parameters(optimizer.param_groups)
    for parameter in trained:
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    held = [value for state in optimizer.state.values() for value in state.values() if torch.is_tensor(value)]
    numbers = sum(value.numel() * value.element_size() for value in held if value.numel() > 1)
    assert optimizer_bytes(trained, settings) == pytest.approx(numbers, rel=0.01)


def test_it_changes_nothing() -> None:
    model, examples = toy_model(), toy_examples()
    before, generators = {name: t.clone() for name, t in model.state_dict().items()}, random_state()
    model.eval()
    estimate_memory(model, examples, SETTINGS)
    assert random_state() == generators and not model.training
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_methods_and_settings_show() -> None:
    examples = toy_examples()
    full, lora, frozen = (estimate_memory(tuned(name), examples, SETTINGS) for name in ("full", "lora", "frozen"))
    assert full.weights < lora.weights and full.gradients > 4 * lora.gradients
    assert full.optimizer == 2 * full.gradients
    again = estimate_memory(toy_model(), examples, replace(SETTINGS, activation_checkpointing=True))
    larger = estimate_memory(toy_model(), examples, replace(SETTINGS, rows_per_batch=16))
    kept = [found.activations or 0 for found in (full, lora, frozen, again, larger)]
    assert kept[0] > kept[1] > kept[2] > 0
    assert kept[3] < 0.7 * kept[0] and kept[4] > 1.5 * kept[0]


@pytest.mark.parametrize(
    ("name", "passes", "copies"), [("fgm", 1, 1), ("pgd", 1, 1), ("freelb", 1, 1), ("rdrop", 2, 0), ("vat", 2, 0)]
)
@pytest.mark.parametrize("average", [{}, {"name": "ema"}])
def test_what_lives_at_once_counts(name: str, passes: int, copies: int, average: dict[str, Any]) -> None:
    settings = replace(SETTINGS, regularization={"name": name}, average=average)
    model, examples = toy_model(), toy_examples()
    plain = estimate_memory(model, examples, SETTINGS)
    wrapped = TrainingModel(model.encoder, model.task, regularized(settings, model.task))
    found = estimate_memory(wrapped, examples, settings)
    assert found.activations is not None and plain.activations is not None
    assert passes - 0.3 < found.activations / plain.activations < passes + 0.2
    assert found.copies == (copies + bool(average)) * found.gradients
    assert found.needed == plain.needed + found.copies + found.activations - plain.activations


def test_words_that_are_not_used_count_as_weights_alone() -> None:
    large = toy_model(vocabulary=5000)
    found = estimate_memory(large, toy_examples(), SETTINGS)
    assert found.weights > 5000 * 16 * 4 > 3 * found.gradients


def test_the_line_compares_with_what_is_free() -> None:
    found = Memory(100 * 2**20, 2**20, 2 * 2**20, 500 * 2**20, None)
    assert found.line() == ("memory: about 503 MB (gradients 1, optimiser 2, activations 500) beside 100 MB of weights")
    assert replace(found, free=600 * 2**20).line().endswith("; 600 MB are free")
    assert "400 MB are free, which is LESS: --set training.activation" in replace(found, free=400 * 2**20).line()


def test_copies_are_said_where_there_are_some() -> None:
    found = Memory(100 * 2**20, 2**20, 2 * 2**20, 500 * 2**20, None, copies=2**20)
    assert found.line().startswith("memory: about 504 MB (gradients 1, optimiser 2, copies 1, activations 500) beside")


def test_activations_that_could_not_be_measured_are_too_many() -> None:
    found = Memory(100 * 2**20, 2**20, 2 * 2**20, None, 400 * 2**20)
    assert found.line().startswith(
        "memory: more than 3 MB (gradients 1, optimiser 2, activations more than could be measured) beside 100 MB of "
        "weights; 400 MB are free, which is LESS: "
    )
    assert "MB of weights; what is free is LESS: " in replace(found, free=None).line()


@pytest.mark.parametrize("checkpointing", [True, False])
@pytest.mark.parametrize(("rows_per_batch", "sent"), [(1, {1}), (8, {1, 2})])
def test_what_it_asks_for_is_no_more_than_the_training_does(
    rows_per_batch: int, sent: set[int], checkpointing: bool
) -> None:
    rows, kept = set(), set()

    def watched(step_loss: StepLoss) -> StepLoss:
        def loss(encoder: Encoder, batch: Batch) -> Tensor:
            rows.add(batch.rows)
            kept.add(encoder.checkpointing)
            return step_loss(encoder, batch)

        return loss

    plain = toy_model()
    settings = replace(SETTINGS, rows_per_batch=rows_per_batch, activation_checkpointing=checkpointing)
    estimate_memory(TrainingModel(plain.encoder, plain.task, [watched]), toy_examples(), settings)
    assert (rows, kept) == (sent, {checkpointing})
    assert not plain.encoder.checkpointing


def test_memory_that_runs_out_in_measuring_is_the_answer() -> None:
    def refused(message: str) -> TrainingModel:
        def wrapper(step_loss: StepLoss) -> StepLoss:
            def loss(encoder: Encoder, batch: Batch) -> Tensor:
                raise RuntimeError(message)

            return loss

        plain = toy_model()
        return TrainingModel(plain.encoder, plain.task, [wrapper])

    found = estimate_memory(refused("CUDA out of memory"), toy_examples(), SETTINGS)
    assert found.activations is None and found.needed == found.gradients + found.optimizer > 0
    with pytest.raises(RuntimeError, match="another fault"):
        estimate_memory(refused("another fault"), toy_examples(), SETTINGS)


def test_this_machine_tells_what_is_free() -> None:
    free = free_memory(torch.device("cpu"))
    assert free is not None and 2**20 < free < 2**50
    with pytest.raises(UsageError, match="does not exist"):
        estimate_memory(toy_model(), toy_examples(), replace(SETTINGS, device="cuda:9x"))


@pytest.mark.slow
@pytest.mark.timeout(900)  # ten trainings in processes of their own
def test_estimates_are_near_what_is_measured(tmp_path: Path) -> None:
    """`benchmarks/training_memory.py` on a small encoder: each training in its own process."""
    figures = tmp_path / "figures.json"
    words = ["--layers", 4, "--width", 256, "--rows", 32, "--length", 128, "--repeats", 1, "--json", figures]
    call = [sys.executable, str(ROOT / "benchmarks" / "training_memory.py"), *map(str, words)]
    done = subprocess.run(call, check=False, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(figures.read_text(encoding="utf-8"))["runs"]
    measured = {name: runs[0]["measured_mb"] for name, runs in found.items()}
    for name, runs in found.items():
        said = runs[0]["estimated_mb"]
        assert said / FACTOR < measured[name] < said * FACTOR, found
    assert measured["lora"] < 0.85 * measured["full"]
    assert measured["full, checkpointing"] < 0.7 * measured["full"]
