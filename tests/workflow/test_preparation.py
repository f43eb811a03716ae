"""Preparation: what an encoder can read decides the length, quantities are no classes, a seed draws one head."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from bertie.bundle.folder import TASKS, Model
from bertie.core.errors import UsageError
from bertie.core.runtime import choose_dtype
from bertie.data import rows as rows_module
from bertie.data.readers import read_rows
from bertie.data.rows import Rows
from bertie.data.sources import Splits
from bertie.evaluation.floors.base import Ground
from bertie.evaluation.floors.frozen import FrozenFloor
from bertie.evaluation.floors.tfidf import TfidfFloor
from bertie.nn import checkpoint
from bertie.nn.config import EncoderConfig
from bertie.nn.dropout import Dropout
from bertie.nn.encoder import Encoder
from bertie.predict import Predictor
from bertie.tasks.base import Answer
from bertie.tasks.reranking import Reranking
from bertie.training.run import RunFolder
from bertie.training.settings import Training
from bertie.workflow import preparation
from bertie.workflow.choose import load_start
from bertie.workflow.floor_rows import FloorRows
from bertie.workflow.members import fresh
from bertie.workflow.preparation import (
    Chosen,
    Notes,
    Prepared,
    assemble,
    bring_together,
    draw_head,
    fit_floors,
    fitted_floors,
    judged,
    make_task,
    prepare,
    say_cut,
    studied,
)
from bertie.workflow.request import Recipe, TrainRequest
from bertie.workflow.sample_rows import EIGHT
from bertie.workflow.train import begin, dev_answers, dev_score
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


def test_texts_that_are_cut_are_counted_once_and_the_advice_is_one_that_helps(tiny_model: Path) -> None:
    start = load_start(str(tiny_model))

    def said(name: str, rows: list[dict[str, Any]], length: int) -> list[str]:
        task, lines = TASKS.get(name).from_rows(Rows(rows), {}), list[str]()
        say_cut(task.encode(rows, start.tokenizer, length), task, length, start, lines.append)
        return lines

    asked = {"question": "food", "choices": ["good", "bad", "slow", "fast"], "answer": 0}
    choices = [{**asked, "question": "good food " * 60}, asked]
    assert said("multiple_choice", choices, 32) == [
        "1 of 2 texts are cut at 32 tokens; --set max_length=512 takes more"
    ]
    assert said("multiple_choice", choices, 64) == [
        "1 of 2 texts are cut at 64 tokens; --set task.long_texts=windows reads all of them"
    ]
    assert said("multiple_choice", choices[1:], 32) == []
    thing = {"entities": [{"start": 0, "end": 4, "label": "thing"}]}
    tagged = [{"text": "food " * count, **thing} for count in (4000, 200)]
    assert said("tagging", tagged, 64) == [
        "1 of 2 texts are not read to their end, though in windows of 64 tokens; divide them"
    ]


def test_a_resume_knows_why_the_model_was_chosen(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def choose(rows: Rows, task: Any, recipe: Recipe, limit: float, say: Any) -> Any:
        say("model: tiny, the best frozen floor")
        return load_start(str(tiny_model))

    monkeypatch.setattr(preparation, "choose_start", choose)
    request, said = TrainRequest(data=str(write(tmp_path / "data.csv", 60)), out=tmp_path / "m"), list[str]()
    with RunFolder(tmp_path / "m" / "run") as run:
        for resume in (False, True, True):
            prepared = prepare(replace(request, resume=resume), Recipe(), run, Notes(said.append))
            assert prepared.notes.count("model: tiny, the best frozen floor") == 1
    assert said.count("model: tiny, the best frozen floor") == 1


def test_quantities_are_a_regression_unless_they_are_asked_for_as_classes() -> None:
    rows = Rows([{"text": f"t{i}", "label": f"{i}.5"} for i in range(40)], "prices.csv", list(range(2, 42)))
    assert make_task(None, rows, Recipe()).name == "regression"
    assert len(make_task("classification", rows, Recipe()).labels) == 40
    ids = Rows([{"text": f"t{i}", "label": str(i % 30)} for i in range(90)])
    assert len(make_task(None, ids, Recipe()).labels) == 30


def test_a_resumed_run_is_judged_in_the_format_of_its_first_session() -> None:
    """Beside another job the first session's bfloat16 was timed as too slow, and other weights were kept."""
    assert preparation.number_format(Recipe(), None) == choose_dtype(torch.device("cpu"))[0]
    assert preparation.number_format(Recipe(), "bfloat16") is torch.bfloat16
    assert preparation.number_format(Recipe(training=Training(dtype="float32")), None) is torch.float32


def test_a_metric_that_cannot_choose_is_refused_with_those_that_can() -> None:
    for metric in ("f1", "unseen_labels"):
        with pytest.raises(UsageError, match=f"training.metric is '{metric}'; classification is judged by one of acc"):
            make_task(None, EIGHT["classification"], Recipe(training=Training(metric=metric)))


def test_what_the_task_leaves_out_is_said(tiny_model: Path) -> None:
    lists = EIGHT["reranking"]
    rows = Rows([*lists[:7], {**lists[7], "candidates": lists[7]["positives"]}], notes=["the file had a mark"])
    start, said = load_start(str(tiny_model)), list[str]()
    ground = Ground(Reranking.from_rows(rows, {}), start.encoder, start.tokenizer, 32)
    assert len(studied(rows, ground, said.append)) == 7
    assert said == ["1 of 8 training rows are left out: in them there is nothing to tell apart"]


@pytest.mark.parametrize("name", sorted(EIGHT))
def test_task_and_encoder_are_on_the_device(name: str, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Meta is a device that every machine has."""
    monkeypatch.setattr(preparation, "choose_device", lambda name: torch.device("meta"))
    start, task = load_start(str(tiny_model)), TASKS.get(name).from_rows(EIGHT[name], {})
    bring_together(task, start, Recipe())
    assert all(parameter.is_meta for parameter in start.encoder.parameters())
    assert all(tensor.is_meta for tensor in (*task.parameters(), *task.buffers()))


def assembled(tiny_model: Path, name: str, settings: dict[str, Any], seed: int) -> Prepared:
    rows, recipe = EIGHT[name], Recipe(task=settings, training=Training(seed=seed))
    start, task = load_start(str(tiny_model)), TASKS.get(name).from_rows(rows, settings)
    chosen = Chosen(start, recipe, None, FloorRows(), torch.float32)
    return assemble(Splits(rows, rows, rows, []), task, chosen, Notes(lambda line: None))


def head(prepared: Prepared) -> torch.Tensor:
    return torch.cat([tensor.flatten() for tensor in prepared.task.parameters()])


@pytest.mark.parametrize(
    ("name", "settings"), [("classification", {"pooling": "first"}), ("tagging", {}), ("relation", {"dense": True})]
)
def test_a_heads_first_weights_depend_on_the_seed_alone(name: str, settings: dict[str, Any], tiny_model: Path) -> None:
    prepared = assembled(tiny_model, name, settings, 1)
    own = head(prepared)
    torch.rand(7)  # whatever came before in the same process
    assert torch.equal(head(assembled(tiny_model, name, settings, 1)), own)
    assert not torch.equal(head(assembled(tiny_model, name, settings, 2)), own)
    several = [head(fresh(prepared, seed, seed)) for seed in (2, 1)]
    assert torch.equal(several[1], own) and not torch.equal(several[0], own)
    assert torch.equal(several[0], head(assembled(tiny_model, name, settings, 2)))


def test_a_linear_start_takes_the_place_of_what_was_drawn(tiny_model: Path) -> None:
    prepared, found = assembled(tiny_model, "classification", {}, 1), []
    for seed in (1, 2):
        draw_head(prepared.task, prepared.start.encoder, seed)
        begin(prepared, lambda line: None)
        found.append((head(prepared), torch.rand(3)))
    assert all(map(torch.equal, *found)), "the head, and what the training draws"


def test_floors_answer_block_by_block_and_what_is_scored_is_held(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = read_rows(write(tmp_path / "data.csv", 60))
    start, task = load_start(str(tiny_model)), make_task(None, rows, Recipe())
    ground = Ground(task, start.encoder, start.tokenizer, bring_together(task, start, Recipe()))
    whole = {floor.name: floor.predict(rows, ground) for floor in fitted_floors(rows, ground)}
    monkeypatch.setattr(rows_module, "ROWS_PER_BLOCK", 16)
    sizes: list[int] = []
    for kind in (FrozenFloor, TfidfFloor):

        def predict(self: Any, few: Rows, on: Ground, own: Any = kind.predict) -> list[Answer]:
            sizes.append(len(few))
            answers: list[Answer] = own(self, few, on)
            return answers

        monkeypatch.setattr(kind, "predict", predict)
    found = fit_floors(rows, rows, ground).answers
    assert sizes == [16, 16, 16, 12] * 2
    assert found == {name: [{"label": one["label"]} for one in said] for name, said in whole.items()}


def test_of_dev_rows_that_only_choose_what_is_scored_is_held(tiny_model: Path) -> None:
    for name, rows in (("embedding", EIGHT["embedding"]), ("classification", EIGHT["classification"])):
        start, task = load_start(str(tiny_model)), TASKS.get(name).from_rows(EIGHT[name], {})
        length = bring_together(task, start, Recipe())
        answers = dev_answers(Predictor(Model(start.encoder, task, start.tokenizer, length)), rows)
        if name == "embedding":
            assert all(isinstance(answer["vector"], np.ndarray) for answer in answers)
        else:
            assert all("scores" in answer for answer in answers), "by these it is calibrated"


@pytest.mark.parametrize("name", ["classification", "regression", "embedding"])
def test_answers_that_are_no_numbers_have_no_score(name: str, tiny_model: Path) -> None:
    """The rows are right: the loop says that the model is not."""
    start, task = load_start(str(tiny_model)), TASKS.get(name).from_rows(EIGHT[name], {})
    length = bring_together(task, start, Recipe())
    predictor = Predictor(Model(start.encoder, task, start.tokenizer, length))
    prepared: Any = SimpleNamespace(task=task, splits=SimpleNamespace(dev=EIGHT[name]))
    assert math.isfinite(dev_score(predictor, prepared)().score)
    for parameter in start.encoder.parameters():
        parameter.data.fill_(math.nan)
    assert math.isnan(dev_score(predictor, prepared)().score)


@pytest.mark.parametrize(("given", "rate"), [(None, 0.1), (0.0, 0.0), (0.3, 0.3)])
def test_the_recipe_may_say_another_dropout_than_the_checkpoint(
    given: float | None, rate: float, tiny_model: Path
) -> None:
    start, task = load_start(str(tiny_model)), TASKS.get("classification").from_rows(EIGHT["classification"], {})
    bring_together(task, start, Recipe(dropout=given))
    assert {part.rate for part in start.encoder.modules() if isinstance(part, Dropout)} == {rate}


def test_a_dropout_of_everything_is_refused() -> None:
    with pytest.raises(ValueError, match=r"dropout is 1\.0, expected 0 to below 1"):
        Recipe(dropout=1.0)


def test_what_a_task_says_of_the_rows_that_judge_is_told_once() -> None:
    many = [{"query": f"问题{chr(0x4E00 + i)}", "positive": f"answer {i}"} for i in range(60)]
    train, dev = Rows(many[:20], "train.jsonl"), Rows(many, "dev.jsonl", notes=["known"], kind="reranking")
    task, lines = Reranking.from_rows(train, {"candidates": 5}), list[str]()
    for test in (None, Rows(many, "test.jsonl", notes=["known"])):
        lines.clear()
        found = judged(Splits(train, dev, test, ["known"]), task, lines.append)
        assert found.dev == task.accept(dev) and (found.test is None) == (test is None)
        assert [line.split(":")[0] for line in lines] == ["dev.jsonl", *([] if test is None else ["test.jsonl"])]
