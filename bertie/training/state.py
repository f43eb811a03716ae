"""Where a run stands, and the random numbers it stands at.

In:  nothing, or what an earlier session wrote
Out: `State` and the states of the random generators, both as plain JSON and back
Knows nothing of models or files.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from bertie.core.runtime import seed_everything


@dataclass(frozen=True)
class Evaluation:
    """What a judgement in between found."""

    score: float
    """By which the best model is kept; larger is better."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Others, for the log."""
    error: float = 0.0
    """Standard error of the score; 0 where it is not known."""


@dataclass
class State:
    """Everything of a run that is neither a tensor nor a setting."""

    step: int = 0
    """Steps done, skipped ones included."""
    epoch: int = 0
    """Epoch that is running, from 0."""
    position: int = 0
    """Steps done of this epoch."""
    rows: int = 0
    """Rows seen, again and again."""
    tokens: int = 0
    """Tokens of these rows, without what pads a batch."""
    judged: int = -1
    """Step of the last evaluation."""
    best_score: float | None = None
    best_step: int = 0
    waited: int = 0
    """Evaluations since the best one."""
    skipped: int = 0
    """Steps left out because loss or gradient were not finite."""
    skipped_in_a_row: int = 0
    seconds: float = 0.0
    """Time used by all sessions, evaluations included."""
    stepping: float = 0.0
    """Of that, the time of the steps."""
    log_size: int = 0
    """Bytes of the log that belong to the steps done."""

    def advance(self, steps_in_epoch: int, rows: int) -> None:
        """One step further; after the last of an epoch to the start of the next."""
        self.step += 1
        self.position += 1
        self.rows += rows
        if self.position == steps_in_epoch:
            self.epoch, self.position = self.epoch + 1, 0

    def judge(self, score: float, allowed: float = 0.0) -> bool:
        """Notes a score; True where it is the best so far, or less than `allowed` behind the best of a step before.

        The start is no step: a training has to better it.
        """
        allowed = allowed if self.best_step else 0.0
        better = self.best_score is None or score > self.best_score - allowed
        self.judged = self.step
        self.waited = 0 if better else self.waited + 1
        if better:
            self.best_score, self.best_step = score, self.step
        return better


def seed_step(seed: int, step: int, process: int) -> None:
    """Seeds all generators for one process's part of one step: nothing of them need be kept for a resume."""
    drawn = np.random.SeedSequence((seed, step, process)).generate_state(1, np.uint64)
    seed_everything(int(drawn[0]))


def random_state() -> dict[str, Any]:
    """The generators of Python, NumPy and torch (all devices) as JSON."""
    version, numbers, gauss = random.getstate()
    kind, keys, place, has_gauss, cached = np.random.get_state(legacy=True)
    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {
        "python": [version, list(numbers), gauss],
        "numpy": [str(kind), np.asarray(keys).tolist(), int(place), int(has_gauss), float(cached)],
        "torch": _hex(torch.get_rng_state()),
        "cuda": [_hex(one) for one in devices],
        "mps": _hex(torch.mps.get_rng_state()) if torch.backends.mps.is_available() else "",
    }


def set_random_state(state: Mapping[str, Any]) -> None:
    """The inverse of `random_state`."""
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    kind, keys, place, has_gauss, cached = state["numpy"]
    np.random.set_state((kind, np.array(keys, dtype=np.uint32), place, has_gauss, cached))
    torch.set_rng_state(_unhex(state["torch"]))
    if torch.cuda.is_available() and state["cuda"]:
        torch.cuda.set_rng_state_all([_unhex(one) for one in state["cuda"]])
    if torch.backends.mps.is_available() and state.get("mps"):
        torch.mps.set_rng_state(_unhex(state["mps"]))


def _hex(state: torch.Tensor) -> str:
    return bytes(state.tolist()).hex()


def _unhex(text: str) -> torch.Tensor:
    return torch.frombuffer(bytearray.fromhex(text), dtype=torch.uint8)
