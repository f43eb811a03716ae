"""Sources: what a person calls DATA to train, dev and test rows.

In:  a file, a folder with train/dev/test files, `hub:name`, or rows; perhaps separate dev and test rows; a seed
Out: Splits; what was chosen or split off stands in its notes
Knows nothing of formats, tasks and models.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from bertie.core.errors import DataError
from bertie.data import overlap
from bertie.data.cells import shape_labels
from bertie.data.columns import Columns
from bertie.data.given_rows import GivenRows
from bertie.data.kinds import LABELS
from bertie.data.label_spelling import advice
from bertie.data.readers import SUFFIXES, is_folder, read_rows
from bertie.data.rows import Rows
from bertie.data.split import as_numbers, stratified_split
from bertie.data.times import time_split

DEV_ROWS = 2000
"""A dev set that is split off has at most this many rows: enough to choose by, and it is scored often."""
TEST_ROWS = 10_000
"""A test set that is split off has at most this many: its interval is within a point, and it is answered several times
over, in the same time budget."""
SHARE = 0.1
"""Part of the rows that a dev or a test set gets when it is split off."""
HUB = "hub:"
"""Before the name of a data set of the hub."""
By = Literal["class", "group", "time"]
"""What rows are divided by: their label alone, the column beside them as the name of a group, or as a time."""
_FOUND = {"tagging": "entities", "intent_slots": "entities", "extraction": "relations"}
"""What is to be found in rows of a kind."""
_NAMES = {
    "train": ("train", "training", "训练", "训练集"),
    "dev": ("dev", "valid", "validation", "val", "develop", "development", "验证", "验证集", "开发集"),
    "test": ("test", "testing", "测试", "测试集"),
}


@dataclass(frozen=True)
class Splits:
    """Rows to learn from, to choose by and to judge by."""

    train: Rows
    dev: Rows
    test: Rows | None
    notes: list[str]
    """Everything that was chosen for the person."""
    seen: Mapping[str, int] = field(default_factory=dict)
    """Of "dev" and "test", where somebody gave them, how many rows an earlier part has too."""

    @property
    def told_seen(self) -> list[str]:
        """The same in words; a training judges by such rows."""
        before = {"dev": "train", "test": "train or dev"}
        sizes = {"dev": len(self.dev), "test": len(self.test or ())}
        return [
            f"{count:,} of {sizes[name]:,} {name} rows are also in {before[name]}: scores will be too good; take them "
            "out of one of the two, `bertie data check` of a folder with both names them"
            for name, count in self.seen.items()
            if count
        ]

    @property
    def judging(self) -> Rows:
        """What judges at the end: the test rows, or the dev rows where there are none."""
        return self.dev if self.test is None else self.test


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """How the files are read; see `read_rows`."""

    columns: Columns = field(default_factory=Columns)
    encoding: str | None = None
    skip_bad_rows: bool = False
    kind: str | None = None
    by: By = "class"
    """How rows are divided where parts are missing."""


Parts = dict[str, Rows]
"""Rows by "train", "dev", "test"."""


def load_splits(
    data: str | Path | GivenRows,
    dev: str | Path | GivenRows | None = None,
    test: str | Path | GivenRows | None = None,
    seed: int = 0,
    options: ReadOptions | None = None,
) -> Splits:
    """Train, dev and test rows, with labels of one kind. What is missing is split off, duplicates on one side.

    A single file gives 80/10/10, a large one less to dev and test; where a test set exists only dev is split off.
    DataError: nothing to train on, no rows left for dev, or only one class.
    """
    options = options or ReadOptions()
    parts = _parts_of(data, options)
    given = {name: path for name, path in (("dev", dev), ("test", test)) if path is not None}
    parts |= {name: read(path, _judging(options, parts["train"])) for name, path in given.items()}
    notes = [note for rows in parts.values() for note in rows.notes]
    _refuse_several_kinds(parts)
    shape_notes: list[str] = []
    if parts["train"].kind == LABELS:
        parts, shape_notes = _same_labels(parts)
        _refuse_one_class(parts["train"])
    seen = overlap.seen(parts) if len(parts) > 1 else {}  # what is split off shares no text with the rest
    parts, split_notes = _complete(parts, seed, options.by)
    notes += shape_notes + split_notes + _strangers(parts) + _nothing_to_find(parts)
    return Splits(parts["train"], parts["dev"], parts.get("test"), notes, seen)


def read(path: str | Path | GivenRows, options: ReadOptions) -> Rows:
    """One file, or rows in its place, read as the options say."""
    skip, kind = options.skip_bad_rows, options.kind
    return read_rows(path, options.columns, options.encoding, skip_bad_rows=skip, kind=kind)


def split_files(folder: Path, *, train_needed: bool = True) -> dict[str, Path]:
    """The files of a folder that are train, dev and test by their names. Where one is needed to learn from, a lone data
    file is the train file, and DataError says that there is none.
    """
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES and file.is_file())
    found: dict[str, list[Path]] = {"train": [], "dev": [], "test": []}
    for file in files:
        words = re.split(r"[-_. ]+", file.stem.casefold())
        for name, known in _NAMES.items():
            if any(word in known for word in words):
                found[name].append(file)
                break
    for name, several in found.items():
        if len(several) > 1:
            listed = ", ".join(file.name for file in several)
            raise DataError(f"{folder}: {len(several)} files could be {name} ({listed}), expected one; name it as DATA")
    if train_needed and not found["train"]:
        if len(files) == 1 and not found["test"]:
            return {"train": files[0]}
        raise DataError(
            f"{folder}: there is no train file; {_holds(folder)}; expected train.csv (or .tsv, .jsonl, .parquet)"
        )
    return {name: several[0] for name, several in found.items() if several}


def _parts_of(data: str | Path | GivenRows, options: ReadOptions) -> Parts:
    if isinstance(data, GivenRows):
        return {"train": read(data, options)}
    return hub_parts(str(data), options) if str(data).startswith(HUB) else _from_disk(Path(data), options)


def _from_disk(path: Path, options: ReadOptions) -> Parts:
    if not is_folder(path):
        return {"train": read(path, options)}
    try:
        files = split_files(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be listed ({error.strerror or error})") from error
    train = read(files.pop("train"), options)
    return {"train": train} | {name: read(file, _judging(options, train)) for name, file in files.items()}


def _judging(options: ReadOptions, train: Rows) -> ReadOptions:
    """Rows of which none has a relation look like those of tagging, but beside others that have some they are not."""
    kind = "extraction" if train.kind == "extraction" else options.kind
    return replace(options, columns=options.columns.to_judge(train.first), kind=kind)


def hub_parts(data: str, options: ReadOptions) -> Parts:
    """The parts of a data set of the hub; DataError where it cannot be loaded."""
    # `datasets` takes seconds to import, and most people train on a file; the hub is the one who pays for it.
    hub = importlib.import_module("bertie.data.hub_rows")
    parts: Parts = hub.load_parts(data, options.columns, options.skip_bad_rows, options.kind)
    return parts


def _holds(folder: Path) -> str:
    names = sorted(entry.name + ("/" if entry.is_dir() else "") for entry in folder.iterdir())
    if not names:
        return "it is empty"
    return f"it holds {', '.join(names[:10])}" + (f" and {len(names) - 10} more" if len(names) > 10 else "")


def _same_labels(parts: Parts) -> tuple[Parts, list[str]]:
    """If one file has several labels a row, a label of the others is a list too."""
    shaped = shape_labels([rows.column("label") for rows in parts.values()])
    made = {name: rows.with_column("label", labels) for (name, rows), labels in zip(parts.items(), shaped, strict=True)}
    notes = [
        f"{rows.source}: 0 of {len(rows)} rows have several labels, but other files do; every label is a list"
        for name, rows in parts.items()
        if isinstance(rows[0]["label"], str) and isinstance(made[name][0]["label"], list)
    ]
    return made, notes


def _refuse_several_kinds(parts: Parts) -> None:
    kinds = {rows.kind: rows for rows in parts.values()}
    if len(kinds) > 1:
        shown = ", ".join(f"{rows.source} has {kind}" for kind, rows in kinds.items())
        raise DataError(
            f"{shown}; expected files with the same columns; correct them, or say what they are with --task"
        )


def _labels(rows: Rows) -> set[str]:
    return {name for label in rows.column("label") for name in (label if isinstance(label, list) else [label])}


def _refuse_one_class(train: Rows) -> None:
    labels = sorted(_labels(train))
    if len(labels) < 2:
        what = f"only the label {labels[0]!r}" if labels else "no label at all"
        raise DataError(
            f"{train.where(0)}: {len(train)} rows with {what}, expected two or more; add rows of another class"
        )


def divide(rows: Rows, fractions: Sequence[float], seed: int, by: By) -> tuple[list[list[int]], str]:
    """Indices of the rows of each part, and how they were chosen; by time the first part has the oldest."""
    if by == "time":
        return time_split(rows, fractions), "by time, the latest rows judge, a text that came before is left out"
    groups = rows.beside if by == "group" else []
    how = "by class and group" if by == "group" else "by class"
    return stratified_split(rows, fractions, seed, groups), f"{how}, duplicates on one side, seed {seed}"


def _complete(parts: Parts, seed: int, by: By) -> tuple[Parts, list[str]]:
    """Splits off what is missing: dev always, test where neither was given."""
    if "dev" in parts:
        return parts, [] if "test" in parts else [
            "no test set: the result is judged on dev, which also chose the model"
        ]
    whole = parts["train"]
    dev, test = min(SHARE, DEV_ROWS / len(whole)), min(SHARE, TEST_ROWS / len(whole))
    fractions = [1 - dev, dev] if "test" in parts else [1 - dev - test, dev, test]
    names = ["train", "dev"] if "test" in parts else ["train", "dev", "test"]
    indices, how = divide(whole, fractions, seed, by)
    made = {name: whole.take(part) for name, part in zip(names, indices, strict=True) if part}
    if "dev" not in made:
        advice = "add rows, or name a file with --dev"
        raise DataError(f"{whole.where(0)}: {len(whole)} rows are too few to split a dev set off; {advice}")
    sizes = ", ".join(f"{len(rows)} {name}" for name, rows in made.items())
    return parts | made, [f"{whole.source}: split into {sizes} ({how}); --dev and --test name files"]


def _strangers(parts: Parts) -> list[str]:
    """Notes on labels that are judged but never learned."""
    train = parts["train"]
    if train.kind != LABELS or as_numbers(train.column("label")) is not None:
        return []  # a regression: a new number is no stranger
    known = _labels(parts["train"])
    strange = {name: sorted(_labels(rows) - known) for name, rows in parts.items() if name != "train"}
    return [
        f"{parts[name].source}: labels never seen in training: {', '.join(labels[:5])}"
        + (f" and {len(labels) - 5} more" if len(labels) > 5 else "")
        + advice(labels, known)
        for name, labels in strange.items()
        if labels
    ]


def _nothing_to_find(parts: Parts) -> list[str]:
    """Notes on rows to judge by that have nothing to find: the best that a model can do there is to find nothing."""
    column = _FOUND.get(parts["train"].kind)
    return [
        f"{rows.source}: none of the {len(rows)} {name} rows has {column}, so that a model is right there which finds "
        "none; add rows that have some"
        for name, rows in parts.items()
        if column and name != "train" and not any(row[column] for row in rows)
    ]
