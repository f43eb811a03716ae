"""Given rows: what somebody holds in Python, as the table that a file of the same columns would be.

In:  a sequence of mappings, or a data frame
Out: GivenRows, which readers take in the place of a path; DataError where it is neither
Knows nothing of what the columns mean, and imports no library of data frames.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from bertie.core.errors import DataError
from bertie.data.cells import kind
from bertie.data.table import Table

SOURCES = {"data": "rows", "dev": "dev rows", "test": "test rows"}
"""What rows are called in messages and in a bundle, by the argument that they were given as."""
MISSING = ("NAType", "NaTType")
"""The types by which pandas says that a value is missing, beside NaN."""
_ROW = '{"text": ..., "label": ...}'


@runtime_checkable
class Frame(Protocol):
    """A data frame of pandas, or of who takes after it."""

    @property
    def columns(self) -> Any:
        """The names, in order."""

    def to_dict(self, *args: Any, **options: Any) -> Any:
        """With `"records"`, a mapping a row."""


@runtime_checkable
class OtherFrame(Protocol):
    """A data frame of polars, which has another name for it."""

    def to_dicts(self) -> list[dict[str, Any]]:
        """A mapping a row."""


Data = str | Path | Sequence[Mapping[str, Any]] | Frame
"""What the functions of Python take as data: the name of a file, of a folder or of the hub; rows; or a data frame."""


@dataclass(frozen=True, eq=False)
class GivenRows:
    """Rows in memory, where others name a file. They are looked at when they are read, each time anew."""

    source: str
    """What they are called: `rows:3` is the third."""
    data: Sequence[Any] | Frame = field(repr=False)

    def __str__(self) -> str:
        return self.source

    def table(self) -> Table:
        """All of them, the line of each its number from 1; what is no row is a problem of the table."""
        table = Table(self.source)
        names = dict.fromkeys(_header(self.data, self.source) if isinstance(self.data, Frame) else ())
        for number, record in enumerate(_records(self.data, self.source), start=1):
            if isinstance(record, Mapping):
                made = {str(name): plain(value) for name, value in record.items()}
                names.update(dict.fromkeys(made))
                table.add(number, made)
            else:
                table.problems.append((number, f"found {kind(record)}, expected a mapping such as {_ROW}; make one"))
        table.header = list(names)
        return table


def as_data(value: object, argument: str = "data") -> str | GivenRows:
    """What was given as this argument (`SOURCES`): a name as it stands, or rows; DataError where it is neither."""
    if isinstance(value, str | os.PathLike):
        return os.fsdecode(value)
    if isinstance(value, Frame) or (isinstance(value, Sequence) and not isinstance(value, bytes | bytearray)):
        return GivenRows(SOURCES[argument], value)
    raise DataError(
        f"{argument}: found a {type(value).__name__}, expected the name of a file or a folder, hub:NAME, a list of "
        f"rows such as [{_ROW}], or a data frame; give one of them"
    )


def plain(value: Any) -> Any:
    """A value as a file would hold it: lists and dicts, Python's own numbers, None where it is missing."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    missing = (isinstance(value, float) and math.isnan(value)) or type(value).__name__ in MISSING
    return None if missing else value


def _header(frame: Frame, source: str) -> list[str]:
    names = [str(name) for name in frame.columns]
    twin = next((name for name, count in Counter(names).items() if count > 1), None)
    if twin is not None:
        raise DataError(f"{source}: two columns are called {twin!r}, expected different names; rename one")
    return names


def _records(data: Sequence[Any] | Frame, source: str) -> Iterable[Any]:
    if not isinstance(data, Frame):
        return data
    try:
        found: Iterable[Any] = data.to_dicts() if isinstance(data, OtherFrame) else data.to_dict("records")
    except TypeError as error:
        name = type(data).__name__
        raise DataError(
            f"{source}: found a {name} that gives no rows by to_dict('records') ({error}); make a list of rows of it"
        ) from error
    return found
