"""Distillation: the teacher is read and not trained; a student made like it has nothing to learn."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bertie.nn import checkpoint
from bertie.objectives.base import Outcome, Views
from bertie.objectives.pretraining import Pretraining
from bertie.text.tokenizer import Tokenizer
from bertie.training.model import TrainingModel
from tests.objectives.test_pretraining import TEXTS, batch_of, made, tokenizer

__all__ = ["tokenizer"]


def test_the_teacher_is_no_part_of_what_is_trained_or_stored(tiny_model: Path, tokenizer: Tokenizer) -> None:
    model = made(tiny_model, tokenizer, "masked_lm,distillation")
    task = model.task
    assert isinstance(task, Pretraining)
    batch = model.collate(batch_of(model, tokenizer))
    views = task(model.encoder, batch)
    teacher = views.teacher
    before = {name: weight.clone() for name, weight in teacher.state_dict().items()}
    model.train()
    assert not teacher.training  # its dropout stays off
    torch.testing.assert_close(views.taught, task(model.encoder, batch).taught)
    model(batch).backward()
    trained = {id(parameter) for parameter in model.parameters()}
    assert all(id(p) not in trained and p.grad is None and not p.requires_grad for p in teacher.parameters())
    assert all(torch.equal(weight, before[name]) for name, weight in teacher.state_dict().items())
    assert set(task.state_dict()) == {
        "log_shares",
        "objectives.distillation.map.weight",
        *(f"objectives.masked_lm.head.{name}" for name in ("dense.weight", "dense.bias", "norm.weight", "norm.bias")),
        "objectives.masked_lm.head.bias",
    }


def test_a_student_that_is_its_teacher_has_nothing_to_learn(tiny_model: Path, tokenizer: Tokenizer) -> None:
    encoder = checkpoint.load(tiny_model).encoder
    task = Pretraining.of("masked_lm,distillation", encoder, tokenizer, {})
    task.learn_from(checkpoint.load(tiny_model).encoder)
    task.build_head(32)
    model = TrainingModel(encoder, task)
    batch = model.collate(batch_of(model, tokenizer))
    found: Outcome = task.objective("distillation").outcome(task(encoder, batch))
    assert float(found.nats.detach().abs().max()) < 1e-5 and bool(found.right.all())
    assert len(found.nats) == sum(len(tokenizer.encode(text).ids) for text in TEXTS)


def test_the_bundle_answers_without_its_teacher(tiny_model: Path, tokenizer: Tokenizer) -> None:
    model = made(tiny_model, tokenizer, "masked_lm,distillation")
    again = Pretraining.from_description(model.task.description())
    again.build_head(32)
    again.load_state_dict(model.task.state_dict())
    batch = again.collate(again.encode([{"text": "the [MASK] was good"}], tokenizer, 32), 0)
    views = again(model.encoder, batch)
    assert isinstance(views, Views) and len(again.answer(views, batch)[0]["candidates"]) == 5
    with pytest.raises(AssertionError, match="only a training has a teacher"):
        _ = views.taught
