"""Parquet: columns of plain values; class numbers written by `datasets` become class names.

In:  a path
Out: a Table
Knows nothing of what the columns mean.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bertie.core.errors import DataError
from bertie.data.table import Table


def read_parquet(path: Path, table: Table) -> None:
    """Fills `table`; a record's line is its number from 1."""
    try:
        data = pq.read_table(path)
        names = class_names(data.schema.metadata or {})
        records = data.to_pylist()
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        first = (str(error).splitlines() or ["no reason given"])[0]
        raise DataError(f"{path}: this is not a readable Parquet file ({first}); write it again") from error
    table.header = [str(name) for name in data.schema.names]
    for number, record in enumerate(records, start=1):
        table.add(number, {name: _named(value, names.get(name)) for name, value in record.items()})


def class_names(metadata: dict[bytes, bytes]) -> dict[str, list[str]]:
    """Column -> names of its classes, from the note that `datasets` leaves in the files it writes."""
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
        return {name: list(about["names"]) for name, about in features.items() if "names" in about}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}  # no such note, or another program's


def _named(value: Any, names: list[str] | None) -> Any:
    if names is None or not isinstance(value, int) or not 0 <= value < len(names):
        return value
    return names[value]
