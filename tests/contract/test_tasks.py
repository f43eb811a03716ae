"""What every task must do, over the list that the folder is."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tomli_w
import torch

from bertie.bundle import folder as bundle
from bertie.bundle import golden
from bertie.bundle.folder import TASKS
from bertie.core.errors import DataError
from bertie.data.rows import Rows
from bertie.evaluation.phrases import METRICS
from bertie.nn import checkpoint
from bertie.predict import Model, Predictor, load
from bertie.tasks.base import Task
from bertie.text.tokenizer import Tokenizer
from bertie.workflow.sample_rows import EIGHT


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


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        *((name, {}) for name in sorted(EIGHT)),
        *((name, {"class_weights": "balanced"}) for name in ("classification", "relation", "target_sentiment")),
        ("tagging", {"head": "span"}),
    ],
)
def test_a_batch_that_processes_share_loses_what_the_whole_one_does(
    tiny_model: Path, name: str, settings: dict[str, Any]
) -> None:
    torch.manual_seed(0)
    task: Task = TASKS.get(name).from_rows(EIGHT[name], settings)
    task.build_head(32)
    task.eval()
    encoder, tokenizer = checkpoint.load(tiny_model).encoder.eval(), Tokenizer.from_folder(tiny_model)
    examples = task.encode(list(EIGHT[name]), tokenizer, 32)
    whole, *parts = (
        task.collate(part, tokenizer.pad_id) for part in (examples, examples[:1], examples[1:4], examples[4:])
    )
    loss = task.loss(task(encoder, whole), whole)
    loss.backward()
    # Where one had none, processes would wait for its gradient.
    assert all(p.grad is not None for p in [*encoder.parameters(), *task.parameters()])
    with torch.no_grad():
        means = [task.means(task(encoder, part), part) for part in parts]
    shared = sum(
        float(sum(m * n for m, n in same)) / float(sum(n for _, n in same)) for same in zip(*means, strict=True)
    )
    assert task.compares_rows or shared == pytest.approx(float(loss.detach()), rel=1e-5)


def with_settings(predictor: Predictor, **settings: object) -> Predictor:
    """The same model with other settings of its task."""
    task, model = predictor.task, predictor.model
    description = task.description()
    again = TASKS.get(task.name).from_description({**description, "settings": {**description["settings"], **settings}})
    again.build_head(32)
    again.load_state_dict(task.state_dict())
    return Predictor(replace(model, task=again))


def lengthened(asked: dict[str, Any], end: str, short: Sequence[str] = ()) -> dict[str, Any]:
    """The row with this behind each of its texts; a target, which names a part of a text, stays what it is."""
    kept = ("target", *short)
    return {name: value if name in kept else _longer(value, end) for name, value in asked.items()}


def _longer(value: object, end: str) -> object:
    if isinstance(value, list):
        return [_longer(one, end) for one in value]
    return value + end if isinstance(value, str) else value


def test_eight_rows_are_learned_by_heart(learned: tuple[Predictor, Rows]) -> None:
    predictor, rows = learned
    assert predictor.task.score(predictor.predict(list(rows)), rows).value == pytest.approx(1.0)


def test_it_names_the_metrics_that_can_choose_a_model(learned: tuple[Predictor, Rows]) -> None:
    predictor, rows = learned
    scores = predictor.task.score(predictor.predict(list(rows)), rows)
    assert scores.primary in scores.comparable
    if predictor.task.metrics:
        assert predictor.task.metrics[0] == scores.primary
        assert set(predictor.task.metrics) == set(scores.comparable).difference(scores.errors)


def test_every_metric_has_its_unit_in_the_report(learned: tuple[Predictor, Rows]) -> None:
    predictor, rows = learned
    scores = predictor.task.score(predictor.predict(list(rows)), rows)
    plain = {"spearman", "pearson", "mean_squared_error", "mean_absolute_error", "unseen_labels"}
    assert {scores.primary, *scores.metrics} - plain <= set(METRICS)


def test_what_is_known_by_heart_survives_bfloat16(learned: tuple[Predictor, Rows]) -> None:
    """Models are compared by such answers while they are trained."""
    predictor, rows = learned
    rough = Predictor(predictor.model, predictor.name, torch.bfloat16, exact=False)
    assert predictor.task.score(rough.predict(list(rows)), rows).value > 0.8


def test_every_part_of_the_head_gets_a_gradient(learned: tuple[Predictor, Rows]) -> None:
    predictor, rows = learned
    task, model = predictor.task, predictor.model
    batch = task.collate(predictor.encode(list(rows)), model.tokenizer.pad_id)
    task.zero_grad()
    task.loss(task(model.encoder, batch), batch).backward()
    assert all(parameter.grad is not None for parameter in task.parameters())


def test_answers_do_not_depend_on_the_company(learned: tuple[Predictor, Rows]) -> None:
    """Alone, in a batch, and beside a text so long that the others are mostly padding."""
    predictor, rows = learned
    task = predictor.task
    asked = [task.asked(row) for row in rows]
    long = lengthened(asked[0], " padding" * 12)
    alone = [predictor.predict([row])[0] for row in asked]
    expected = [{"row": row, "answer": answer} for row, answer in zip(asked, alone, strict=True)]
    golden.check(lambda rows: predictor.predict([*rows, long])[: len(rows)], expected, "torch/float32", "batch")


def test_a_text_longer_than_the_model_is_answered_with_a_note(learned: tuple[Predictor, Rows]) -> None:
    predictor, rows = learned
    predictor = with_settings(predictor, long_texts="cut")
    asked = predictor.task.asked(rows[0])
    long = lengthened(asked, " padding" * 90)
    assert "cut at 32 tokens" in predictor.predict([long])[0]["note"]


def test_the_description_and_the_weights_are_all_there_is(learned: tuple[Predictor, Rows]) -> None:
    predictor, rows = learned
    task = predictor.task
    again = TASKS.get(task.name).from_description(json.loads(json.dumps(task.description())))
    again.build_head(32)
    again.load_state_dict(task.state_dict())
    model = predictor.model
    other = Predictor(Model(model.encoder, again, model.tokenizer, model.max_length))
    assert other.predict(list(rows)) == predictor.predict(list(rows))


def test_the_recipe_makes_the_same_task(learned: tuple[Predictor, Rows]) -> None:
    predictor, rows = learned
    task = predictor.task
    settings = tomllib.loads(tomli_w.dumps(task.description()["settings"]))
    assert TASKS.get(task.name).from_rows(rows, settings).description() == task.description()


def test_rows_without_labels_are_answered(learned: tuple[Predictor, Rows]) -> None:
    predictor, rows = learned
    assert predictor.predict([predictor.task.asked(row) for row in rows]) == predictor.predict(list(rows))


def test_what_is_no_row_is_refused_with_its_place(learned: tuple[Predictor, Rows]) -> None:
    predictor, rows = learned
    with pytest.raises(DataError, match=r"^row 2: "):
        predictor.predict([rows[0], {}])


def test_a_bundle_answers_the_same(learned: tuple[Predictor, Rows], tmp_path: Path) -> None:
    predictor, rows = learned
    asked = [predictor.task.asked(row) for row in rows]
    model = replace(predictor.model, golden=golden.record(predictor.predict, asked))
    bundle.save(model, tmp_path / "model", {})
    assert load(tmp_path / "model").predict(asked) == predictor.predict(asked)


def test_answers_are_plain_json(learned: tuple[Predictor, Rows]) -> None:
    predictor, rows = learned
    answers = predictor.predict(list(rows))
    assert json.loads(json.dumps(answers, ensure_ascii=False)) == answers


def test_what_is_kept_of_an_answer_is_scored_the_same(learned: tuple[Predictor, Rows]) -> None:
    predictor, rows = learned
    answers, task = predictor.predict(list(rows)), predictor.task
    kept, whole = (task.score(some, rows) for some in (list(map(task.kept, answers)), answers))
    assert (kept.metrics, kept.per_row, kept.details) == (whole.metrics, whole.per_row, whole.details)


@pytest.mark.parametrize("name", sorted(EIGHT))
def test_all_of_a_long_text_counts_with_windows(name: str, tiny_model: Path) -> None:
    """The end of a text that is three times as long as the model changes the answer, and nothing is said to be cut."""
    rows = EIGHT[name]
    torch.manual_seed(0)
    task: Task = TASKS.get(name).from_rows(rows, {"long_texts": "windows"})
    task.build_head(32)
    model = Model(checkpoint.load(tiny_model).encoder, task, Tokenizer.from_folder(tiny_model), 32)
    asked = task.asked(rows[0])
    short = ("question",) if "context" in asked else ("query",)  # it stands in front of every window
    ends = [lengthened(asked, f"{' padding' * 12} {end}", short) for end in ("food", "slow slow bad")]
    first, second = Predictor(model).predict(ends)
    assert first != second and "note" not in first
