"""`bertie pretrain` and `bertie train` by two processes and by one: the same curve, also where the number changes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from bertie.workflow.pretrain import run_pretraining
from bertie.workflow.pretrain_request import PretrainRequest
from bertie.workflow.request import TrainRequest
from bertie.workflow.train import run_training
from tests.crash.nursery import ROOT
from tests.crash.test_command import PATIENCE
from tests.workflow.rows import write
from tests.workflow.test_pretrain import corpus, quiet

pytestmark = [pytest.mark.crash, pytest.mark.slow]


def two(command: str, data: Path, *arguments: str) -> subprocess.Popen[str]:
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    return subprocess.Popen(
        [sys.executable, *launcher, "-m", "bertie", command, str(data), *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def sets(settings: tuple[str, ...]) -> list[str]:
    return [part for one in settings for part in ("--set", one)]


def losses(out: Path) -> list[float]:
    entries = map(json.loads, (out / "run" / "log.jsonl").read_text().splitlines())
    return [entry["loss"] for entry in entries if "rate" in entry]


def test_a_pretraining_by_two_one_of_which_dies_goes_on_by_one(tmp_path: Path) -> None:
    """One batch a step, of which each process has a part."""
    text, straight, broken = corpus(tmp_path), tmp_path / "straight", tmp_path / "broken"
    objective = "masked_lm:1,next_sentence:0.5"
    settings = (
        *("training.epochs=1", "training.rows_per_batch=5", "training.save_steps=4"),
        *("training.dtype=float32", "max_length=32", "short_length=16", "vocabulary=400", "held_out=0.1"),
    )
    request = PretrainRequest(
        corpus=(str(text),), preset="tiny", objective=objective, out=straight, overrides=settings, budget="1h"
    )
    run_pretraining(request, quiet)
    options = ["--preset", "tiny", "--objective", objective, "--out", str(broken), "--budget", "1h", *sets(settings)]
    process = two("pretrain", text, *options)
    end = time.monotonic() + PATIENCE
    try:
        while not list((broken / "run" / "checkpoints").glob("step-*")):
            assert process.poll() is None and time.monotonic() < end, process.communicate()[1]
            time.sleep(0.005)
        os.kill(json.loads((broken / "run" / "lock").read_text())["pid"], signal.SIGKILL)
        _, said = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
        process.wait()
    assert process.returncode
    assert "error: process 1: another of the 2 processes has ended, and so does this one" in said
    assert 0 < len(losses(broken)) < len(losses(straight)), "it was killed too late to show anything"
    assert losses(broken) == pytest.approx(losses(straight)[: len(losses(broken))], abs=1e-4)
    run_pretraining(replace(request, out=broken, resume=True), quiet)
    assert losses(broken) == pytest.approx(losses(straight), abs=1e-4)


@pytest.mark.parametrize("more", [(), ("training.regularization.name=fgm", "training.average.name=ema")])
def test_a_classification_by_one_goes_on_by_two_which_speak_as_one(
    more: tuple[str, ...], tiny_model: Path, tmp_path: Path
) -> None:
    """Two batches a step, of which each process has one; in the last step of an epoch there is one, which is cut."""
    model, out, data = tmp_path / "model", tmp_path / "out", write(tmp_path / "data.csv", 150)
    shutil.copytree(tiny_model, model)
    config = json.loads((model / "config.json").read_text())
    still = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (model / "config.json").write_text(json.dumps({**config, **still}))
    settings = (
        *("training.epochs=2", "training.rows_per_batch=8", "training.save_steps=5", "training.dtype=float32"),
        *("training.accumulation=2", "task.dropout=0", *more),
    )
    run_training(TrainRequest(data=str(data), model=str(model), out=out, overrides=settings), quiet)
    straight = losses(out)
    # As a kill between the two checkpoints leaves it.
    (out / "run" / "result.json").unlink()
    shutil.rmtree(max((out / "run" / "checkpoints").iterdir()))
    process = two("train", data, "--model", str(model), "--out", str(out), "--resume", *sets(settings))
    printed, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    assert losses(out) == pytest.approx(straight, abs=1e-4)
    assert printed.count("bundle: ") == printed.count("seconds") == 1
    assert said.count("rows: ") == 1
