"""What a person asks of a search.

In:  plain values from the command line or from Python
Out: a typed, checked request; the training request of which every trial is a variation
Knows nothing of how the search goes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from bertie.core.errors import UsageError
from bertie.data.given_rows import GivenRows
from bertie.workflow.request import Reading, RunRequest, TrainRequest, folder_name

USUAL_BUDGET = 30 * 60.0
"""Seconds that a search takes when nothing is said."""
_BYTES = {"k": 2**10, "m": 2**20, "g": 2**30}
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


@dataclass(frozen=True, kw_only=True)
class SearchRequest(RunRequest):
    """A search as a person asks for it; recipe and overrides make the default recipe, which the trials vary."""

    data: str | GivenRows
    """File, folder with train/dev/test, or hub:name; in Python also rows or a data frame."""
    dev: str | GivenRows | None = None
    """Rows to choose by; otherwise split off."""
    test: str | GivenRows | None = None
    """Rows to judge the chosen model by, once; otherwise split off where `data` is one file and `dev` is not given,
    else the dev rows, whose score is too good: they chose the model."""
    task: str | None = None
    """Name of the task; otherwise the columns tell."""
    model: str | None = None
    """The only model to start from; otherwise all at hand that know the language."""
    storage: str | None = None
    """Where the trials are written down: sqlite:///FILE or postgresql://USER@HOST/DATABASE; otherwise a file in `out`.
    Whoever names the same one joins the search."""
    max_memory: str | None = None
    """Most memory that this process may take in a trial, such as 4G or 800M; a trial beyond it is stopped."""
    max_latency: str | None = None
    """Longest time in which the model may answer one row, such as 20ms."""
    trials: int | None = None
    """Most trials, the floors included; otherwise as many as fit into the budget."""
    reading: Reading = field(default_factory=Reading)
    """How the files are read."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.trials is not None and self.trials < 1:
            raise UsageError(f"--trials {self.trials}: expected at least 1")
        _ = self.memory_bytes, self.latency_seconds

    @property
    def name(self) -> str:
        return f"search-{folder_name(str(self.data), 'model')}"

    @property
    def budget_seconds(self) -> float:
        """For the whole search, over all its sessions."""
        return self.seconds_or(USUAL_BUDGET)

    @property
    def memory_bytes(self) -> float | None:
        """`max_memory` as a number."""
        return None if self.max_memory is None else _read("max-memory", self.max_memory, _BYTES, "4G or 800M")

    @property
    def latency_seconds(self) -> float | None:
        """`max_latency` as a number."""
        return None if self.max_latency is None else _read("max-latency", self.max_latency, _SECONDS, "20ms or 0.1s")

    def training(self, model: str | None = None) -> TrainRequest:
        """The training with the default recipe in the same budget: what the search has to better."""
        return TrainRequest(
            data=self.data,
            dev=self.dev,
            test=self.test,
            task=self.task,
            model=model or self.model,
            recipe=self.recipe,
            overrides=self.overrides,
            out=self.folder,
            budget=self.budget_seconds,
            resume=self.resume,
            overwrite=self.overwrite,
            seed=self.seed,
            reading=self.reading,
        )


def _read(option: str, text: str, units: dict[str, float] | dict[str, int], example: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]+?)(?:i?b)?", text.strip().lower())
    if not match or match[2] not in units or float(match[1]) == 0:
        raise UsageError(f"--{option} {text!r}: expected a number with a unit, such as {example}")
    return float(match[1]) * units[match[2]]
