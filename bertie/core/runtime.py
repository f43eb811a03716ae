"""The machine: seeds, threads, the device, the number format. The one file of `core` that knows torch.

In:  names a user may give ("auto", "cpu", "float32"), a seed
Out: torch devices and dtypes, each choice with its reason
Knows nothing of models or data.
"""

from __future__ import annotations

import os
import random
import resource
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch

from bertie.core.errors import UsageError

# torch only asks for these two; both make a bf16 matmul a real instruction.
CPU_FLAGS = {"avx512_bf16", "amx_bf16", "bf16", "sve_bf16"}
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
GAIN = 1.2
"""How much faster than float32 the matmul must be before bfloat16's lost digits are worth it."""


def seed_everything(seed: int) -> None:
    """Seeds Python, NumPy and torch, on all devices."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def set_threads(threads: int | None) -> int:
    """Lets torch use `threads` threads (None: every core this process may use). Returns how many."""
    wanted = threads or len(os.sched_getaffinity(0))
    if torch.get_num_threads() != wanted:
        torch.set_num_threads(wanted)
    return wanted


def choose_device(name: str = "auto") -> torch.device:
    """The named device, or with "auto" the best there is: cuda, mps, cpu. UsageError where it does not exist."""
    available = ["cpu"]
    if torch.backends.mps.is_available():
        available.insert(0, "mps")
    if torch.cuda.is_available():
        available.insert(0, "cuda")
    if name == "auto":
        return torch.device(available[0])
    if not _is_one_of(available, name):
        raise UsageError(
            f"device {name!r} does not exist on this machine; choose auto or one of {', '.join(available)}"
        )
    return torch.device(name)


def _is_one_of(available: Sequence[str], name: str) -> bool:
    """Whether this is the name of a device, and the machine has as many of its kind."""
    try:
        device = torch.device(name)
    except RuntimeError:
        return False
    count = torch.cuda.device_count() if device.type == "cuda" else 1
    return device.type in available and (device.index or 0) < count


def choose_dtype(device: torch.device, name: str = "auto") -> tuple[torch.dtype, str]:
    """The number format to compute in, and why. bfloat16 only where it was seen to be faster.

    Asking for bfloat16 on a CPU without the instructions runs at an eighth of the speed, or worse: so the flag is read
    and one matmul is timed. A name other than "auto" is taken as it is.
    """
    if name != "auto":
        if name not in DTYPES:
            raise UsageError(f"dtype {name!r} is not one of auto, {', '.join(DTYPES)}")
        return DTYPES[name], "asked for"
    if device.type == "cuda":
        able = torch.cuda.is_bf16_supported(including_emulation=False)
        return (torch.bfloat16, "the GPU computes in it") if able else (torch.float32, "the GPU has no bfloat16")
    if device.type != "cpu" or not cpu_flags() & CPU_FLAGS:
        return torch.float32, f"the {device.type} has no bfloat16 instructions that we know of"
    gain = bfloat16_gain()
    if gain < GAIN:
        return torch.float32, f"the CPU knows bfloat16, but a matmul is only {gain:.1f} times as fast"
    return torch.bfloat16, f"a matmul in bfloat16 is {gain:.1f} times as fast"


@cache
def bfloat16_gain() -> float:
    """How many times as fast a matmul is in bfloat16; timed once, so that a process computes all in one format."""
    return matmul_seconds(torch.float32) / matmul_seconds(torch.bfloat16)


def cpu_flags() -> set[str]:
    """What /proc/cpuinfo says the first core can do; empty on systems without it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return set()
    return next(
        (set(line.split(":", 1)[1].split()) for line in lines if line.lower().startswith(("flags", "features"))), set()
    )


def free_memory(device: torch.device) -> int | None:
    """Bytes that a process may still ask for on this device; None where the system does not tell.

    On a CPU the smallest of what the machine has, what the container allows and what the process is limited to.
    """
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if device.type != "cpu":
        return None
    status = _kilobytes(Path("/proc/self/status"))
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    found = [_kilobytes(Path("/proc/meminfo")).get("MemAvailable"), _container_left()]
    if limit != resource.RLIM_INFINITY and "VmSize" in status:
        found.append(max(0, limit - status["VmSize"]))
    return min((one for one in found if one is not None), default=None)


def _kilobytes(path: Path) -> dict[str, int]:
    """Lines such as `VmSize: 123 kB` in bytes; empty on systems without the file."""
    try:
        lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    except OSError:
        return {}
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in lines if words[2:] == ["kB"]}


def _container_left(folder: Path = Path("/sys/fs/cgroup")) -> int | None:
    """What a container (cgroup, version 2) may still use; the files it has cached count as free."""
    try:
        most, used = ((folder / f"memory.{name}").read_text(encoding="utf-8").strip() for name in ("max", "current"))
        lines = (folder / "memory.stat").read_text(encoding="utf-8").splitlines()
        cached = next((int(line.split()[1]) for line in lines if line.startswith("inactive_file ")), 0)
        return None if most == "max" else max(0, int(most) - int(used) + cached)
    except (OSError, ValueError):
        return None


def autocast(device: torch.device, dtype: torch.dtype) -> torch.autocast:
    """Computes in `dtype` what may be rounded, while it is entered; float32: nothing changes."""
    return torch.autocast(device.type, dtype, enabled=dtype is not torch.float32)


def matmul_seconds(dtype: torch.dtype, tries: int = 5) -> float:
    """The best time of a product of the sizes of a small encoder's feed-forward part: 1,024 tokens, 384 to 1,536."""
    states = torch.ones(1024, 384, dtype=dtype)
    weight = torch.ones(1536, 384, dtype=dtype)
    best = float("inf")
    for _ in range(tries):
        start = time.perf_counter()
        torch.nn.functional.linear(states, weight)
        best = min(best, time.perf_counter() - start)
    return best
