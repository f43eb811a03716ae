"""A training that was stopped and resumed is, with every method, the training that was not."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from torch import Tensor

from bertie.bundle.folder import METHODS
from bertie.training.hooks import Hook, Step
from bertie.training.loop import fit
from bertie.training.model import TrainingModel
from bertie.training.run import RunFolder
from bertie.training.settings import Optimizer, Training
from bertie.training.tensors import load_tensors
from bertie.training.tuning import Tuner, penalised
from bertie.tuning.base import trained
from tests.training.toy import judge, toy_examples, toy_model
from tests.tuning.test_methods import NAMES, method_of

SETTINGS = Training(
    epochs=1,
    rows_per_batch=8,
    save_steps=3,
    trackers=(),
    progress="never",
    dtype="float32",
    keep="last",
    optimizer=Optimizer(rate=1e-2),
)


class Cut(Hook):
    """Ends a training as a power cut does."""

    def __init__(self, after: int) -> None:
        self._after = after

    def after_step(self, step: Step) -> None:
        if step.number == self._after:
            raise InterruptedError


def run(name: str, folder: Path, *hooks: Hook) -> TrainingModel:
    method, toy = method_of(name), toy_model()
    method.apply(toy.encoder)
    model = TrainingModel(toy.encoder, toy.task, [penalised(method)])
    examples = toy_examples()
    with RunFolder(folder) as entered:
        fit(model, examples, SETTINGS, entered, judge(model, examples), [Tuner(method, model.encoder), *hooks])
    return model


@pytest.mark.parametrize("name", NAMES)
def test_resumed_equals_one_go(name: str, tmp_path: Path) -> None:
    whole = run(name, tmp_path / "whole")
    with pytest.raises(InterruptedError):
        run(name, tmp_path / "cut", Cut(after=4))
    resumed = run(name, tmp_path / "cut")
    mine, other = whole.state_dict(), resumed.state_dict()
    assert mine.keys() == other.keys()
    assert [key for key in mine if not torch.equal(mine[key], other[key])] == []


@pytest.mark.parametrize("name", ["lora", "frozen", "bitfit", "top_layers"])
def test_what_is_frozen_has_no_state_in_the_optimiser(name: str, tmp_path: Path) -> None:
    with pytest.raises(InterruptedError):
        run(name, tmp_path / "cut", Cut(after=4))
    (checkpoint,) = (tmp_path / "cut" / "checkpoints").iterdir()
    tensors: dict[str, Tensor] = load_tensors(checkpoint / "optimizer.safetensors")[0]
    model = toy_model()
    METHODS.get(name)().apply(model.encoder)
    count = len(trained(model.encoder)) + len(list(model.task.parameters()))
    assert len({key.split(".", maxsplit=1)[0] for key in tensors}) == count


@pytest.mark.parametrize("name", NAMES)
def test_a_model_with_its_method_can_be_sent_to_other_processes(name: str) -> None:
    method, toy = method_of(name), toy_model()
    method.apply(toy.encoder)
    model = TrainingModel(toy.encoder, toy.task, [penalised(method)]).eval()
    again: TrainingModel = pickle.loads(pickle.dumps(model))
    batch = model.collate(toy_examples(4))
    torch.testing.assert_close(again(batch), model(batch))
