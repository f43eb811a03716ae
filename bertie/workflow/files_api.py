"""The Python API for files: data that is looked at, converted and augmented; a bundle in another format.

In:  arguments named as the options of `bertie data check`, `data convert`, `data augment` and `export`
Out: what these commands find or write
Knows nothing of how the work is done.
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from bertie.core.config import from_dict
from bertie.core.errors import UsageError
from bertie.core.stderr import tell
from bertie.data.augmentation import Augmentation
from bertie.data.given_rows import Data, GivenRows, as_data
from bertie.data.health import Health
from bertie.data.rows import Row
from bertie.text.augmentation.base import Translate
from bertie.workflow.augmentation import more_rows, run_augmentation
from bertie.workflow.check import run_check
from bertie.workflow.convert import run_conversion
from bertie.workflow.export import run_export
from bertie.workflow.options import check_options
from bertie.workflow.preparation import kind_for, read_options
from bertie.workflow.request import Reading, Say


def check_data(
    data: Data, *, dev: Data | None = None, test: Data | None = None, task: str | None = None, **options: Any
) -> Health:
    """Looks at labelled rows before anybody trains on them; no model is needed, and nothing is written.

    Args:
        data: a file, a folder with train/dev/test files, or `hub:name`; or rows themselves, as `bertie.train` takes
            them.
        dev: rows that a model will be chosen by, likewise; otherwise split off.
        test: rows that it will be judged by; otherwise split off, where `dev` is not given either.
        task: the task that the rows are for; otherwise the columns tell.
        options: the fields of `Reading`: text_column, label_column, encoding, skip_bad_rows, ...

    Returns:
        A Health: `warnings`, the findings, `readable()` as `bertie data check` prints it, `to_dict()` as with `--json`.

    Raises:
        BertieError: with what was found, where, what was expected and what to do.
    """
    check_options("check_data", options, Reading)
    judging = {name: as_data(value, name) for name, value in (("dev", dev), ("test", test)) if value is not None}
    return run_check(as_data(data), Reading(**options), task, **judging)


def convert(
    data: Data,
    out: str | Path,
    *,
    from_: str | None = None,
    to: str | None = None,
    task: str | None = None,
    say: Say | None = None,
    **options: Any,
) -> int:
    """Writes labelled rows to a file of another format, and returns how many there are.

    Args:
        data: a file; or rows themselves, as `bertie.train` takes them.
        out: the file to write, which is read again before it takes its place.
        from_: the format of `data`, where its ending does not tell; `bertie data list` names them.
        to: that of `out`, likewise.
        task: the task that the rows are for; otherwise the columns tell.
        say: told what a person should know, a line at a time; otherwise stderr is.
        options: the fields of `Reading`: text_column, label_column, encoding, skip_bad_rows, ...

    Raises:
        BertieError: rows that cannot be read, or that the format cannot hold, each by its place.
    """
    check_options("convert", options, Reading)
    return run_conversion(_file(data), Path(out), Reading(**options), (from_, to), say or tell, task)


def augment(
    data: Data,
    out: str | Path | None = None,
    *,
    task: str | None = None,
    translate: tuple[Translate, Translate] | None = None,
    say: Say | None = None,
    **options: Any,
) -> list[Row]:
    """Labelled rows, and behind them their copies with changed texts, in the columns `text`, `label`, ...

    A training makes its own, of its training rows alone; of these rows give others to judge by as `dev` and `test`.

    Args:
        data: a file; or rows themselves, as `bertie.train` takes them.
        out: a file that they are written to.
        task: the task that the rows are for; otherwise the columns tell.
        translate: what the way `back_translation` asks: texts to their translations, and those back.
        say: told how many copies there are, a line at a time; otherwise stderr is.
        options: what a recipe says of augmentation: ways, times, strength, synonyms, model, seed; and the fields of
            `Reading`.

    Raises:
        BertieError: no way is named, or it finds nothing to change; with what to do.
    """
    check_options("augment", options, Augmentation, Reading)
    if "anew" in options:
        raise UsageError("bertie.augment: found anew, which is about the epochs of a training; leave it out")
    asked = {field.name: options.pop(field.name) for field in fields(Augmentation) if field.name in options}
    asked = {name: str(value) if isinstance(value, Path) else value for name, value in asked.items()}
    settings = from_dict(Augmentation, asked, "bertie.augment")
    reading = read_options(Reading(**options), kind_for(task))
    source, told = _file(data), say or tell
    if out is not None:
        return list(run_augmentation(source, Path(out), settings, reading, told, translate))
    rows, added = more_rows(source, settings, reading, told, translate)
    told(f"{rows.source}: {added.told(len(rows) - len(added.rows))}")
    return list(rows)


def export(model: str | Path, out: str | Path, *, format: str = "huggingface", say: Say | None = None) -> Path:
    """Writes a bundle to a new folder in a format that other programs read, proved to answer the same.

    Args:
        model: the bundle.
        out: the folder to write; it is returned.
        format: huggingface, of a classifier; or adapter, what a tuning method changed.
        say: told what was written; otherwise stderr is.

    Raises:
        BertieError: the bundle cannot be said in this format, or would answer otherwise; nothing is written.
    """
    line = run_export(model, format, Path(out))
    (say or tell)(line)
    return Path(out)


def _file(data: Data) -> Path | GivenRows:
    """One file, or rows in its place; DataError where it is neither."""
    found = as_data(data)
    return found if isinstance(found, GivenRows) else Path(found)
