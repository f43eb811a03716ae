"""Averages of weights: the closed forms, what is judged and kept, and refusals."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from bertie.core.config import field_docs
from bertie.training.averages.base import Average
from bertie.training.averages.ema import Ema
from bertie.training.averages.swa import Swa
from bertie.training.averaging import Averaging
from bertie.training.hooks import Hook, Step
from bertie.training.loop import fit
from bertie.training.model import TrainingModel
from bertie.training.regularizing import AVERAGES
from bertie.training.run import RunFolder
from bertie.training.settings import Optimizer, Training
from bertie.training.state import Evaluation
from bertie.training.tensors import load_tensors
from tests.training.toy import judge, toy_examples, toy_model

SETTINGS = Training(
    epochs=2, rows_per_batch=8, trackers=(), progress="never", dtype="float32", optimizer=Optimizer(rate=1e-2)
)


def walked(average: Average, steps: int) -> tuple[Averaging, nn.Linear, list[Tensor]]:
    """An average over random weights, and all of these."""
    torch.manual_seed(0)
    layer = nn.Linear(3, 2)
    averaging, seen = Averaging(average, dict(layer.named_parameters())), []
    for step in range(1, steps + 1):
        with torch.no_grad():
            layer.weight.normal_()
        seen.append(layer.weight.detach().clone())
        averaging.update(step, steps)
    return averaging, layer, seen


def shown(averaging: Averaging, layer: nn.Linear) -> Tensor:
    with averaging.shown():
        return layer.weight.detach().clone()


def test_ema_is_its_closed_form() -> None:
    averaging, layer, seen = walked(Ema(decay=0.8, warmup=False), 12)
    parts = [0.8**11, *(0.2 * 0.8 ** (11 - n) for n in range(1, 12))]
    assert math.isclose(sum(parts), 1.0)
    expected = torch.stack([part * weight for part, weight in zip(parts, seen, strict=True)]).sum(dim=0)
    torch.testing.assert_close(shown(averaging, layer), expected)
    assert torch.equal(layer.weight, seen[-1]), "the weights themselves go on"


def test_ema_remembers_less_in_the_beginning() -> None:
    averaging, layer, seen = walked(Ema(decay=0.9), 40)
    mean = seen[0]
    for held, weight in enumerate(seen[1:], start=1):
        kept = min(0.9, (1 + held) / (10 + held))
        mean = kept * mean + (1.0 - kept) * weight
    torch.testing.assert_close(shown(averaging, layer), mean)


@pytest.mark.parametrize(
    ("begin", "every", "counted"),
    [(0.5, 1, [5, 6, 7, 8, 9]), (0.0, 3, [0, 3, 6, 9]), (0.75, 1, [7, 8, 9])],
)
def test_swa_is_the_mean(begin: float, every: int, counted: list[int]) -> None:
    averaging, layer, seen = walked(Swa(begin=begin, every=every), 10)
    torch.testing.assert_close(shown(averaging, layer), torch.stack([seen[n] for n in counted]).mean(dim=0))


def test_swa_is_that_of_torch() -> None:
    averaging, layer, seen = walked(Swa(begin=0.0), 9)
    other = nn.Linear(3, 2)
    reference = AveragedModel(other)
    for weight in seen:
        with torch.no_grad():
            other.weight.copy_(weight)
        reference.update_parameters(other)
    torch.testing.assert_close(shown(averaging, layer), reference.module.weight.detach())


def test_before_it_begins_the_weights_are_shown() -> None:
    averaging, layer, seen = walked(Swa(begin=0.9), 1)
    averaging.load({})
    assert averaging.state() == {}
    assert torch.equal(shown(averaging, layer), seen[-1])


class Weights(Hook):
    """Takes down the head's weights after each step."""

    def __init__(self, model: TrainingModel) -> None:
        self.model, self.seen = model, list[Tensor]()

    def after_step(self, step: Step) -> None:
        self.seen.append(self.model.task.get_parameter("head.weight").detach().clone())


def test_the_average_is_judged_and_kept_and_training_goes_on_from_the_weights(tmp_path: Path) -> None:
    judged: list[Tensor] = []
    results = []
    for average in ({"name": "swa", "begin": 0.5}, {}):
        model = toy_model()
        hook = Weights(model)

        def evaluate(model: TrainingModel = model) -> Evaluation:
            judged.append(model.task.get_parameter("head.weight").detach().clone())
            return Evaluation(0.0)

        settings = replace(SETTINGS, keep="last", average=average)
        with RunFolder(tmp_path / str(len(average))) as run:
            fit(model, toy_examples(), settings, run, evaluate, [hook])
        results.append((model, hook.seen))
    (averaged, steps), (plain, plain_steps) = results
    assert all(map(torch.equal, steps, plain_steps)), "the steps are those without an average"
    mean = torch.stack(steps[len(steps) // 2 :]).mean(dim=0)
    torch.testing.assert_close(judged[2], mean)  # before the first step, after each of two epochs
    torch.testing.assert_close(averaged.task.get_parameter("head.weight").detach(), mean)
    assert torch.equal(plain.task.get_parameter("head.weight"), steps[-1])
    kept = load_tensors(tmp_path / "2" / "best" / "model.safetensors")[0]
    assert all(torch.equal(kept[name], tensor) for name, tensor in averaged.state_dict().items())


def test_a_step_that_was_left_out_does_not_count(tmp_path: Path) -> None:
    """Also with a table of which only the used rows are trained."""
    model, calls = toy_model(vocabulary=400), iter(range(99))

    def sick(loss):  # type: ignore[no-untyped-def]
        return lambda encoder, batch: loss(encoder, batch) * (math.nan if next(calls) == 7 else 1.0)

    model = TrainingModel(model.encoder, model.task, [sick])
    hook = Weights(model)
    settings = replace(SETTINGS, epochs=1, keep="last", average={"name": "swa", "begin": 0.0})
    with RunFolder(tmp_path) as run:
        result = fit(model, toy_examples(), settings, run, lambda: Evaluation(0.0), [hook])
    assert result.skipped == 1
    mean = torch.stack([weight for n, weight in enumerate(hook.seen) if n != 7]).mean(dim=0)
    torch.testing.assert_close(model.task.get_parameter("head.weight").detach(), mean)


def test_it_learns_with_an_average(tmp_path: Path) -> None:
    model, dev = toy_model(), toy_examples(60, seed=1)
    before = judge(model, dev)().score
    with RunFolder(tmp_path) as run:
        result = fit(model, toy_examples(), replace(SETTINGS, average={"name": "ema"}), run, judge(model, dev))
    assert judge(model, dev)().score == pytest.approx(result.best_score) and result.best_score > before


@pytest.mark.parametrize("name", sorted(AVERAGES.classes()))
def test_settings_are_explained_and_checked(name: str) -> None:
    kind = AVERAGES.get(name)
    assert {field.name for field in fields(kind)} <= field_docs(kind).keys()  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected"):
        kind(**{"ema": {"decay": 1.0}, "swa": {"begin": 1.0}}[name])
