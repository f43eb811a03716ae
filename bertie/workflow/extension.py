"""Extensions: a Python file of somebody's own, with tasks, floors, objectives, tuning methods or the like in it.

In:  the path of a file
Out: its classes are found by their names, for as long as the process lives
Knows nothing of what they do. Only the file that a person names is run: a bundle names its task, never a file.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from bertie.bundle.folder import METHODS, TASKS
from bertie.core.errors import UsageError
from bertie.data.augmentation import WAYS
from bertie.evaluation.floor_files import FLOORS
from bertie.objectives.pretraining import OBJECTIVES
from bertie.training.regularizing import AVERAGES, REGULARIZERS


def extend(path: str | Path) -> list[str]:
    """Runs the file and adds every class with a `name` that is a task, a floor, an objective, a way of augmentation, or
    a method of tuning or against over-fitting.

    Twice changes nothing.

    Returns:
        The names that were found.

    Raises:
        UsageError: there is no such file, it holds none of them, or a name is taken.
    """
    file = Path(path).resolve()
    if file.suffix != ".py" or not file.is_file():
        raise UsageError(f"{path}: is no Python file, expected one with a class of a task or of a floor")
    name = f"bertie extension {file}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None and spec.loader is not None, "the ending was looked at above"
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # dataclasses look here for the module that they are made in
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    registries = (TASKS, FLOORS, OBJECTIVES, METHODS, WAYS, REGULARIZERS, AVERAGES)
    found = [one for registry in registries for one in registry.extend(sys.modules[name])]
    if not found:
        raise UsageError(
            f"{path}: holds no task and no floor; give a subclass of Task or Floor a `name`, or of Objective, Method, "
            "Way, Regularizer or Average"
        )
    return found
