"""Checkpoints: whole or passed over; tensors under several names; random numbers."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from bertie.core.errors import BertieError
from bertie.training.checkpoints import Checkpoint, newest, newest_path, save
from bertie.training.state import State, random_state, set_random_state
from bertie.training.tensors import load_tensors, save_tensors


def write(folder: Path, *steps: int) -> None:
    for step in steps:
        optimizer = {"state": {0: {"step": torch.tensor(1.0), "momentum_buffer": None}}, "param_groups": [{"lr": 0.1}]}
        save(folder, Checkpoint({"w": torch.full((3,), float(step))}, optimizer, State(step=step), [random_state()]))


def test_the_newest_two_are_kept_and_the_newest_is_read(tmp_path: Path) -> None:
    write(tmp_path, 5, 10, 15)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["step-00000010", "step-00000015"]
    found = newest(tmp_path, pytest.fail)
    assert found is not None
    assert found.state == State(step=15)
    assert found.model["w"].tolist() == [15.0] * 3
    assert found.optimizer["state"] == {0: {"step": torch.tensor(1.0), "momentum_buffer": None}}
    assert found.optimizer["param_groups"] == [{"lr": 0.1}]


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "state.json", "manifest.json"])
@pytest.mark.parametrize("damage", ["bit", "cut", "gone"])
def test_a_damaged_one_is_passed_over_and_named(tmp_path: Path, name: str, damage: str) -> None:
    write(tmp_path, 5, 10)
    path = tmp_path / "step-00000010" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(content if damage == "bit" else content[:-7])
    said: list[str] = []
    found = newest(tmp_path, said.append)
    assert found is not None
    assert found.state.step == 5
    assert "step-00000010" in said[0]
    assert "going back" in said[0]


def test_all_damaged_is_an_error_and_none_is_none(tmp_path: Path) -> None:
    assert newest(tmp_path, pytest.fail) is None
    assert newest_path(tmp_path) is None
    write(tmp_path, 5)
    (tmp_path / "step-00000005" / "model.safetensors").write_bytes(b"")
    with pytest.raises(BertieError, match="every checkpoint is damaged"):
        newest(tmp_path, lambda _: None)


def test_one_tensor_under_two_names_is_written_once(tmp_path: Path) -> None:
    shared = torch.arange(6.0).view(2, 3)
    tensors = {"table": shared, "tied": shared, "transposed": shared.t(), "empty": torch.empty(0)}
    save_tensors(tmp_path / "a", tensors, {"score": "0.5"})
    found, about = load_tensors(tmp_path / "a")
    assert about == {"score": "0.5"}
    assert set(load_file(tmp_path / "a")) == {"table", "transposed", "empty"}
    assert all(torch.equal(found[name], tensor) for name, tensor in tensors.items())


def test_the_same_content_is_the_same_bytes(tmp_path: Path) -> None:
    for n in range(5):
        save_tensors(tmp_path / str(n), {"w": torch.ones(2)}, {"score": "1", "step": "2", "more": "3"})
    assert len({(tmp_path / str(n)).read_bytes() for n in range(5)}) == 1


def test_random_numbers_go_on_where_they_were() -> None:
    before = random_state()
    first = (random.random(), np.random.rand(), torch.rand(1).item(), random.gauss(0, 1))
    set_random_state(before)
    assert (random.random(), np.random.rand(), torch.rand(1).item(), random.gauss(0, 1)) == first


def test_the_generator_of_mps_is_kept_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator()
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.mps, "get_rng_state", generator.get_state)
    monkeypatch.setattr(torch.mps, "set_rng_state", generator.set_state)
    before = random_state()
    first = torch.rand(1, generator=generator).item()
    set_random_state(before)
    assert torch.rand(1, generator=generator).item() == first
