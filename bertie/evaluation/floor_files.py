"""The floors as files in a bundle, so that they can be measured on other rows later.

In:  fitted floors, a folder
Out: floors.json and floors.safetensors, and the floors again; no pickle
Knows nothing of what a bundle is.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

import bertie.evaluation.floors
from bertie.core.registry import Registry
from bertie.evaluation.floors.base import Floor, State

DOCUMENT, WEIGHTS = "floors.json", "floors.safetensors"
FLOORS: Registry[Floor] = Registry(bertie.evaluation.floors, Floor, "floor")  # type: ignore[type-abstract]


def save_floors(folder: Path, floors: Sequence[Floor]) -> None:
    """Writes those that are small enough to keep."""
    states = {floor.name: state for floor in floors if (state := floor.state()) is not None}
    documents = {name: state.document for name, state in states.items()}
    weights = {f"{name}.{key}": value for name, state in states.items() for key, value in state.weights.items()}
    (folder / DOCUMENT).write_text(json.dumps(documents, ensure_ascii=False), encoding="utf-8")
    save_file({name: np.ascontiguousarray(value) for name, value in weights.items()}, folder / WEIGHTS)


def load_floors(folder: Path) -> list[Floor]:
    """The floors that lie in a bundle."""
    if not (folder / DOCUMENT).is_file():
        return []
    documents = json.loads((folder / DOCUMENT).read_text(encoding="utf-8"))
    weights = load_file(folder / WEIGHTS)
    return [FLOORS.get(name).from_state(State(document, _own(weights, name))) for name, document in documents.items()]


def _own(weights: dict[str, Any], name: str) -> dict[str, Any]:
    return {key.removeprefix(f"{name}."): value for key, value in weights.items() if key.startswith(f"{name}.")}
