"""Memory that runs out: the step is cut, its loss and gradient stay, and a resumed run is the same run."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from bertie.core.errors import BertieError
from bertie.data.batches import Batch
from bertie.nn.encoder import Encoder
from bertie.training.estimate import estimate_seconds
from bertie.training.hooks import Teller
from bertie.training.loop import FitResult, accumulate, fit
from bertie.training.model import StepLoss, TrainingModel, Wrapper
from bertie.training.out_of_memory import Room, cut, is_out_of_memory, tokens
from bertie.training.run import RunFolder
from bertie.training.settings import Optimizer, Training
from bertie.training.shares import Share, costs, shares
from tests.house.source import ROOT
from tests.training.test_loop import At, interrupt
from tests.training.toy import Toy, judge, toy_examples, toy_model

SETTINGS = Training(
    epochs=2, rows_per_batch=8, save_steps=1, keep="last", trackers=(), dtype="float32", optimizer=Optimizer(rate=3e-3)
)
IMPOSSIBLE = 2**50


class Greedy(Toy):
    """Asks torch for a petabyte where a batch has more than `most` tokens, once `patience` batches have passed."""

    most = 10**9
    patience = 0

    def forward(self, encoder: Encoder, batch: Batch) -> Tensor:
        if encoder.training and batch.input_ids.numel() > self.most:
            if not self.patience:
                torch.empty(IMPOSSIBLE, dtype=torch.uint8)
            self.patience -= 1
        return super().forward(encoder, batch)


class Weighed(Toy):
    """Rows count by their class, and beside them there is a mean over tokens: two means over different numbers."""

    weights = torch.tensor([0.2, 1.7])

    def loss(self, output: Tensor, batch: Batch) -> Tensor:
        return torch.stack([mean for mean, _ in self.means(output, batch)]).sum()

    def means(self, output: Tensor, batch: Batch) -> list[tuple[Tensor, int | Tensor]]:
        assert batch.targets is not None
        numbers = torch.tensor([example.length for example in batch.examples])
        beside = (output[:, 0].square() * numbers).sum() / numbers.sum()
        plain = F.cross_entropy(output, batch.targets, self.weights)
        return [(plain, self.weights[batch.targets].sum()), (beside, numbers.sum())]


def model_of(task: type[Toy], dropout: float = 0.1, wrappers: Sequence[Wrapper] = ()) -> TrainingModel:
    plain, made = toy_model(dropout=dropout), task()
    made.build_head(16)
    made.load_state_dict(plain.task.state_dict())
    return TrainingModel(plain.encoder, made, wrappers)


def greedy(most: int, patience: int = 0, dropout: float = 0.1) -> TrainingModel:
    model = model_of(Greedy, dropout)
    assert isinstance(model.task, Greedy)
    model.task.most, model.task.patience = most, patience
    return model


def run(path: Path, model: TrainingModel, settings: Training = SETTINGS, **more: Any) -> FitResult:
    with RunFolder(path) as folder:
        return fit(model, toy_examples(), settings, folder, judge(model, toy_examples(20, seed=1)), **more)


def logged(path: Path) -> list[float]:
    lines = (path / "log.jsonl").read_text().splitlines()
    return [entry["loss"] for line in lines if "rate" in (entry := json.loads(line))]


@given(st.lists(st.integers(1, 60), min_size=1, max_size=40), st.integers(1, 400))
def test_parts_hold_every_row_once_and_weigh_the_same(lengths: list[int], limit: int) -> None:
    share = Share(tuple(range(len(lengths))), 0.7)
    parts = cut(share, limit, lengths)
    assert sorted(i for part in parts for i in part.indices) == list(share.indices)
    assert all(tokens(part, lengths) <= limit or len(part.indices) == 1 for part in parts)
    assert sum(part.weight for part in parts) == pytest.approx(0.7)
    assert all(part.weight / len(part.indices) == pytest.approx(0.7 / len(lengths)) for part in parts)
    shared = replace(share, part=1.0)
    assert cut(shared, limit, lengths) == [shared], "other processes have the rest of it"


def penalised(step_loss: StepLoss) -> StepLoss:
    """Adds what does not depend on the rows."""

    def loss(encoder: Encoder, batch: Batch) -> Tensor:
        return step_loss(encoder, batch) + encoder.get_parameter("layers.0.attention.query.weight").square().sum()

    return loss


@pytest.mark.parametrize("limit", [20, 55, 10**6])
@pytest.mark.parametrize("task", [Toy, Weighed])
def test_loss_and_gradient_of_a_step_do_not_depend_on_the_cut(task: type[Toy], limit: int) -> None:
    examples, found = toy_examples(24), []
    for limits in ([], [(0, limit)]):
        model = model_of(task, dropout=0.0, wrappers=[penalised])
        room, row_costs = Room(model, Accelerator(cpu=True), limits), costs(examples)
        mine = shares([list(range(9)), list(range(9, 12)), list(range(12, 24))], 0, 1)
        work = partial(accumulate, model, model, room.accelerator, examples)
        loss = float(room.compute(3, mine, examples, row_costs, work))
        found.append((loss, {name: p.grad for name, p in model.named_parameters()}))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-6)
    for name, gradient in found[0][1].items():
        torch.testing.assert_close(found[1][1][name], gradient, rtol=1e-5, atol=1e-6, msg=name)


def test_real_errors_are_told_from_others() -> None:
    with pytest.raises(RuntimeError) as refused:
        torch.empty(IMPOSSIBLE, dtype=torch.uint8)
    assert is_out_of_memory(refused.value)
    with pytest.raises(RuntimeError) as wrong:
        torch.ones(2, 3) @ torch.ones(2, 3)
    assert not is_out_of_memory(wrong.value)
    assert is_out_of_memory(MemoryError()) and is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))


def test_the_training_goes_on_with_the_same_losses_and_says_so_once(tmp_path: Path) -> None:
    lines: list[str] = []
    run(tmp_path / "whole", greedy(10**9, dropout=0.0))
    result = run(tmp_path / "cut", greedy(60, dropout=0.0), hooks=[Teller(lines.append)])
    assert logged(tmp_path / "cut") == pytest.approx(logged(tmp_path / "whole"), rel=1e-4)
    limits = json.loads((tmp_path / "cut" / "decisions.json").read_text())["at_once"]
    assert len(lines) == len(limits) <= 2 and "from here on at most" in lines[0]
    assert result.rows == 120 and 30 <= limits[-1][1] <= 60


def test_a_run_resumed_before_and_behind_the_cut_is_the_same_run(tmp_path: Path) -> None:
    """With dropout: the same numbers are drawn only where the same steps are cut in the same way."""
    run(tmp_path / "one", greedy(70, patience=5))
    since = json.loads((tmp_path / "one" / "decisions.json").read_text())["at_once"][0][0]
    assert 3 <= since < 14
    for stop in (since - 1, since + 1):
        folder = tmp_path / f"at{stop}"
        with pytest.raises(KeyboardInterrupt):
            run(folder, greedy(70, patience=5), hooks=[At(stop, interrupt)])
        before = json.loads((tmp_path / "one" / "decisions.json").read_text())
        if stop < since:  # as where memory ran out behind the last checkpoint
            (folder / "decisions.json").write_text(json.dumps(before))
        run(folder, greedy(10**9))
        assert logged(folder) == logged(tmp_path / "one")
    run(tmp_path / "never", greedy(10**9))
    assert logged(tmp_path / "never")[:since] == logged(tmp_path / "one")[:since]
    assert logged(tmp_path / "never")[since:] != logged(tmp_path / "one")[since:]


def test_a_single_row_that_does_not_fit_ends_it_with_advice(tmp_path: Path) -> None:
    with pytest.raises(BertieError, match=r"single row of \d+ tokens at once .*activation_checkpointing=true"):
        run(tmp_path, greedy(1))
    with pytest.raises(BertieError, match=r"single row at once .*before training"):
        estimate_seconds(greedy(1), toy_examples(), SETTINGS)


def test_the_time_is_estimated_on_what_fits() -> None:
    assert estimate_seconds(greedy(60), toy_examples(), SETTINGS).per_step > 0.0


def test_rows_that_are_compared_are_not_cut(tmp_path: Path) -> None:
    model = greedy(60)
    model.task.compares_rows = True
    with pytest.raises(BertieError, match=r"compared with each other.*training.rows_per_batch=4"):
        run(tmp_path, model)


def test_other_errors_stay_what_they_are(tmp_path: Path) -> None:
    def broken(step_loss: StepLoss) -> StepLoss:
        def loss(encoder: Encoder, batch: Batch) -> Tensor:
            return step_loss(encoder, batch) if not encoder.training else torch.ones(2, 3) @ torch.ones(2, 3)

        return loss

    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        run(tmp_path, model_of(Toy, wrappers=[broken]))


def test_memory_that_runs_out_in_a_judgement_is_explained(tmp_path: Path) -> None:
    def judged() -> Any:
        torch.empty(IMPOSSIBLE, dtype=torch.uint8)

    with RunFolder(tmp_path) as folder, pytest.raises(BertieError, match=r"memory ran out \(.*--method"):
        fit(toy_model(), toy_examples(), SETTINGS, folder, judged)


@pytest.mark.slow
def test_under_a_real_limit(tmp_path: Path) -> None:
    """A child with less address space than its batches need, and one without a limit, learn the same."""
    found = {}
    for name, room in (("free", 0), ("tight", 250)):
        words = [sys.executable, "-m", "tests.training.tight", str(tmp_path / name), str(room)]
        done = subprocess.run(words, check=False, capture_output=True, text=True, cwd=ROOT)
        assert done.returncode == 0, done.stderr[-3000:]
        found[name] = json.loads(done.stdout.splitlines()[-1])
    assert found["free"]["told"] == [] and len(found["tight"]["told"]) >= 1
    assert found["tight"]["losses"] == pytest.approx(found["free"]["losses"], rel=1e-4)
    assert found["tight"]["refused"].count("memory") and all(map(math.isfinite, found["tight"]["losses"]))
