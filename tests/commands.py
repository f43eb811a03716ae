"""Commands in processes of their own, as a person types them."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.house.source import ROOT

PATIENCE = 200
"""Seconds in which a command has loaded torch, also where others use the machine."""


def start(*arguments: str) -> subprocess.Popen[str]:
    """`bertie` with these arguments; what it prints and says can be read."""
    return subprocess.Popen(
        [sys.executable, "-m", "bertie", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
