"""The frozen encoder: a head starts from its solution where it reads the same numbers, and else as it was."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bertie.bundle.folder import Model
from bertie.evaluation.floors.base import Ground
from bertie.evaluation.floors.frozen import FrozenFloor
from bertie.nn import checkpoint
from bertie.predict import Predictor
from bertie.tasks.classification import Classification
from bertie.text.tokenizer import Tokenizer
from tests.bundle.making import ROWS


def ground(tiny_model: Path, **options: object) -> Ground:
    torch.manual_seed(0)
    task = Classification.from_rows(ROWS, dict(options))
    task.build_head(32)
    return Ground(task, checkpoint.load(tiny_model).encoder, Tokenizer.from_folder(tiny_model), 48)


def test_the_start_answers_as_the_floor(tiny_model: Path) -> None:
    on = ground(tiny_model)
    floor = FrozenFloor.fit(ROWS, on)
    assert floor.start(on.task)
    found = Predictor(Model(on.encoder, on.task, on.tokenizer, 48)).predict(list(ROWS))
    for answer, expected in zip(found, floor.predict(ROWS, on), strict=True):
        assert answer["scores"] == pytest.approx(expected["scores"], abs=1e-4)


@pytest.mark.parametrize("options", [{"normalise": False}, {"pooling": "first"}, {"pooling": "attention"}], ids=str)
def test_a_head_that_reads_other_numbers_starts_without_it(options: dict[str, object], tiny_model: Path) -> None:
    on = ground(tiny_model, **options)
    before = {name: value.clone() for name, value in on.task.state_dict().items()}
    assert not FrozenFloor.fit(ROWS, on).start(on.task)
    assert all(torch.equal(value, before[name]) for name, value in on.task.state_dict().items())
