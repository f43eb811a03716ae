"""The loop: it learns, it keeps the best, it ends when it should, and its shortcuts change no number."""

from __future__ import annotations

import json
import math
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn

from bertie.core.errors import BertieError, DataError, Stopped, UsageError
from bertie.core.files import sha256
from bertie.data.batches import Batch
from bertie.nn.encoder import Encoder
from bertie.training.budget import Budget
from bertie.training.hooks import Hook, Step
from bertie.training.loop import FitResult, fit
from bertie.training.model import StepLoss, TrainingModel
from bertie.training.run import RunFolder
from bertie.training.session import Session
from bertie.training.settings import Optimizer, Schedule, Training
from bertie.training.state import Evaluation
from bertie.training.tensors import load_tensors
from bertie.training.used_rows import UsedRows
from tests.training.toy import judge, toy_examples, toy_model

SETTINGS = Training(epochs=2, rows_per_batch=8, trackers=(), optimizer=Optimizer(rate=3e-3))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Two threads on cores that others use wait for each other most of the time."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def run_fit(
    path: Path,
    model: TrainingModel,
    settings: Training = SETTINGS,
    evaluate: Callable[[], Evaluation] | None = None,
    **more: Any,
) -> FitResult:
    examples = more.pop("examples", None) or toy_examples()
    with RunFolder(path) as run:
        return fit(model, examples, settings, run, evaluate or judge(model, toy_examples(40, seed=1)), **more)


class At(Hook):
    """Calls something after a step."""

    def __init__(self, step: int, call: Callable[[], None]) -> None:
        self.step, self.call = step, call

    def after_step(self, step: Step) -> None:
        if step.number == self.step:
            self.call()


def interrupt() -> None:
    raise KeyboardInterrupt


def weights(model: TrainingModel) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def test_it_learns_and_ends_with_the_best_weights(tmp_path: Path) -> None:
    model, dev = toy_model(), toy_examples(100, seed=1)
    result = run_fit(tmp_path, model, replace(SETTINGS, epochs=12), judge(model, dev), examples=toy_examples(300))
    assert -result.best_score < 0.5 < math.log(2)
    assert judge(model, dev)().score == pytest.approx(result.best_score)
    assert result.end == "epochs"
    assert result.rows == 12 * 300
    best, about = load_tensors(tmp_path / "best" / "model.safetensors")
    assert all(torch.equal(best[name], tensor) for name, tensor in model.state_dict().items())
    assert float(about["score"]) == result.best_score
    assert json.loads((tmp_path / "result.json").read_text())["end"] == "epochs"


def test_the_start_is_kept_if_no_step_betters_it(tmp_path: Path) -> None:
    model, scores = toy_model(), iter([0.9, 0.5, 0.6])
    before = weights(model)
    result = run_fit(tmp_path, model, evaluate=lambda: Evaluation(next(scores)))
    assert (result.best_score, result.best_step) == (0.9, 0)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize(
    ("scores", "error", "kept"),
    [
        ([0.1, 0.9, 0.89], 0.02, 2),  # luck of the dev rows may have put the first epoch before the last
        ([0.1, 0.9, 0.87], 0.02, 1),
        ([0.1, 0.9, 0.89], 0.0, 1),
        ([0.9, 0.5, 0.89], 0.02, 0),  # the start is to be bettered
        ([0.1, 0.9, 0.89, 0.5], 0.02, 1),  # in between nothing is allowed for
    ],
)
def test_the_last_weights_are_kept_within_a_standard_error_of_the_best(
    scores: list[float], error: float, kept: int, tmp_path: Path
) -> None:
    found, settings = iter(scores), replace(SETTINGS, epochs=len(scores) - 1)
    result = run_fit(tmp_path, toy_model(), settings, lambda: Evaluation(next(found), {}, error))
    assert result.best_step == kept * result.steps // settings.epochs
    assert result.best_score == scores[kept]


def test_the_last_weights_are_kept_where_asked(tmp_path: Path) -> None:
    model, scores = toy_model(), iter((3.0, 2.0, 1.0))
    start = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    result = run_fit(tmp_path, model, replace(SETTINGS, keep="last"), lambda: Evaluation(next(scores)))
    assert (result.best_step, result.best_score) == (result.steps, 1.0)
    assert any(not torch.equal(start[name], tensor) for name, tensor in model.state_dict().items())


def test_patience_ends_it(tmp_path: Path) -> None:
    scores = iter([0.1, 0.5, 0.4, 0.5, 0.9])
    settings = replace(SETTINGS, epochs=9, patience=2)
    result = run_fit(tmp_path, toy_model(), settings, lambda: Evaluation(next(scores)))
    assert (result.end, result.epochs, result.best_score) == ("patience", 3, 0.5)


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_it_is_judged_so_often_in_an_epoch(tmp_path: Path, parts: int) -> None:
    run_fit(tmp_path, toy_model(), replace(SETTINGS, evaluations_per_epoch=parts))
    with RunFolder(tmp_path) as run:
        judged = [entry["step"] for entry in run.entries() if "score" in entry]
    assert len(judged) == 1 + 2 * parts
    assert judged[0] == 0
    assert len(set(judged)) == len(judged)


def test_accumulation_weighs_every_row_the_same(tmp_path: Path) -> None:
    """Batches of 8 rows cut by tokens differ in rows; three of them in one step equal all their rows in one batch."""
    examples = toy_examples(24)
    kept, trained = [], []
    for name, rows, accumulation in (("parts", 5, 5), ("whole", 24, 1)):
        model = toy_model(dropout=0.0)
        settings = Training(
            epochs=1,
            rows_per_batch=rows,
            accumulation=accumulation,
            clip=0.0,
            trackers=(),
            optimizer=Optimizer(name="sgd", rate=0.1),
        )
        constant = replace(settings, schedule=Schedule(name="constant", warmup=0.0))
        result = run_fit(tmp_path / name, model, constant, examples=examples)
        assert result.steps == 1
        trained.append(model.task.get_parameter("head.weight"))
        with RunFolder(tmp_path / name) as run:
            kept.append(run.entries()[1]["loss"])
    assert kept[0] == pytest.approx(kept[1], rel=1e-6)
    assert torch.allclose(trained[0], trained[1], atol=1e-6)


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_training_only_the_used_rows_changes_no_number(tmp_path: Path, name: str) -> None:
    settings = replace(SETTINGS, clip=0.0, optimizer=Optimizer(name=name, rate=3e-3))  # type: ignore[arg-type]
    examples, results = toy_examples(highest=60), []
    for whole in (False, True):
        model = toy_model(vocabulary=200)
        model.whole_vocabulary = whole
        run_fit(tmp_path / f"{whole}", model, settings, examples=examples)  # the dev set has tokens up to 100
        results.append(weights(model))
        assert model.encoder.embeddings.word_embeddings.weight.requires_grad
    assert all(torch.equal(results[0][key], results[1][key]) for key in results[1])


def test_the_used_rows_are_looked_up_on_the_tables_device() -> None:
    table = nn.Embedding(10, 4, device="meta")
    standing_in = UsedRows(table, torch.tensor([0, 3, 7], device="meta"))
    assert all(tensor.is_meta for tensor in (*standing_in.parameters(), *standing_in.buffers()))


def test_a_wrapper_is_all_it_takes_to_change_the_step(tmp_path: Path) -> None:
    seen = []

    def doubled(step_loss: StepLoss) -> StepLoss:
        def loss(encoder: Encoder, batch: Batch) -> Tensor:
            seen.append(batch.rows)
            return 2 * step_loss(encoder, batch)

        return loss

    plain = toy_model()
    wrapped = TrainingModel(plain.encoder, plain.task, [doubled])
    run_fit(tmp_path, wrapped, replace(SETTINGS, epochs=1), lambda: Evaluation(0.0))
    assert sum(seen) == 60


def sick(first: int, last: int) -> Callable[[StepLoss], StepLoss]:
    """Losses from the `first` to the `last` training batch are not a number."""
    count = 0

    def wrapper(step_loss: StepLoss) -> StepLoss:
        def loss(encoder: Encoder, batch: Batch) -> Tensor:
            nonlocal count
            if not encoder.training:
                return step_loss(encoder, batch)
            count += 1
            return step_loss(encoder, batch) * (float("nan") if first <= count <= last else 1.0)

        return loss

    return wrapper


def test_a_step_that_is_not_finite_is_left_out(tmp_path: Path) -> None:
    plain = toy_model()
    result = run_fit(tmp_path, TrainingModel(plain.encoder, plain.task, [sick(2, 4)]))
    assert result.skipped == 3
    assert all(torch.isfinite(tensor).all() for tensor in plain.state_dict().values())


def test_ten_in_a_row_end_it_and_name_the_rows(tmp_path: Path) -> None:
    plain = toy_model()
    with pytest.raises(BertieError, match=r"10 steps in a row, the last at step 12 on rows \[[\d, ]+\].*step-00000010"):
        run_fit(tmp_path, TrainingModel(plain.encoder, plain.task, [sick(3, 99)]), replace(SETTINGS, save_steps=2))


@pytest.mark.parametrize("keep", ["last", "best"])
@pytest.mark.parametrize("score", [math.nan, -math.inf])
def test_a_score_that_is_no_number_ends_it_and_the_weights_before_stay(
    score: float, keep: Literal["last", "best"], tmp_path: Path
) -> None:
    model, scores = toy_model(), iter([0.5, score])
    start = weights(model)
    with pytest.raises(BertieError, match=r"answers after step 8 .*lower training.optimizer.rate; .*model.safetensors"):
        run_fit(tmp_path, model, replace(SETTINGS, keep=keep), lambda: Evaluation(next(scores)))
    best, _ = load_tensors(tmp_path / "best" / "model.safetensors")
    assert all(torch.equal(best[name], tensor) for name, tensor in start.items())
    assert not (tmp_path / "result.json").exists()


def test_a_budget_is_kept_and_the_rate_reaches_zero(tmp_path: Path) -> None:
    settings = replace(SETTINGS, epochs=100_000, seconds=4.0, evaluations_per_epoch=1)
    start = time.monotonic()
    result = run_fit(tmp_path, toy_model(), settings)
    assert time.monotonic() - start < 7.0  # loading and writing the best at the end are not in it
    assert result.seconds < 4.5
    assert result.end == "time"
    with RunFolder(tmp_path) as run:
        rates = [entry["rate"] for entry in run.entries() if "rate" in entry]
    assert rates[-1] < 0.25 * max(rates)
    assert len(json.loads((tmp_path / "decisions.json").read_text())["plan"]) > 2


def test_a_look_at_the_clock_changes_no_number_where_all_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Budget, "look", lambda self: self._tokens > 0)
    sums = []
    for name, seconds in (("free", None), ("timed", 1000.0)):
        run_fit(tmp_path / name, toy_model(), replace(SETTINGS, seconds=seconds, dtype="float32"))
        assert "plan" not in json.loads((tmp_path / name / "decisions.json").read_text())
        sums.append([sha256(tmp_path / name / file) for file in ("log.jsonl", "best/model.safetensors")])
    assert sums[0] == sums[1]


@pytest.mark.parametrize(("decided", "total"), [(1, 6), (5, 9)])
@pytest.mark.parametrize("seconds", [1000.0, 2000.0, None])
def test_a_resume_with_another_limit_plans_again(
    tmp_path: Path, seconds: float | None, decided: int, total: int
) -> None:
    """Also where it was killed between the last planning, after step 5, and the next checkpoint."""
    settings = replace(SETTINGS, save_steps=1, seconds=1000.0)
    with pytest.raises(KeyboardInterrupt):
        run_fit(tmp_path, toy_model(), settings, hooks=[At(2, interrupt)])
    decisions = json.loads((tmp_path / "decisions.json").read_text())
    plan = {"plan": [[0, 0.0], [decided, 0.1], [total, 1.0]], "seconds": 1000.0}  # as it is where a machine is slow
    (tmp_path / "decisions.json").write_text(json.dumps({**decisions, **plan}))
    result = run_fit(tmp_path, toy_model(), replace(settings, seconds=seconds))
    assert (result.steps, result.end) == ((total, "time") if seconds == 1000.0 else (16, "epochs"))


def test_what_earlier_sessions_took_is_told_apart(tmp_path: Path) -> None:
    settings = replace(SETTINGS, save_steps=1)
    with pytest.raises(KeyboardInterrupt):
        run_fit(tmp_path, toy_model(), settings, hooks=[At(2, interrupt)])
    resumed = run_fit(tmp_path, toy_model(), settings)
    assert 0.0 < resumed.before < resumed.seconds
    assert run_fit(tmp_path, toy_model(), settings).before == resumed.seconds, "it had ended"


def test_steps_that_are_done_again_know_the_total_that_was_planned_then(tmp_path: Path) -> None:
    settings = replace(SETTINGS, save_steps=1, seconds=1000.0)
    with pytest.raises(KeyboardInterrupt):
        run_fit(tmp_path, toy_model(), settings, hooks=[At(2, interrupt)])
    decisions = json.loads((tmp_path / "decisions.json").read_text())
    plan = {"plan": [[0, 0.0], [5, 5 / 16], [9, 1.0]], "seconds": 1000.0}  # killed after step 5, saved after step 1
    (tmp_path / "decisions.json").write_text(json.dumps({**decisions, **plan}))
    totals: dict[int, int] = {}

    class Totals(Hook):
        def begin(self, optimizer: torch.optim.Optimizer, done: int, total: int) -> None:
            totals[done] = total

        def after_step(self, step: Step) -> None:
            totals[step.number] = step.total

    run_fit(tmp_path, toy_model(), settings, hooks=[Totals()])
    assert totals == dict.fromkeys(range(1, 6), 16) | dict.fromkeys(range(6, 10), 9)


@pytest.mark.parametrize(("ends", "at", "saved"), [("time", 0, 0), ("time", 1, 5), ("epochs", 1, 8), ("epochs", 2, 16)])
def test_a_signal_in_a_judgement_saves_and_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: str, at: int, saved: int
) -> None:
    if ends == "time":
        honest = Session.ended
        monkeypatch.setattr(Session, "ended", lambda self: "time" if self.state.step >= 5 else honest(self))
    settings = replace(SETTINGS, dtype="float32")
    run_fit(tmp_path / "straight", toy_model(), settings)
    model, judged = toy_model(), 0
    honest_judge = judge(model, toy_examples(40, seed=1))

    def asked_to_stop() -> Evaluation:
        nonlocal judged
        if judged == at:
            os.kill(os.getpid(), signal.SIGTERM)
        judged += 1
        return honest_judge()

    with pytest.raises(Stopped, match=f"stopped by SIGTERM; step {saved} is saved") as caught:
        run_fit(tmp_path / "run", model, settings, asked_to_stop)
    assert caught.value.exit_code == 143
    assert not (tmp_path / "run" / "result.json").exists()
    run_fit(tmp_path / "run", toy_model(), settings)
    for file in ("log.jsonl", "best/model.safetensors"):
        assert sha256(tmp_path / "run" / file) == sha256(tmp_path / "straight" / file)


def test_another_run_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    run_fit(tmp_path, toy_model())
    with pytest.raises(UsageError, match=r"optimizer.rate was 0.003, now it is 0.001"):
        run_fit(tmp_path, toy_model(), replace(SETTINGS, optimizer=Optimizer(rate=1e-3)))
    with pytest.raises(UsageError, match="rows was 60, now it is 50"):
        run_fit(tmp_path, toy_model(), examples=toy_examples(50))
    with RunFolder(tmp_path) as run:
        run.clear()
    run_fit(tmp_path, toy_model(), examples=toy_examples(50))


def test_a_finished_run_gives_its_result_again(tmp_path: Path) -> None:
    first = run_fit(tmp_path, toy_model())
    model = toy_model(seed=5)
    again = run_fit(tmp_path, model, evaluate=lambda: pytest.fail("nothing is left to judge"))
    assert again.before > first.before == 0
    assert replace(again, warnings=(), before=0.0) == replace(first, warnings=())
    best, _ = load_tensors(tmp_path / "best" / "model.safetensors")
    assert all(torch.equal(best[name], tensor) for name, tensor in model.state_dict().items())


def test_no_rows_is_an_error(tmp_path: Path) -> None:
    with RunFolder(tmp_path) as run, pytest.raises(DataError, match="nothing to train on"):
        fit(toy_model(), [], SETTINGS, run, lambda: Evaluation(0.0))


def test_judging_leaves_no_trace_in_the_random_numbers(tmp_path: Path) -> None:
    def noisy() -> Evaluation:
        torch.rand(7)
        return Evaluation(0.0)

    models = [toy_model(), toy_model()]
    for n, (model, evaluate) in enumerate(zip(models, (noisy, lambda: Evaluation(0.0)), strict=True)):
        run_fit(tmp_path / str(n), model, replace(SETTINGS, evaluations_per_epoch=2 if n else 1), evaluate)
    logs = []
    for n in range(2):
        with RunFolder(tmp_path / str(n)) as run:
            logs.append([entry for entry in run.entries() if "loss" in entry])
    assert logs[0] == logs[1]
