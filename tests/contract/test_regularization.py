"""What every method against over-fitting must do, over the list that the folder is, with tasks and tuning methods."""

from __future__ import annotations

import pickle
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch

from bertie.bundle.folder import METHODS, TASKS
from bertie.core.config import field_docs, override
from bertie.core.errors import ConfigError, UsageError
from bertie.training.model import TrainingModel
from bertie.training.regularizing import AVERAGES, REGULARIZERS, announce, regularized
from bertie.training.settings import Training
from bertie.training.tuning import penalised
from bertie.workflow.extension import extend
from bertie.workflow.request import Recipe
from bertie.workflow.sample_rows import EIGHT
from tests.training.regularization.models import clear, gradients, parts
from tests.tuning.test_methods import method_of

NAMES = sorted(REGULARIZERS.classes())
EVERYWHERE = {"fgm", "pgd", "freelb"}
"""Methods that work with every task."""
CHOOSING = {"classification", "relation", "target_sentiment", "multiple_choice"}
"""Tasks whose output is scores of classes."""


def using(name: str) -> Training:
    return Training(regularization={"name": name})


def test_the_lists_are_what_the_settings_say() -> None:
    docs = field_docs(Training)
    assert set(NAMES) == {"fgm", "pgd", "freelb", "vat", "rdrop", "mixup"} and set(AVERAGES.classes()) == {"ema", "swa"}
    assert all(name in docs["regularization"] for name in NAMES)
    assert all(name in docs["average"] for name in AVERAGES.classes())


@pytest.mark.parametrize("name", NAMES)
def test_settings_are_explained_and_checked(name: str) -> None:
    kind = REGULARIZERS.get(name)
    assert {field.name for field in fields(kind)} <= field_docs(kind).keys()  # type: ignore[arg-type]
    for field in fields(kind):  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=field.name):
            kind(**{field.name: 0})


@pytest.mark.parametrize(
    ("name", "task_name"),
    [(name, task) for name in NAMES for task in sorted(EIGHT) if name == "fgm" or task in {*CHOOSING, "tagging"}],
)
def test_it_trains_what_the_plain_loss_trains_or_refuses_the_task(name: str, task_name: str, tiny_model: Path) -> None:
    encoder, task, examples = parts(tiny_model, task_name)
    if name not in EVERYWHERE and (task_name not in CHOOSING or (name, task_name) == ("mixup", "multiple_choice")):
        with pytest.raises(UsageError, match=rf"{name}.*{task_name}"):
            announce(using(name), task)
        return
    (line,) = announce(using(name), task)
    assert line.startswith(f"against over-fitting: {name}, ")
    model = TrainingModel(encoder, task, regularized(using(name), task)).train()
    batch = model.collate(examples)
    model(batch).backward()
    found = gradients(encoder, task)
    TrainingModel(encoder, task)(batch).backward()
    plain = gradients(encoder, task)
    assert found.keys() == plain.keys()
    assert all(bool(gradient.isfinite().all()) for gradient in found.values())
    assert any(not torch.allclose(found[n], plain[n]) for n in found)


@pytest.mark.parametrize("method_name", sorted(METHODS.classes()))
@pytest.mark.parametrize("name", ["fgm", "freelb", "rdrop"])
def test_it_works_with_every_tuning_method(name: str, method_name: str, tiny_model: Path) -> None:
    encoder, task, examples = parts(tiny_model)
    method = method_of(method_name)
    method.apply(encoder)
    method.before_step(encoder, 0, 10)
    model = TrainingModel(encoder, task, [*regularized(using(name), task), penalised(method)]).train()
    clear(model)
    model(model.collate(examples)).backward()
    asked = {n for n, p in model.named_parameters() if p.requires_grad}
    got = {n for n, p in model.named_parameters() if p.grad is not None and bool(p.grad.isfinite().all())}
    assert got == asked


@pytest.mark.parametrize("name", NAMES)
def test_a_model_is_judged_by_the_plain_loss(name: str, tiny_model: Path) -> None:
    encoder, task, examples = parts(tiny_model)
    model = TrainingModel(encoder, task, regularized(using(name), task)).eval()
    plain = TrainingModel(encoder, task).eval()
    with torch.no_grad():
        assert torch.equal(model(model.collate(examples)), plain(plain.collate(examples)))


@pytest.mark.parametrize("name", NAMES)
def test_a_model_with_it_can_be_sent_to_other_processes(name: str, tiny_model: Path) -> None:
    encoder, task, examples = parts(tiny_model)
    model = TrainingModel(encoder, task, regularized(using(name), task)).train()
    again: TrainingModel = pickle.loads(pickle.dumps(model))
    losses = []
    for one in (model, again):
        torch.manual_seed(4)
        loss = one(one.collate(examples))
        loss.backward()
        losses.append(loss.detach())
    assert torch.equal(*losses)
    assert all(
        torch.equal(p.grad, q.grad)
        for p, q in zip(model.parameters(), again.parameters(), strict=True)
        if p.grad is not None and q.grad is not None
    )
    assert [p.grad is None for p in model.parameters()] == [p.grad is None for p in again.parameters()]


@pytest.mark.parametrize("name", NAMES)
def test_bfloat16_is_finite(name: str, tiny_model: Path) -> None:
    encoder, task, examples = parts(tiny_model)
    model = TrainingModel(encoder, task, regularized(using(name), task)).train()
    with torch.autocast("cpu", torch.bfloat16):
        loss = model(model.collate(examples))
    loss.backward()
    assert all(bool(gradient.isfinite().all()) for gradient in gradients(encoder, task).values())


def test_what_cannot_be_is_said(tiny_model: Path) -> None:
    _, task, _ = parts(tiny_model)
    with pytest.raises(UsageError, match="'fgn' does not exist; choose one of fgm, freelb, mixup"):
        announce(using("fgn"), task)
    with pytest.raises(UsageError, match=r"has settings \(epsilon\) but no name"):
        announce(Training(regularization={"epsilon": 1.0}), task)
    with pytest.raises(ConfigError, match=r"training.average: unknown setting 'begin'; there are decay, warmup"):
        announce(Training(average={"name": "ema", "begin": 0.5}), task)
    with pytest.raises(UsageError, match="--method adalora"):
        announce(Training(average={"name": "ema"}), task, method_of("adalora"))
    for early, said in ((Training(patience=2), "training.patience is 2"), (Training(keep="best"), "keep is 'best'")):
        with pytest.raises(UsageError, match=rf"{said}, but with --method adalora only the last weights"):
            announce(early, task, method_of("adalora"))
    several = TASKS.get("classification").from_rows(
        EIGHT["classification"].with_column("label", [[row["label"]] for row in EIGHT["classification"]]), {}
    )
    for name in ("rdrop", "vat", "mixup"):
        with pytest.raises(UsageError, match="fgm, pgd or freelb"):
            announce(using(name), several)
    assert announce(Training(), task) == []


def test_a_recipe_names_them() -> None:
    recipe = override(Recipe(), ["training.regularization.name=fgm", "training.regularization.epsilon=0.1"])
    assert recipe.training == replace(Training(), regularization={"name": "fgm", "epsilon": 0.1})


OWN = """
from dataclasses import dataclass
from typing import ClassVar

from bertie.training.averages.base import Average
from bertie.training.regularization.base import Regularizer


@dataclass(frozen=True, kw_only=True)
class Twice(Regularizer):
    name: ClassVar[str] = "twice"
    about: ClassVar[str] = "the loss, twice"

    def loss(self, plain, task, encoder, batch):
        return 2.0 * plain(encoder, batch)


@dataclass(frozen=True, kw_only=True)
class First(Average):
    name: ClassVar[str] = "first"
    about: ClassVar[str] = "the first weights for ever"

    def share(self, held, done, total):
        return 0.0
"""


def test_one_of_ones_own_is_a_file(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    assert extend(tmp_path / "own.py") == ["twice", "first"]
    encoder, task, examples = parts(tiny_model)
    settings = Training(regularization={"name": "twice"}, average={"name": "first"})
    assert len(announce(settings, task)) == 2
    model = TrainingModel(encoder, task, regularized(settings, task)).eval()
    plain = TrainingModel(encoder, task)
    batch = model.collate(examples)
    assert torch.equal(model(batch), 2.0 * plain(batch))
