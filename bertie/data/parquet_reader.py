"""Parquet: columns of plain values; class numbers written by `datasets` become class names.

In:  a path
Out: records one by one; a Table gets the header
Knows nothing of what the columns mean.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
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
                    yield number, {name: _named(value, names.get(name)) for name, value in record.items()}
                done += len(batch)
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        first = (str(error).splitlines() or ["no reason given"])[0]
        raise DataError(f"{path}: this is not a readable Parquet file ({first}); write it again") from error


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
