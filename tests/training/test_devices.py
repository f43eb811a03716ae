"""Devices: the one that was named is the one that computes."""

from __future__ import annotations

import pytest
import torch

from bertie.training import devices
from bertie.training.devices import make_accelerator


@pytest.mark.parametrize(("name", "current"), [("cuda:1", [torch.device("cuda", 1)]), ("cuda", []), ("cpu", [])])
def test_a_gpu_that_is_named_by_its_number_becomes_the_current_one(
    name: str, current: list[torch.device], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[torch.device] = []
    monkeypatch.setattr(devices, "choose_device", torch.device)
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    make_accelerator(name, "float32")
    assert taken == current
