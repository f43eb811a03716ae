"""Answer tables: answers beside the rows that they are of, as CSV, TSV or Parquet.

In:  pairs of a row and its answer, one by one; a path, an ending
Out: a file with a column for each name that any row or answer has, those of the rows first
Knows nothing of tasks, of models and of how rows are read.

Which columns there are, and what stands in them, is known with the last answer alone: a note comes late, or never. So
the cells wait in a temporary file beside the path, and memory does not grow with the rows.
"""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from bertie.data.rows import Row, blocks

Cell = str | int | float | None
Kinds = dict[str, set[type]]
"""Column -> types of what stands in it; in the order of the file."""
DIALECTS = {".csv": "excel", ".tsv": "excel-tab"}
ENDINGS = (*DIALECTS, ".parquet")
LARGEST = 2**63
"""Numbers from here on are written as texts: a column of Parquet cannot hold them."""


def write_answers(path: Path, ending: str, answered: Iterable[tuple[Row, Row]]) -> None:
    """Rows and their answers as a table of the kind that `ending`, one of `ENDINGS`, names.

    Several labels become `a|b`, what else is nested becomes JSON. CSV and TSV are quoted as Excel does it, and begin
    with a byte order mark, without which Excel does not show Chinese.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace", newline="\n", dir=path.parent) as waiting:
        kinds = _put_aside(answered, waiting)
        waiting.seek(0)
        records = (json.loads(line) for line in waiting)
        if ending == ".parquet":
            _write_parquet(path, records, kinds)
        else:
            _write_delimited(path, records, list(kinds), DIALECTS[ending])


def column_types(rows: Iterable[Row]) -> dict[str, pa.DataType]:
    """Each name that any of the rows has, with the type of a column of Parquet that holds all that stands under it."""
    kinds: Kinds = {}
    for row in rows:
        for name, value in row.items():
            kinds.setdefault(name, set()).add(type(_cell(name, value)))
    return {name: _type(found) for name, found in kinds.items()}


def column(cells: Iterable[Cell], type_: pa.DataType) -> pa.Array:
    """A column of Parquet, of a type that `column_types` gave."""
    made = {pa.string(): str, pa.float64(): float, pa.int64(): int}[type_]
    return pa.array([None if cell is None else made(cell) for cell in cells], type_)


def _put_aside(answered: Iterable[tuple[Row, Row]], waiting: IO[str]) -> Kinds:
    """Writes the cells of each row and answer as a line of JSON; gives the columns."""
    kinds: Kinds = {}
    of_rows = set[str]()
    for row, answer in answered:
        of_rows.update(row)
        record = {name: _cell(name, value) for name, value in (row | answer).items()}
        for name, cell in record.items():
            kinds.setdefault(name, set()).add(type(cell))
        waiting.write(json.dumps(record, ensure_ascii=False) + "\n")
    return {name: kinds[name] for name in sorted(kinds, key=lambda name: name not in of_rows)}


def _cell(name: str, value: Any) -> Cell:
    if name == "labels" and isinstance(value, list):
        return "|".join(map(str, value))
    if isinstance(value, (list, dict, bool)):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int) and not -LARGEST <= value < LARGEST:
        return str(value)
    cell: Cell = value
    return cell


def _write_delimited(path: Path, records: Iterator[dict[str, Cell]], names: list[str], dialect: str) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, names, dialect=dialect)
        writer.writeheader()
        writer.writerows(records)


def _write_parquet(path: Path, records: Iterator[dict[str, Cell]], kinds: Kinds) -> None:
    types = {name: _type(found) for name, found in kinds.items()}
    schema = pa.schema(list(types.items()))
    with pq.ParquetWriter(path, schema) as writer:
        for block in blocks(records):
            columns = [column([record.get(name) for record in block], type_) for name, type_ in types.items()]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))


def _type(found: set[type]) -> pa.DataType:
    """Numbers where nothing else stands in the column, whole ones where all are; otherwise texts."""
    some = found - {type(None)}
    if some == {int}:
        return pa.int64()
    return pa.float64() if some and some <= {int, float} else pa.string()
