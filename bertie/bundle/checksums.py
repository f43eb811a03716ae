"""The seal of a bundle: the SHA-256 of every file in it.

In:  a folder
Out: checksums.json written, or a BundleError that names every file that is changed, missing or strange
Knows nothing of what the files mean.
"""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath

from bertie.core.errors import BundleError, UsageError
from bertie.core.files import sha256, write_text

SEAL = "checksums.json"
RUN_FOLDER = "run"
"""What training leaves beside the bundle (logs, checkpoints); not part of the model, so not sealed."""


def seal(folder: Path) -> None:
    """Writes checksums.json over every file of the bundle; the last thing that saving does."""
    sums = {name: sha256(folder / name) for name in files(folder)}
    write_text(folder / SEAL, json.dumps(sums, indent=1, sort_keys=True) + "\n")


def verify(folder: Path) -> None:
    """BundleError unless every sealed file is there and unchanged, and nothing else lies beside them."""
    if not (folder / SEAL).is_file():
        found = ", ".join(sorted(path.name for path in folder.glob("*"))[:8]) or "nothing"
        raise BundleError(
            f"{folder}: found {found}, expected a bundle with {SEAL}; train one, or give the right folder"
        )
    sums = sealed(folder)
    present = set(files(folder))
    problems = [f"{name} is missing" for name in sorted(set(sums) - present)]
    problems += [f"{name} was added" for name in sorted(present - set(sums))]
    problems += [f"{name} was changed" for name in sorted(present & set(sums)) if sha256(folder / name) != sums[name]]
    if problems:
        raise BundleError(f"{folder}: {'; '.join(problems)} since the bundle was saved; copy or train it again")


def sealed(folder: Path, name: str = SEAL) -> dict[str, str]:
    """What checksums.json says: file name to SHA-256; empty where there is none. `name` is where it lies."""
    path = folder / name
    if not path.is_file():
        return {}
    try:
        sums = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BundleError(f"{path}: cannot be read: {error}; copy the bundle again") from error
    inside = isinstance(sums, dict) and all(not PurePosixPath(name).is_absolute() and ".." not in name for name in sums)
    if not inside:
        raise BundleError(f"{path}: expected names of files in this folder with their SHA-256; copy the bundle again")
    return {str(name): str(value) for name, value in sums.items()}


def stay_outside(path: Path) -> None:
    """UsageError where `path` lies inside a bundle, but not in its run folder: a file that is added breaks the seal."""
    around = path.resolve().parents
    for folder in around:
        if (folder / SEAL).is_file() and folder / RUN_FOLDER not in around:
            raise UsageError(f"{path}: lies inside the bundle {folder}, which must stay as it is; choose another place")


def files(folder: Path) -> list[str]:
    """Names of the bundle's files relative to it, sorted, without the seal and the run folder."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(path.as_posix() for path in paths if path.as_posix() != SEAL and path.parts[0] != RUN_FOLDER)
