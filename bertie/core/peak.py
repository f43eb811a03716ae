"""The most memory that this process has held since a moment.

In:  nothing
Out: bytes
Knows nothing of what holds them. Where the system cannot forget an earlier peak (not Linux), it is that of the process.
"""

from __future__ import annotations

import contextlib
import resource
import sys
from pathlib import Path

_FORGET = "5"
"""What proc(5) wants in `clear_refs` to begin anew with VmHWM."""


def forget_peak() -> None:
    """From now on."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text(_FORGET, encoding="ascii")


def peak_memory() -> int:
    """Bytes."""
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
