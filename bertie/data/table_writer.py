"""Table writer: canonical rows of any kind to CSV, TSV, JSON lines and Parquet.

In:  rows
Out: the content of a file; DataError naming every row, of Parquet the column, that the format cannot hold
Knows nothing of paths, of kinds of rows and of where the rows came from.

A list or an object becomes JSON in a cell of CSV or TSV, several labels become `a|b`; the readers take both.
"""

from __future__ import annotations

import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bertie.core.errors import DataError
from bertie.data.cells import CellError
from bertie.data.rows import Rows


def to_csv(rows: Rows) -> bytes:
    """Comma separated; a cell that holds a comma, a quote or a line end is quoted."""
    return _delimited(rows, ",", '",\r\n')


def to_tsv(rows: Rows) -> bytes:
    """Tab separated; a record is one line, so no cell may hold a line end."""
    return _delimited(rows, "\t", '"\t')


def to_json_lines(rows: Rows) -> bytes:
    """An object a row, as it is."""
    lines = (json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows)
    return "".join(lines).encode()


def to_parquet(rows: Rows) -> bytes:
    """Columns with the types that the values have."""
    stream = io.BytesIO()
    pq.write_table(pa.table({name: _column(rows, name) for name in _names(rows)}), stream)
    return stream.getvalue()


def _column(rows: Rows, name: str) -> pa.Array:
    try:
        return pa.array([row.get(name, "") for row in rows])
    except pa.ArrowException as error:
        raise DataError(
            f"{rows.source}: parquet cannot hold the column {name!r} ({error}), expected values of one type; take jsonl"
        ) from error


def _delimited(rows: Rows, delimiter: str, quoted: str) -> bytes:
    names, lines, problems = _names(rows), [], []
    for i, row in enumerate(rows):
        try:
            cells = [_cell(row.get(name, ""), name, delimiter) for name in names]
        except CellError as error:
            problems.append(f"{rows.where(i)}: {error}")
            continue
        lines.append(delimiter.join(_quoted(cell, quoted) for cell in cells))
    if problems:
        raise DataError(problems)
    return ("\n".join([delimiter.join(names), *lines]) + "\n").encode()


def _cell(value: Any, name: str, delimiter: str) -> str:
    if name == "label" and isinstance(value, list):
        if not value:
            raise CellError("there is no label, which a cell cannot say; expected one at least; take jsonl")
        return "|".join(value)
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, (list, dict)) else str(value)
    if delimiter == "\t" and ("\r" in text or "\n" in text):
        what = f"{name!r} holds a line end, which ends a record"
        raise CellError(f"{what}, expected a text without; take csv or jsonl, or replace it")
    return text


def _quoted(cell: str, special: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if any(character in cell for character in special) else cell


def _names(rows: Rows) -> list[str]:
    """The columns of all rows, in the order in which they first stand."""
    return list(dict.fromkeys(name for row in rows for name in row))
