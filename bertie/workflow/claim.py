"""Whether a request may use its folder, and whether a run that goes on is the one that began.

In:  a request, its run folder, what the run wrote down when it began
Out: nothing, or a UsageError that says what lies there or what has changed
Knows nothing of data or of models.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bertie.bundle import folder as bundle
from bertie.core.config import to_dict
from bertie.core.errors import UsageError
from bertie.tasks.base import Task
from bertie.training.decisions import plain, same_run
from bertie.training.run import RunFolder
from bertie.workflow.request import Recipe, RunRequest

NESTED = ("augmentation", "task", "training", "tuning")
"""Tables of a recipe, whose settings are named one by one."""


def claim_folder(request: RunRequest, run: RunFolder) -> None:
    """Before the run folder is entered: a new or empty folder, a run to go on with, or a bundle to replace."""
    goes_on = request.resume and run.begun()
    bundle.free(request.folder, overwrite=request.overwrite or goes_on)
    if request.resume and not goes_on:
        raise UsageError(
            f"{request.folder}: holds no run to go on with; name its folder with --out, or start without --resume"
        )


def claim_run(request: RunRequest, run: RunFolder) -> None:
    """Under the lock: work that was saved is lost only where somebody says so."""
    if run.saved() and not (request.resume or request.overwrite):
        raise UsageError(
            f"{request.folder}: holds a run without its bundle, stopped before it was done; go on with --resume, "
            "or lose it and start again with --overwrite"
        )


def terms(recipe: Recipe, model: str, task: Task) -> dict[str, Any]:
    """What must be the same in every session of a run, flat; the rows have their own check."""
    named = {name: value for name, value in to_dict(recipe).items() if name not in NESTED}
    learned = {name: value for name, value in task.description().items() if name != "settings"}
    options = {f"task.{name}": value for name, value in recipe.task.items()}
    options |= {f"tuning.{name}": value for name, value in recipe.tuning.items()}
    if recipe.augmentation.ways:
        listed = {**to_dict(recipe.augmentation), "ways": list(recipe.augmentation.ways)}
        options |= {f"augmentation.{name}": value for name, value in listed.items()}
    training = {f"training.{name}": value for name, value in plain(recipe.training).items()}
    return {"model": model, "task": task.name, **learned, **named, **options, **training}


def same_terms(run: RunFolder, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """UsageError that names what has changed since the run began. The time, trackers and the like may change."""
    if before:
        same = _is_same_model(before["model"], now["model"])
        same_run(run, before, {**now, "model": before["model"]} if same else now)


def _is_same_model(one: str, other: str) -> bool:
    """Whether two names mean one model: a folder has many names."""
    return one == other or (Path(one).is_dir() and Path(other).is_dir() and Path(one).samefile(other))
