"""`bertie train --seeds` that was killed goes on with what is finished, to the same bundle."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.crash.test_command import PATIENCE, start
from tests.workflow.rows import write

pytestmark = pytest.mark.crash


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_killed_in_the_second_member_and_resumed_equals_one_go(tiny_model: Path, tmp_path: Path) -> None:
    data, killed, straight = write(tmp_path / "data.csv", 600), tmp_path / "killed", tmp_path / "straight"
    settings = ["training.epochs=6", "training.save_steps=20", "training.dtype=float32", "training.trackers=[]"]
    command = ["train", str(data), "--model", str(tiny_model), "--seeds", "3", "--budget", "20m"]
    command += [word for setting in settings for word in ("--set", setting)]
    first = start(*command, "--out", str(killed))
    second = killed / "run" / "part-seed-14"
    try:
        end = time.monotonic() + PATIENCE
        while not list((second / "checkpoints").glob("step-*")):
            assert first.poll() is None and time.monotonic() < end, first.communicate()
            time.sleep(0.01)
    finally:
        first.kill()
        first.wait()
    assert not (second / "answers.json").exists() and not (killed / "checksums.json").exists()
    before = content(killed / "run" / "part-seed-13")
    assert "answers.json" in before
    again = start(*command, "--out", str(killed), "--resume")
    _, said = again.communicate(timeout=PATIENCE)
    assert again.returncode == 0, said
    assert "seed-13 (1 of 3): done before" in said
    assert content(killed / "run" / "part-seed-13") == before
    whole = start(*command, "--out", str(straight))
    _, said = whole.communicate(timeout=PATIENCE)
    assert whole.returncode == 0, said
    sums = [json.loads((folder / "checksums.json").read_text()) for folder in (killed, straight)]
    for name in ("model/model.safetensors", "head.safetensors", "golden.json"):
        assert sums[0][name] == sums[1][name]
