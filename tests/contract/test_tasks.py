"""What every task must do, over the list that the folder is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bertie.bundle.folder import TASKS
from bertie.data.rows import Rows
from bertie.nn import checkpoint
from bertie.predict import Model, Predictor
from bertie.tasks.base import Task
from bertie.text.tokenizer import Tokenizer

EIGHT = {
    "classification": Rows(
        [{"text": f"{word} food {word}", "label": word} for word in ("good", "bad", "快", "慢")]
        + [{"text": f"the {word} film", "label": word} for word in ("good", "bad", "快", "慢")]
    )
}
"""Eight rows of each task; a task without any fails the first test."""


def test_every_task_has_rows_here() -> None:
    assert set(TASKS.classes()) == set(EIGHT)


@pytest.fixture(params=sorted(EIGHT))
def learned(request: pytest.FixtureRequest, tiny_model: Path) -> tuple[Predictor, Rows]:
    """Eight rows learned by heart."""
    torch.manual_seed(0)
    rows = EIGHT[request.param]
    task: Task = TASKS.get(request.param).from_rows(rows, {})
    task.build_head(32)
    encoder, tokenizer = checkpoint.load(tiny_model).encoder, Tokenizer.from_folder(tiny_model)
    optimizer = torch.optim.Adam([*encoder.parameters(), *task.parameters()], 3e-3)
    batch = task.collate(task.encode(list(rows), tokenizer, 32), tokenizer.pad_id)
    for _ in range(60):
        optimizer.zero_grad()
        task.loss(task(encoder, batch), batch).backward()
        optimizer.step()
    return Predictor(Model(encoder, task, tokenizer, 32)), rows


def test_eight_rows_are_learned_by_heart(learned: tuple[Predictor, Rows]) -> None:
    predictor, rows = learned
    assert predictor.task.score(predictor.predict(list(rows)), rows).value == 1.0


def test_answers_do_not_depend_on_the_company(learned: tuple[Predictor, Rows]) -> None:
    predictor, rows = learned
    together = predictor.predict([*rows, {"text": "padding " * 12}])[: len(rows)]
    for answer, row in zip(together, rows, strict=True):
        assert predictor.predict([row])[0]["scores"] == pytest.approx(answer["scores"], abs=1e-5)


def test_the_description_and_the_weights_are_all_there_is(learned: tuple[Predictor, Rows]) -> None:
    predictor, rows = learned
    task = predictor.task
    again = TASKS.get(task.name).from_description(task.description())
    again.build_head(32)
    again.load_state_dict(task.state_dict())
    model = predictor.model
    other = Predictor(Model(model.encoder, again, model.tokenizer, model.max_length))
    assert other.predict(list(rows)) == predictor.predict(list(rows))


def test_rows_without_labels_are_answered(learned: tuple[Predictor, Rows]) -> None:
    predictor, rows = learned
    unlabelled = [{column: row[column] for column in predictor.task.columns} for row in rows]
    assert predictor.predict(unlabelled) == predictor.predict(list(rows))
