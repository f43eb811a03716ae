"""A pre-training that was killed in the middle of a round and resumed is, to the last bit, the one that was not."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from bertie.core.files import sha256
from tests.crash.test_command import PATIENCE, start
from tests.workflow.test_pretrain import corpus

pytestmark = pytest.mark.crash

SETTINGS = {
    "training.epochs": 3,
    "training.rows_per_batch": 4,
    "training.save_steps": 5,
    "max_length": 32,
    "short_length": 16,
    "vocabulary": 400,
    "held_out": 0.1,
}


def command(text: Path, out: Path, *more: str) -> list[str]:
    sets = [part for name, value in SETTINGS.items() for part in ("--set", f"{name}={value}")]
    objective = ["--objective", "masked_lm:1,next_sentence:0.5"]
    return ["pretrain", str(text), "--preset", "tiny", "--budget", "1h", "--out", str(out), *objective, *sets, *more]


def finished(arguments: list[str]) -> None:
    process = start(*arguments)
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said


def steps(out: Path) -> list[str]:
    return [line for line in (out / "run" / "log.jsonl").read_text().splitlines() if "loss" in json.loads(line)]


def test_killed_in_a_round_and_resumed_equals_one_go(tmp_path: Path) -> None:
    text = corpus(tmp_path)
    finished(command(text, tmp_path / "straight"))
    process = start(*command(text, tmp_path / "killed"))
    log, end = tmp_path / "killed" / "run" / "log.jsonl", time.monotonic() + PATIENCE
    try:
        while not log.exists() or len(log.read_bytes().splitlines()) < 12:
            assert process.poll() is None and time.monotonic() < end, process.communicate()[1]
            time.sleep(0.005)
    finally:
        process.kill()
        process.wait()
    done = len(steps(tmp_path / "killed"))
    assert 0 < done < len(steps(tmp_path / "straight")), "it was killed too late to show anything"
    finished(command(text, tmp_path / "killed", "--resume"))
    assert steps(tmp_path / "killed") == steps(tmp_path / "straight")
    for name in ("model/model.safetensors", "head.safetensors"):
        assert sha256(tmp_path / "killed" / name) == sha256(tmp_path / "straight" / name)


def test_a_resume_with_another_objective_is_refused(tmp_path: Path) -> None:
    text, out = corpus(tmp_path), tmp_path / "m"
    process = start(*command(text, out, "--set", "training.epochs=100000"))
    end = time.monotonic() + PATIENCE
    try:
        while not list((out / "run" / "checkpoints").glob("step-*")):
            assert process.poll() is None and time.monotonic() < end, process.communicate()[1]
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait()
    other = start(*command(text, out, "--set", "training.epochs=100000", "--resume", "--objective", "masked_lm"))
    _, said = other.communicate(timeout=PATIENCE)
    assert other.returncode == 2
    assert "holds a run whose objectives was" in said
