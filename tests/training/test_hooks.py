"""Hooks: what is told, and to whom."""

from __future__ import annotations

import os
import pty
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # type: ignore[import-untyped]

from bertie.core.errors import UsageError
from bertie.training.hooks import ProgressBar, Saver, Step, reporters
from bertie.training.run import RunFolder
from bertie.training.settings import Training
from bertie.training.state import Evaluation

SHOW_CURSOR, UP_AND_ERASE = "\x1b[?25h", "\x1b[1A\x1b[2K"
NO_OPTIMIZER = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 1.0)


def step(number: int) -> Step:
    return Step(
        number=number, total=10, epoch=0, loss=1.0 / number, norm=2.0, rate=1e-5, rows=8, tokens=300, seconds=0.5
    )


def test_tensorboard_is_told_losses_and_scores(tmp_path: Path) -> None:
    with RunFolder(tmp_path) as run:
        hooks = reporters(Training(), run)
        assert len(hooks) == 1, "no progress bar where there is no terminal"
        hooks[0].begin(NO_OPTIMIZER, 0, 10)
        hooks[0].after_step(step(1))
        hooks[0].after_evaluation(1, Evaluation(0.75, {"accuracy": 0.75}))
        hooks[0].close()
        events = EventAccumulator(str(run.tensorboard))
        events.Reload()
    names = set(events.Tags()["scalars"])
    told = {"loss", "rate", "gradient_norm", "tokens_per_second"}
    assert names == {*(f"train/{name}" for name in told), "dev/score", "dev/accuracy"}
    assert [event.value for event in events.Scalars("train/tokens_per_second")] == [600.0]


def test_tensorboard_shows_steps_that_are_done_again_once(tmp_path: Path) -> None:
    with RunFolder(tmp_path) as run:
        for done in (0, 2):  # killed after step 4, its checkpoint was of step 2
            [hook] = reporters(Training(), run)
            hook.begin(NO_OPTIMIZER, done, 10)
            for number in range(done + 1, done + 5):
                hook.after_step(step(number))
            hook.close()
            for file in run.tensorboard.glob("events.out.tfevents.1*"):  # they are read in the order of their names
                file.rename(file.with_name(f"events.out.tfevents.000000000{done}"))
        events = EventAccumulator(str(run.tensorboard))
        events.Reload()
    assert [event.step for event in events.Scalars("train/loss")] == [1, 2, 3, 4, 5, 6]


def test_a_run_that_had_ended_has_nothing_for_tensorboard(tmp_path: Path) -> None:
    with RunFolder(tmp_path) as run:
        [hook] = reporters(Training(), run)
        hook.close()
        assert not run.tensorboard.exists()


def test_a_tracker_that_is_not_installed_says_how(tmp_path: Path) -> None:
    with RunFolder(tmp_path) as run, pytest.raises(UsageError, match=r"'wandb' is not installed; .* -e '.\[track\]'"):
        reporters(Training(trackers=("wandb",)), run)


@contextmanager
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """stderr is a terminal of 120 columns; what it is sent can be read from this descriptor.

    No fixture: pytest sets stderr anew before each call.
    """
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"TERM": "xterm", "COLUMNS": "120", "LINES": "25"}.items():
        monkeypatch.setenv(name, value)
    shown, end = pty.openpty()
    with os.fdopen(end, "w", encoding="utf-8", buffering=1) as stderr, monkeypatch.context() as patched:
        patched.setattr(sys, "stderr", stderr)
        yield shown
    os.close(shown)


def sent(descriptor: int) -> str:
    """What is there, handed on in pieces; of somebody who never ends, the first of them."""
    found = b""
    for _ in range(30):
        if not select.select([descriptor], [], [], 0.5)[0]:
            break
        found += os.read(descriptor, 2**16)
    return found.decode()


def test_the_bar_draws_and_ends(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with RunFolder(tmp_path) as run, terminal(monkeypatch) as shown:
        assert reporters(Training(trackers=(), progress="never"), run) == []
        [bar] = reporters(Training(trackers=()), run)
        assert isinstance(bar, ProgressBar), "on a terminal there is one"
        bar.after_step(step(1))
        bar.after_evaluation(1, Evaluation(0.5))
        bar.after_step(step(2))
        bar.close()
        told = sent(shown)
    before, last, after = told.rpartition("step 2/10  loss 0.975")
    assert last and "training" in before and "score 0.5000" in after, told
    assert SHOW_CURSOR in after and UP_AND_ERASE in after, "the cursor is back, the line gone"
    assert capfd.readouterr().out == "", "stdout is for results"


def test_the_saver_saves_by_steps_and_by_seconds() -> None:
    saved: list[int] = []
    by_steps = Saver(lambda: saved.append(1), Training(save_steps=3))
    for number in range(1, 8):
        by_steps.after_step(step(number))
    assert len(saved) == 2
    by_time = Saver(lambda: saved.append(1), Training(save_seconds=1e-9))
    by_time.after_step(step(1))
    assert len(saved) == 3
