"""Parquet: columns of plain values; class numbers written by `datasets` become class names, also in lists.

In:  a path
Out: records one by one; a Table gets the header
Knows nothing of what the columns mean.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bertie.core.errors import DataError
from bertie.data.table import Placed, Table

ROWS_AT_ONCE = 500


def parquet_records(path: Path, table: Table) -> Iterator[Placed]:
    """Records as they are read; a record's line is its number from 1."""
    done = 0
    try:
        with pq.ParquetFile(path) as file:
            table.header = [str(name) for name in file.schema_arrow.names]
            names = class_names(file.schema_arrow.metadata or {})
            for batch in file.iter_batches(ROWS_AT_ONCE):
                for number, record in enumerate(batch.to_pylist(), start=done + 1):
                    yield number, {name: named(value, names.get(name)) for name, value in record.items()}
                done += len(batch)
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        first = (str(error).splitlines() or ["no reason given"])[0]
        raise DataError(f"{path}: this is not a readable Parquet file ({first}); write it again") from error


def class_names(metadata: dict[bytes, bytes]) -> dict[str, list[str]]:
    """Column -> names of its classes, from the note that `datasets` leaves in the files it writes."""
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
        return names_in(features)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}  # no such note, or another program's


def names_in(features: Mapping[str, Any]) -> dict[str, list[str]]:
    """Column -> names of its classes, or of the classes in its lists, from `datasets.Features` as JSON."""
    found = {name: _names(about) for name, about in features.items()}
    return {name: names for name, names in found.items() if names is not None}


def named(value: Any, names: Sequence[str] | None) -> Any:
    """The name of a class number, also of those in a list; None for -1, which says that a row has no label."""
    if names is None:
        return value
    if isinstance(value, list):
        return [named(part, names) for part in value]
    if not isinstance(value, int) or value >= len(names):
        return value
    return names[value] if value >= 0 else None


def _names(about: Any) -> list[str] | None:
    """A list is written as {"feature": ...}, by old versions as a list of one feature."""
    if isinstance(about, list):
        return _names(about[0]) if about else None
    if isinstance(about.get("feature"), (dict, list)):
        return _names(about["feature"])
    names = about.get("names")
    return list(map(str, names)) if isinstance(names, list) else None
