"""Signals, a second writer, a full disk: what the exit code says, and that nothing is lost."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bertie.core.errors import RunLockedError
from bertie.training.checkpoints import newest
from bertie.training.run import RunFolder
from tests.crash.nursery import Nursery
from tests.crash.test_resume import sums

pytestmark = pytest.mark.crash


@pytest.fixture(scope="module")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    with Nursery(tmp_path_factory.mktemp("nursery") / "stderr") as nursery:
        yield nursery


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_a_signal_saves_and_ends(nursery: Nursery, tmp_path: Path, name: str, code: int) -> None:
    assert nursery.run(tmp_path / "straight") == 0
    assert nursery.run(tmp_path / "run", kill_at=17, signal=name) == code
    found = newest(tmp_path / "run" / "checkpoints", print)
    assert found is not None
    assert found.state.step == 17
    assert f"stopped by {name}; step 17 is saved" in nursery.said()
    assert nursery.run(tmp_path / "run") == 0
    assert sums(tmp_path / "run") == sums(tmp_path / "straight")


def test_a_second_signal_ends_at_once(nursery: Nursery, tmp_path: Path) -> None:
    assert nursery.run(tmp_path / "straight") == 0
    assert nursery.run(tmp_path / "run", kill_at=23, signal="SIGTERM", times=2) == 143
    found = newest(tmp_path / "run" / "checkpoints", print)
    assert found is not None
    assert found.state.step == 20, "the second signal does not wait for the save"
    assert nursery.run(tmp_path / "run") == 0
    assert sums(tmp_path / "run") == sums(tmp_path / "straight")


def test_a_second_writer_is_refused_by_name_until_the_first_is_dead(nursery: Nursery, tmp_path: Path) -> None:
    pid = nursery.start(tmp_path / "run", save_steps=1)
    while not (tmp_path / "run" / "log.jsonl").exists():
        time.sleep(0.01)
    with pytest.raises(RunLockedError, match=rf"process {pid} on {os.uname().nodename}"), RunFolder(tmp_path / "run"):
        pass
    os.kill(pid, signal.SIGKILL)
    assert nursery.wait() == -9
    with RunFolder(tmp_path / "run"):
        pass


def test_a_full_disk_is_said_and_harms_nothing(nursery: Nursery, tmp_path: Path) -> None:
    assert nursery.run(tmp_path / "straight") == 0
    assert nursery.run(tmp_path / "run", kill_at=23) == -9
    assert nursery.run(tmp_path / "run", file_limit=20_000) == 1
    said = nursery.said().splitlines()[-1]
    assert said.startswith("StorageError: ")
    assert "bytes are needed" in said
    found = newest(tmp_path / "run" / "checkpoints", print)
    assert found is not None
    assert found.state.step == 20
    assert nursery.run(tmp_path / "run") == 0
    assert sums(tmp_path / "run") == sums(tmp_path / "straight")
