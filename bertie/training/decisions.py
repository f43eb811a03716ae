"""What is decided once for a whole run: number format, threads, and which run it is.

In:  settings, training examples, a run folder
Out: the decisions of the run's first session, also in every later one; UsageError where it would be another run
Knows nothing of models.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from bertie.core import processes
from bertie.core.config import to_dict
from bertie.core.errors import UsageError
from bertie.core.runtime import choose_device, choose_dtype
from bertie.data.batches import Example, Examples, Rounds
from bertie.training.run import RunFolder
from bertie.training.settings import Training

FREE = ("seconds", "save_seconds", "save_steps", "trackers", "progress", "device", "dtype", "activation_checkpointing")
"""Settings that may change between two sessions of a run without making it another one."""


@dataclass(frozen=True)
class Decisions:
    """The same for every session of a run."""

    dtype: str
    reason: str
    """Why this number format."""
    threads: int
    """Another number of threads adds up in another order, and so gives other last digits."""
    corners: tuple[tuple[int, float], ...] | None
    """The plan of the learning rate, where a time budget has changed it."""
    seconds: float | None = None
    """The limit for which that plan was made."""
    at_once: tuple[tuple[int, int], ...] = ()
    """Where memory ran out: a step, and the most tokens that go through the model at once from there on."""


def decide(examples: Examples, settings: Training, run: RunFolder) -> Decisions:
    """The run's decisions, made now where this is its first session."""
    if isinstance(examples, Rounds):
        run_of = {"fingerprint": examples.fingerprint, **plain(settings)}
    else:
        run_of = {"rows": len(examples), "fingerprint": fingerprint(examples), **plain(settings)}
    found = run.read("decisions")
    if found is None:
        dtype, reason = choose_dtype(choose_device(settings.device), settings.dtype)
        chosen = {"dtype": str(dtype).removeprefix("torch."), "reason": reason, "threads": torch.get_num_threads()}
        found = {**chosen, "processes": processes.count(), "run": run_of}
        run.write("decisions", found)
    same_run(run, found["run"], run_of)
    # Decided for another number of processes on the same cores, the number of threads says nothing.
    threads = found["threads"] if found.get("processes", 1) == processes.count() else torch.get_num_threads()
    corners = tuple((int(step), float(part)) for step, part in found["plan"]) if "plan" in found else None
    at_once = tuple((int(step), int(tokens)) for step, tokens in found.get("at_once", ()))
    return Decisions(found["dtype"], found["reason"], threads, corners, found.get("seconds"), at_once)


def same_run(run: RunFolder, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """UsageError that names the first thing in which a resumed run would be another one."""
    for name in [*now, *(name for name in before if name not in now)]:
        if before.get(name) != now.get(name):
            raise UsageError(
                f"{run.path}: holds a run whose {name} was {before.get(name)!r}, now it is {now.get(name)!r}; "
                "go on with what it was, choose another --out, or start again without --resume but with --overwrite"
            )


def plain(settings: Training) -> dict[str, Any]:
    """Settings that make the run what it is, flat: `{"epochs": 3, "optimizer.rate": 5e-05}`."""
    flat: dict[str, Any] = {}
    for name, value in to_dict(settings).items():
        inner = {f"{name}.{key}": one for key, one in value.items()} if isinstance(value, dict) else {name: value}
        flat |= {key: list(one) if isinstance(one, tuple) else one for key, one in inner.items() if key not in FREE}
    return flat


def fingerprint(examples: Sequence[Example]) -> str:
    """SHA-256 of the token ids and targets in their order."""
    digest = hashlib.sha256()
    for example in examples:
        for sequence in example.sequences:
            digest.update(repr(sequence.ids).encode())
        digest.update(repr(example.target).encode())
    return digest.hexdigest()
