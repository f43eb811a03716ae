"""`bertie search` killed in a trial and gone on with; and two of them on one storage."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from bertie.predict import load
from bertie.trials.ledger import exists, open_ledger
from tests.crash.test_command import PATIENCE, start
from tests.workflow.rows import write_order

pytestmark = [pytest.mark.crash, pytest.mark.slow]


def command(data: Path, model: Path, out: Path, epochs: int, *more: str) -> list[str]:
    sets = {"training.epochs": epochs, "training.save_steps": 20, "training.optimizer.rate": 1e-3}
    options = [part for name, value in sets.items() for part in ("--set", f"{name}={value}")]
    return ["search", str(data), "--model", str(model), "--out", str(out), "--budget", "20m", *options, *more]


def trials(out: Path) -> list[Any]:
    url = f"sqlite:///{out.resolve()}/run/trials.db"
    return open_ledger(url, 0)[0].trials() if (out / "run" / "trials.db").exists() and exists(url) else []


def until(true: Callable[[], bool], *processes: subprocess.Popen[str]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "it takes too long"
        for process in processes:
            assert process.poll() is None, process.communicate()[1]
        time.sleep(0.2)


def test_killed_in_a_trial_it_goes_on_from_the_checkpoint(tiny_model: Path, tmp_path: Path) -> None:
    data, out = write_order(tmp_path / "data.csv", 600), tmp_path / "m"
    first = start(*command(data, tiny_model, out, 60, "--trials", "4"))
    checkpoints = out / "run" / "trials" / "0002" / "checkpoints"
    try:
        until(lambda: any(checkpoints.glob("step-*")), first)
    finally:
        first.kill()
        first.wait()
    assert [one.state for one in trials(out)] == [TrialState.COMPLETE] * 2 + [TrialState.RUNNING]
    refused = start(*command(data, tiny_model, out, 60, "--trials", "4"))
    _, said = refused.communicate(timeout=PATIENCE)
    assert refused.returncode == 2 and "go on with --resume" in said
    second = start(*command(data, tiny_model, out, 60, "--trials", "4", "--resume", "--json"))
    printed, said = second.communicate(timeout=PATIENCE)
    assert second.returncode == 0, said
    found = trials(out)
    assert [one.state for one in found[:3]] == [TrialState.COMPLETE] * 2 + [TrialState.FAIL]
    assert found[3].user_attrs["continues"] == 2 and found[3].state == TrialState.COMPLETE
    log = (out / "run" / "trials" / "0002" / "log.jsonl").read_text(encoding="utf-8").splitlines()
    steps = [json.loads(line)["step"] for line in log if "loss" in json.loads(line)]
    assert steps == list(range(1, len(steps) + 1)), "it did not begin again"
    assert len(json.loads(printed)["search"]["tried"]) in (3, 4)
    assert load(out).predict(["good"])


def test_two_workers_share_one_storage_and_one_publishes(tiny_model: Path, tmp_path: Path) -> None:
    data, out = write_order(tmp_path / "data.csv", 600), tmp_path / "m"
    one = start(*command(data, tiny_model, out, 20, "--trials", "6"))
    processes = [one]
    try:
        until(lambda: len(trials(out)) >= 2, one)
        processes.append(start(*command(data, tiny_model, out, 20, "--trials", "6")))
        said = [process.communicate(timeout=PATIENCE) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert [process.returncode for process in processes] == [0, 0], said
    found = trials(out)
    begun = [trial for trial in found if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)]
    assert 6 <= len(begun) <= 7 and len(begun) == len(found)
    assert len({trial.user_attrs["worker"] for trial in begun}) == 2, "both took part"
    published = [printed for printed, _ in said if "bundle: " in printed]
    waited = ["publishes" in errors for _, errors in said]
    assert len(published) >= 1 and any(waited)
    assert load(out).predict(["good"])
    assert not list((out / "run" / "workers").iterdir())
