"""Checkpoints: a run can go on from one exactly as if it had never stopped.

In:  model, optimiser, state, random generators
Out: checkpoints/step-N with model.safetensors, optimizer.safetensors, state.json and a manifest of SHA-256; and with
     average.safetensors where weights are averaged
Knows nothing of the loop. No pickle.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from bertie.core.errors import BertieError
from bertie.core.files import new_folder, sha256, write_json
from bertie.training.state import State
from bertie.training.tensors import load_tensors, save_tensors, size

KEPT = 2
MANIFEST, AVERAGE = "manifest.json", "average.safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """What one folder holds."""

    model: dict[str, Tensor]
    optimizer: dict[str, Any]
    """As `torch.optim.Optimizer.state_dict` gives it."""
    state: State
    generators: list[dict[str, Any]]
    """State of the random generators where one process trained; empty where several did, which draw anew at each step
    (`state.seed_step`), so that any number of them can go on."""
    average: dict[str, Tensor] = field(default_factory=dict)
    """Of the weights, as `Averaging.state` gives it; empty where there is none."""


def save(folder: Path, checkpoint: Checkpoint) -> Path:
    """Writes folder/step-N at once or not at all, then removes all but the newest two."""
    tensors, plain = flatten(checkpoint.optimizer)
    path = folder / f"step-{checkpoint.state.step:08d}"
    needed = size(checkpoint.model) + size(tensors) + size(checkpoint.average) + 2**20
    with new_folder(path, needed) as temporary:
        save_tensors(temporary / "model.safetensors", checkpoint.model)
        save_tensors(temporary / "optimizer.safetensors", tensors)
        if checkpoint.average:
            save_tensors(temporary / AVERAGE, checkpoint.average)
        rest = {"state": asdict(checkpoint.state), "optimizer": plain, "generators": checkpoint.generators}
        write_json(temporary / "state.json", rest)
        write_json(temporary / MANIFEST, {file.name: sha256(file) for file in sorted(temporary.iterdir())})
    for old in _names(folder)[KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
    return path


def newest(folder: Path, warn: Callable[[str], None]) -> Checkpoint | None:
    """The newest whole checkpoint; `warn` is told of damaged ones that were passed over. None where there is none."""
    paths = _names(folder)
    for path in paths:
        problem = _problem(path)
        if problem is None:
            return _load(path)
        warn(f"{path}: {problem}; going back to the checkpoint before it")
    if paths:
        raise BertieError(f"{folder}: every checkpoint is damaged; start again without --resume but with --overwrite")
    return None


def newest_path(folder: Path) -> Path | None:
    """Where the newest checkpoint is, whole or not."""
    return next(iter(_names(folder)), None)


def flatten(optimizer: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """An optimiser's state as tensors named `parameter.key` and the rest as JSON."""
    tensors: dict[str, Tensor] = {}
    values: dict[str, Any] = {}
    for parameter, entries in optimizer["state"].items():
        for key, value in entries.items():
            if isinstance(value, Tensor):
                tensors[f"{parameter}.{key}"] = value
            else:
                values[f"{parameter}.{key}"] = value
    return tensors, {"values": values, "groups": optimizer["param_groups"]}


def unflatten(tensors: Mapping[str, Tensor], plain: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of `flatten`."""
    state: dict[int, dict[str, Any]] = {}
    for name, value in [*tensors.items(), *plain["values"].items()]:
        parameter, _, key = name.partition(".")
        state.setdefault(int(parameter), {})[key] = value
    return {"state": state, "param_groups": plain["groups"]}


def _names(folder: Path) -> list[Path]:
    """Checkpoints, newest first."""
    return sorted((path for path in folder.glob("step-*") if path.is_dir()), reverse=True)


def _problem(path: Path) -> str | None:
    """What is wrong with a checkpoint. SHA-256 also finds the flipped bit that every reader would accept."""
    try:
        sums = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        changed = [name for name, expected in sums.items() if sha256(path / name) != expected]
    except (OSError, ValueError, AttributeError) as error:
        return f"its manifest or a file cannot be read ({error})"
    if not {"model.safetensors", "optimizer.safetensors", "state.json"} <= set(sums):
        return "its manifest is not complete"
    return f"{', '.join(changed)} changed since it was written" if changed else None


def _load(path: Path) -> Checkpoint:
    model, _ = load_tensors(path / "model.safetensors")
    tensors, _ = load_tensors(path / "optimizer.safetensors")
    rest = json.loads((path / "state.json").read_text(encoding="utf-8"))
    average = load_tensors(path / AVERAGE)[0] if (path / AVERAGE).exists() else {}
    return Checkpoint(model, unflatten(tensors, rest["optimizer"]), State(**rest["state"]), rest["generators"], average)
