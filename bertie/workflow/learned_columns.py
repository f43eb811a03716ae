"""How a file is read for a model that learned from another one.

In:  a bundle, its task, how a person wants the file read
Out: options for the reader: the columns that training took, where the file has them
Knows nothing of what is done with the rows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from bertie.bundle.checksums import SEAL
from bertie.data.sources import ReadOptions
from bertie.tasks.base import Task
from bertie.tasks.classification import PAIR
from bertie.workflow.preparation import read_options
from bertie.workflow.request import Reading

DATA = "data.json"


def options_for(model: str | Path, task: Task, reading: Reading) -> ReadOptions:
    """What is named goes before what was learned from, and that before what the names of the columns say."""
    options = read_options(reading, task.kind)
    wanted = {PAIR: True, ("text",): False}.get(task.columns)
    columns = replace(options.columns, pair=wanted, learned=learned_columns(Path(model)), first=task.first_choice)
    return replace(options, columns=columns)


def learned_columns(folder: Path) -> Mapping[str, str]:
    """Canonical name to that in the file of the training rows; empty where a bundle does not say."""
    path = folder / DATA
    if not (folder / SEAL).is_file() or not path.is_file():  # an encoder's folder may hold any file of this name
        return {}
    parts = json.loads(path.read_text(encoding="utf-8"))  # the bundle has been verified
    named = next((part.get("columns") for part in parts if isinstance(part, dict)), None) if parts else None
    return named or {}
