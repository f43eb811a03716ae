"""Two processes do what one does with twice the accumulation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_two_processes_equal_one_with_twice_the_accumulation(tmp_path: Path) -> None:
    losses = []
    for processes, accumulation in ((1, 4), (2, 2)):
        folder = tmp_path / str(processes)
        options = json.dumps({"dropout": 0.0, "accumulation": accumulation})
        launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
        command = [sys.executable, *launcher, "-m", "tests.crash.child", str(folder), options]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        entries = map(json.loads, (folder / "log.jsonl").read_text().splitlines())
        losses.append([entry["loss"] for entry in entries if "rate" in entry])
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
