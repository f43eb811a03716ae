"""Seeds, devices, number formats, signals."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from bertie.core import runtime
from bertie.core.errors import UsageError
from bertie.core.runtime import choose_device, choose_dtype, seed_everything, set_threads
from bertie.core.signals import StopSignal

CPU = torch.device("cpu")


def test_a_seed_seeds_all_three() -> None:
    draws = []
    for _ in range(2):
        seed_everything(7)
        draws.append((random.random(), np.random.rand(), torch.rand(1).item()))
    assert draws[0] == draws[1]


def test_free_memory_is_the_smallest_of_what_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = runtime.free_memory(CPU)
    assert free is not None and free > 2**20
    assert runtime.free_memory(torch.device("meta")) is None
    for name, text in {"max": "1000000\n", "current": "700000\n", "stat": "anon 5\ninactive_file 50000\n"}.items():
        (tmp_path / f"memory.{name}").write_text(text)
    assert runtime._container_left(tmp_path) == 350_000
    (tmp_path / "memory.max").write_text("max\n")
    assert runtime._container_left(tmp_path) is None and runtime._container_left(tmp_path / "none") is None
    monkeypatch.setattr(runtime, "_container_left", lambda: 12345)
    assert runtime.free_memory(CPU) == 12345


def test_devices() -> None:
    assert choose_device("cpu") == CPU
    for name in ("tpu", "cpu:x", "cpu:7", "cuda:", ""):
        with pytest.raises(UsageError, match=f"device '{name}' does not exist on this machine; choose auto or one of"):
            choose_device(name)


def test_a_gpu_has_one_of_the_numbers_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("cuda").type == "cuda" and choose_device("cuda:1").index == 1
    with pytest.raises(UsageError, match="device 'cuda:2' does not exist on this machine"):
        choose_device("cuda:2")


def test_bfloat16_needs_the_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "cpu_flags", lambda: {"avx2"})
    monkeypatch.setattr(runtime, "matmul_seconds", lambda _: pytest.fail("nothing to time"))
    dtype, reason = choose_dtype(CPU)
    assert dtype is torch.float32
    assert "no bfloat16 instructions" in reason


@pytest.mark.parametrize(("seconds", "expected"), [(0.5, torch.bfloat16), (0.95, torch.float32), (8.0, torch.float32)])
def test_bfloat16_must_also_be_faster(monkeypatch: pytest.MonkeyPatch, seconds: float, expected: torch.dtype) -> None:
    monkeypatch.setattr(runtime, "cpu_flags", lambda: {"amx_bf16"})
    timed = iter([1.0, seconds])
    monkeypatch.setattr(runtime, "matmul_seconds", lambda dtype: next(timed))
    runtime.bfloat16_gain.cache_clear()
    try:
        assert choose_dtype(CPU)[0] is expected
        assert choose_dtype(CPU)[0] is expected, "timed once: a busy moment does not give a run two formats"
    finally:
        runtime.bfloat16_gain.cache_clear()


def test_what_is_asked_for_is_taken() -> None:
    assert choose_dtype(CPU, "bfloat16") == (torch.bfloat16, "asked for")
    with pytest.raises(UsageError, match="dtype 'int8' is not one of"):
        choose_dtype(CPU, "int8")


def test_a_matmul_is_timed_and_flags_are_read() -> None:
    assert runtime.matmul_seconds(torch.float32, tries=1) > 0
    assert isinstance(runtime.cpu_flags(), set)


def test_threads() -> None:
    before = torch.get_num_threads()
    assert set_threads(1) == torch.get_num_threads() == 1
    assert set_threads(None) == len(os.sched_getaffinity(0))
    set_threads(before)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_first_signal_only_asks(number: signal.Signals, code: int) -> None:
    before = signal.getsignal(number)
    with StopSignal() as stop:
        assert stop.number is None
        os.kill(os.getpid(), number)
        error = stop.error("saved")
    assert error.exit_code == code
    assert str(error) == f"stopped by {number.name}; saved"
    assert signal.getsignal(number) is before
