"""A run that was killed and resumed is, to the last bit, the run that was not."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from bertie.core.files import sha256
from bertie.training.checkpoints import newest
from bertie.training.tensors import load_tensors
from tests.crash.child import STEPS
from tests.crash.nursery import Nursery

pytestmark = pytest.mark.crash

KILLS = int(os.environ.get("BERTIE_KILLS", "8"))


@pytest.fixture(scope="module")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    with Nursery(tmp_path_factory.mktemp("nursery") / "stderr") as nursery:
        yield nursery


def sums(run: Path) -> dict[str, str]:
    """SHA-256 of everything that must be the same."""
    last = run / "checkpoints" / f"step-{STEPS:08d}"
    files = [
        *last.glob("*.safetensors"),
        run / "log.jsonl",
        run / "best/model.safetensors",
    ]
    state = json.loads((last / "state.json").read_text())
    del state["state"]["seconds"], state["state"]["stepping"]
    return {str(path.relative_to(run)): sha256(path) for path in files} | {"state": json.dumps(state)}


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "adafactor"])
def test_killed_at_23_and_resumed_equals_one_go(nursery: Nursery, tmp_path: Path, optimizer: str) -> None:
    assert nursery.run(tmp_path / "straight", optimizer=optimizer) == 0
    # Step 23 is in the middle of the third epoch, the checkpoint is from step 20.
    assert nursery.run(tmp_path / "killed", optimizer=optimizer, kill_at=23) == -9
    assert nursery.run(tmp_path / "killed", optimizer=optimizer) == 0
    assert sums(tmp_path / "killed") == sums(tmp_path / "straight")


def test_killed_with_a_method_against_over_fitting_and_an_average(nursery: Nursery, tmp_path: Path) -> None:
    options = {"regularization": {"name": "freelb"}, "average": {"name": "ema"}}
    assert nursery.run(tmp_path / "straight", **options) == 0
    assert nursery.run(tmp_path / "killed", **options, kill_at=23) == -9
    assert nursery.run(tmp_path / "killed", **options) == 0
    assert sums(tmp_path / "killed") == sums(tmp_path / "straight")
    assert f"checkpoints/step-{STEPS:08d}/average.safetensors" in sums(tmp_path / "straight")


def test_a_damaged_checkpoint_costs_steps_and_no_more(nursery: Nursery, tmp_path: Path) -> None:
    assert nursery.run(tmp_path / "straight", save_steps=10) == 0
    assert nursery.run(tmp_path / "run", save_steps=10, kill_at=37) == -9
    path = tmp_path / "run" / "checkpoints" / "step-00000030" / "optimizer.safetensors"
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    assert nursery.run(tmp_path / "run", save_steps=10) == 0
    assert sums(tmp_path / "run") == sums(tmp_path / "straight")


def test_random_kills_always_leave_something_to_load(nursery: Nursery, tmp_path: Path) -> None:
    assert nursery.run(tmp_path / "straight", save_steps=1) == 0
    rng, run, warnings, killed, finished = random.Random(0), tmp_path / "run", list[str](), 0, 0
    while killed < KILLS:
        code = nursery.kill_after(nursery.start(run, save_steps=1), rng.uniform(0.02, 1.2))
        assert code in (0, -9), nursery.said()
        killed += code == -9
        found = newest(run / "checkpoints", warnings.append)
        if found is not None:
            assert load_tensors(run / "best" / "model.safetensors")[0].keys() == found.model.keys()
        if code == 0:
            assert sums(run) == sums(tmp_path / "straight")
            finished += 1  # a new folder each time: a finished run would end at once, for ever, before any kill
            run = tmp_path / f"run{finished}"
    assert nursery.run(run, save_steps=1) == 0
    assert sums(run) == sums(tmp_path / "straight")
    assert not warnings
    assert not [path for path in run.rglob("*") if path.name.endswith((".tmp", ".old"))]
