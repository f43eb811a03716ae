"""Steps, the shares of processes, the clock and the estimate."""

from __future__ import annotations

import time

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from bertie.core.config import field_docs, from_dict
from bertie.core.errors import ConfigError
from bertie.data.batches import Batch, Example
from bertie.nn.encoder import Encoder
from bertie.training import budget, estimate
from bertie.training.budget import Budget
from bertie.training.estimate import Estimate, estimate_seconds
from bertie.training.model import StepLoss, TrainingModel
from bertie.training.settings import Optimizer, Schedule, Training
from bertie.training.shares import costs, count_steps, epoch_steps, padded_tokens, shares
from bertie.training.state import random_state
from bertie.training.used_rows import UsedRows
from tests.training.toy import toy_examples, toy_model

LENGTHS = st.lists(st.integers(1, 60), min_size=1, max_size=80)


@given(LENGTHS, st.integers(1, 4), st.integers(1, 3), st.integers(0, 3), st.booleans())
def test_every_row_once_an_epoch_over_all_processes(
    lengths: list[int], accumulation: int, processes: int, epoch: int, whole: bool
) -> None:
    settings = Training(rows_per_batch=8, tokens_per_batch=128, accumulation=accumulation)
    steps = epoch_steps(lengths, settings, epoch)
    seen = [i for step in steps for batch in step for i in batch]
    assert sorted(seen) == list(range(len(lengths)))
    assert all(padded_tokens(lengths, [batch]) <= 128 for step in steps for batch in step)
    for step in steps:
        dealt = [shares(step, rank, processes, whole=whole) for rank in range(processes)]
        assert len({len(own) for own in dealt}) == 1, "every process goes through the model equally often"
        # Gradients are averaged over processes, so weight / processes is a batch's part of the step; of a batch that is
        # cut it is the whole batch's, whose rows are spread over the processes.
        weights: dict[int, float] = {}
        for place in range(len(dealt[0])):
            parts = [own[place] for own in dealt]
            cut = sum(len(part.indices) for part in parts if part.part)
            for part in parts:
                assert (part.part is None) == (cut == 0) and not (whole and cut)
                if part.weight and part.part != 0.0:
                    size = cut or len(part.indices)
                    assert not set(weights) & set(part.indices)
                    weights |= dict.fromkeys(part.indices, part.weight / processes / size)
        assert len(weights) == sum(map(len, step))
        assert list(weights.values()) == pytest.approx([1 / len(weights)] * len(weights))


def test_a_step_is_cut_only_where_its_batches_do_not_come_out_even() -> None:
    step = [[0, 1, 2], [3], [4, 5]]
    assert [share.indices for share in shares(step, 1, 2)] == [(1,), (3,), (5,)]
    assert [share.part for share in shares(step, 1, 2)] == [1.0, 0.0, 1.0]
    assert [share.indices for share in shares(step, 1, 3)] == [(3,)]
    assert [share.indices for share in shares(step, 1, 2, whole=True)] == [(3,), (0, 1, 2)]
    assert [share.weight for share in shares(step, 1, 2, whole=True)] == [pytest.approx(1 / 3), 0.0]


@given(LENGTHS, st.integers(1, 4))
def test_steps_are_counted_as_they_come(lengths: list[int], epochs: int) -> None:
    settings = Training(rows_per_batch=8, tokens_per_batch=128, epochs=epochs)
    assert count_steps(lengths, settings) == sum(len(epoch_steps(lengths, settings, e)) for e in range(epochs))


def test_a_budget_counts_all_sessions_and_leaves_room_for_the_last_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    clock = Budget(100.0, before=20.0, start=1000.0)
    for _ in range(budget.WARM + 4):
        now[0] += 1.0
        clock.stepped(400)
    assert clock.look() and not clock.look(), "each mark once"
    now[0] += 5.0
    clock.evaluated(5.0)
    assert clock.used() == 31.0
    # 69 s left, less the margin and the last evaluation, at 1 s a step and an evaluation of 5 s every 10 steps
    assert clock.steps_left(400.0, 0.1) == int((69 * budget.MARGIN - 5) / 1.5)
    now[0] += 63.0
    assert not clock.over()
    now[0] += 1.0
    assert clock.over()


def test_an_estimate_changes_nothing() -> None:
    model, examples = toy_model(), toy_examples()
    before, generators = {n: t.clone() for n, t in model.state_dict().items()}, random_state()
    model.eval()
    found = estimate_seconds(model, examples, Training(rows_per_batch=8))
    assert found.per_step > 0
    assert found.per_epoch == pytest.approx(found.per_step * found.steps_per_epoch)
    assert random_state() == generators
    assert not model.training
    assert all(p.grad is None for p in model.parameters())
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_of_a_large_vocabulary_the_rows_in_use_are_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As they are trained: no gradient is as large as the table, and the optimiser passes over none of the rest."""
    plain, counted = toy_model(vocabulary=5000), list[int]()

    def watched(step_loss: StepLoss) -> StepLoss:
        def loss(encoder: Encoder, batch: Batch) -> Tensor:
            assert isinstance(encoder.embeddings.word_embeddings, UsedRows)
            return step_loss(encoder, batch)

        return loss

    def updating(model: TrainingModel, settings: Training) -> float:
        counted.append(sum(p.numel() for p in model.parameters() if p.requires_grad))
        return 1000.0

    monkeypatch.setattr(estimate, "optimizer_seconds", updating)
    model = TrainingModel(plain.encoder, plain.task, [watched])
    found = estimate_seconds(model, toy_examples(), Training(rows_per_batch=8))
    assert counted[0] < 5000 * 16 and found.per_step > 1000.0
    table = plain.encoder.embeddings.word_embeddings
    assert isinstance(table, torch.nn.Embedding) and table.weight.requires_grad and table.weight.grad is None


def test_a_gpu_is_waited_for_before_the_clock_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    waited = list[str]()
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: waited.append("cuda"))
    for name in ("cpu", "cuda", "cpu"):
        estimate._clock(torch.device(name))
    assert waited == ["cuda"]


def test_a_forecast_says_what_a_budget_holds() -> None:
    found = Estimate(per_step=0.5, per_epoch=60.0, steps_per_epoch=120)
    assert found.forecast(Training(epochs=3)) == "about 60 s an epoch, 180 s for 3 epochs and what judging takes"
    assert found.forecast(Training(epochs=3, seconds=200.0)) == found.forecast(Training(epochs=3))
    assert "90 s are left of the budget, for about 1.5 epochs" in found.forecast(Training(epochs=3, seconds=90.0))
    assert "1 s are left of the budget, NOT ENOUGH" in found.forecast(Training(epochs=3, seconds=1.0))


def test_costs_count_every_sequence_of_a_row() -> None:
    """Each is padded to the longest one."""
    found = sorted(toy_examples(), key=lambda one: one.length)
    short, long = found[0], found[-1]
    row = Example((*short.sequences, *long.sequences, *short.sequences))
    assert short.length < long.length
    assert costs([short, long, row]) == [short.length, long.length, 3 * long.length]


def test_settings_are_checked_where_they_are_made_and_all_explained() -> None:
    for cls in (Training, Optimizer, Schedule):
        assert set(field_docs(cls)) == set(cls.__dataclass_fields__)
    for wrong in (
        {"epochs": -1},
        {"clip": -1.0},
        {"optimizer": {"rate": -1e-5}},
        {"schedule": {"warmup": 2.0}},
        {"dtype": "int8"},
    ):
        with pytest.raises(ConfigError):
            from_dict(Training, wrong)
    assert from_dict(Training, {"optimizer": {"betas": [0.9, 0.98]}}).optimizer.betas == (0.9, 0.98)
