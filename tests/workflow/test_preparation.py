"""Preparation: what an encoder can read decides the length, and quantities are no classes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from bertie.bundle.folder import TASKS
from bertie.data.rows import Rows
from bertie.nn import checkpoint
from bertie.nn.config import EncoderConfig
from bertie.nn.encoder import Encoder
from bertie.training.run import RunFolder
from bertie.workflow import preparation
from bertie.workflow.choose import load_start
from bertie.workflow.preparation import Notes, bring_together, make_task, prepare
from bertie.workflow.request import Recipe, TrainRequest
from bertie.workflow.sample_rows import EIGHT
from tests.workflow.rows import write


def test_positions_that_a_family_keeps_for_itself_hold_no_tokens(tiny_model: Path, tmp_path: Path) -> None:
    model = tmp_path / "roberta"
    shutil.copytree(tiny_model, model)
    words = len((tiny_model / "vocab.txt").read_text(encoding="utf-8").splitlines())
    config = EncoderConfig(
        family="roberta",
        vocab_size=words,
        hidden_size=32,
        layers=1,
        heads=2,
        intermediate_size=32,
        max_positions=24,
        position_offset=1,
        type_vocab_size=1,
    )
    checkpoint.save(Encoder(config), model)
    data = write(tmp_path / "data.csv", 60)
    long = "".join(f"{'good ' * 40}{i},positive\n" for i in range(10))
    data.write_text(data.read_text(encoding="utf-8") + long, encoding="utf-8")
    request = TrainRequest(data=str(data), model=str(model), out=tmp_path / "m")
    with RunFolder(tmp_path / "m" / "run") as run:
        prepared = prepare(request, Recipe(), run, Notes(lambda line: None))
    assert prepared.recipe.max_length == 23
    (cut,) = (line for line in prepared.notes if "are cut at 23 tokens" in line)
    assert cut.endswith("--set task.long_texts=windows reads all of them")  # more than it has places is no advice
    assert max(example.length for example in prepared.examples) == 23
    assert (
        list(prepared.floors.answers) == [floor.name for floor in prepared.floors.fitted] == ["frozen_encoder", "tfidf"]
    )


def test_quantities_are_a_regression_unless_they_are_asked_for_as_classes() -> None:
    rows = Rows([{"text": f"t{i}", "label": f"{i}.5"} for i in range(40)], "prices.csv", list(range(2, 42)))
    assert make_task(None, rows, Recipe()).name == "regression"
    assert len(make_task("classification", rows, Recipe()).labels) == 40
    ids = Rows([{"text": f"t{i}", "label": str(i % 30)} for i in range(90)])
    assert len(make_task(None, ids, Recipe()).labels) == 30


@pytest.mark.parametrize("name", sorted(EIGHT))
def test_task_and_encoder_are_on_the_device(name: str, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Meta is a device that every machine has."""
    monkeypatch.setattr(preparation, "choose_device", lambda name: torch.device("meta"))
    start, task = load_start(str(tiny_model)), TASKS.get(name).from_rows(EIGHT[name], {})
    bring_together(task, start, Recipe())
    assert all(parameter.is_meta for parameter in start.encoder.parameters())
    assert all(tensor.is_meta for tensor in (*task.parameters(), *task.buffers()))
