"""What the two programs share that `train_speed.py` runs in turn: the same arguments in, the same JSON object out.

In:  a folder with train.jsonl, dev.jsonl and test.jsonl, and how to train, on the command line
Out: one line of JSON on stdout; peak memory of this process; a fingerprint of the token ids
Knows nothing of Bertie and of transformers, and imports neither: memory is measured, so each loads only its own.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

STATUS = Path("/proc/self/status")


def parse(about: str | None) -> argparse.Namespace:
    """The arguments that both programs take."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="holds train.jsonl, dev.jsonl, test.jsonl with text and label")
    parser.add_argument("--model", type=Path, required=True, help="folder in the Hugging Face format")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--max-length", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    return parser.parse_args()


def report(found: dict[str, Any]) -> None:
    """The result as the last line of stdout; libraries may have written before it."""
    print(json.dumps({**found, "peak_mb": round(peak_megabytes(), 1)}), flush=True)


def peak_megabytes() -> float:
    """Most memory that this process has held.

    On Linux from VmHWM: `getrusage` counts the parent's memory in as well where the process was made by vfork, as
    Python's subprocess does.
    """
    if STATUS.exists():
        lines = STATUS.read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def resident_megabytes() -> float:
    """Memory that this process holds now; Linux only."""
    lines = STATUS.read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def forget_peak() -> None:
    """Lets `peak_megabytes` count from now on; Linux only, where the process may."""
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")


def fingerprint(rows: Iterable[list[int]]) -> str:
    """Equal for two tokenizers that gave the same ids."""
    digest = hashlib.sha256()
    for ids in rows:
        digest.update(repr(list(ids)).encode())
    return digest.hexdigest()[:16]
