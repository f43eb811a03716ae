"""`bertie train` itself: a second one on the same folder is refused, a stopped one says how to go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.crash.nursery import ROOT
from tests.workflow.rows import write

pytestmark = pytest.mark.crash

PATIENCE = 200
"""Seconds in which a command has loaded torch, also where others use the machine."""


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", "from bertie.cli.app import main; main()", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_second_of_two_commands_on_one_folder_ends_with_2(tiny_model: Path, tmp_path: Path) -> None:
    data, out = write(tmp_path / "data.csv", 1000), tmp_path / "m"
    command = ["train", str(data), "--model", str(tiny_model), "--out", str(out), "--set", "training.epochs=100000"]
    first = start(*command)
    try:
        end = time.monotonic() + PATIENCE
        while not (out / "run" / "log.jsonl").exists():
            assert first.poll() is None and time.monotonic() < end, "the first one does not train"
            time.sleep(0.1)
        for more in ([], ["--resume"], ["--overwrite"]):
            second = start(*command, *more)
            _, said = second.communicate(timeout=PATIENCE)
            assert second.returncode == 2
            assert f"process {first.pid} on {os.uname().nodename} is writing to this folder" in said
        assert first.poll() is None
        first.send_signal(signal.SIGTERM)
        _, said = first.communicate(timeout=PATIENCE)
    finally:
        first.kill()
        first.wait()
    assert first.returncode == 143
    assert f"is saved in {out / 'run'}; go on with --resume" in said
    assert list((out / "run" / "checkpoints").glob("step-*"))
