"""Readers: a file to rows with canonical columns.

In:  a path (CSV, TSV, JSON lines, JSON list, Parquet, or a text file with a delimiter), or a stream of texts
Out: Rows of {"text", "label"} or {"text_a", "text_b", "label"}; DataError with every problem as `file:line: ...`
Knows nothing of tasks, splits and models.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from bertie.core.errors import DataError
from bertie.data.cells import CellError, Label, as_label, as_text, shape_labels
from bertie.data.columns import TEXT_NAMES, Columns, Mapping, find_columns
from bertie.data.csv_reader import read_csv, sniff_delimiter
from bertie.data.encoding import detect
from bertie.data.json_reader import read_json, read_json_lines
from bertie.data.parquet_reader import read_parquet
from bertie.data.rows import Row, Rows
from bertie.data.table import NUL, TOO_LONG, Table, bounded_lines

__all__ = ["SUFFIXES", "Columns", "read_rows", "read_stream", "rows_from_table"]

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet", ".txt")
"""The endings that are data in a folder; any other file can still be named."""
_FOREIGN = {
    b"PK\x03\x04": "an Excel or zip file",
    b"\xd0\xcf\x11\xe0": "an old Excel or Word file",
    b"\x1f\x8b": "a gzip file",
    b"%PDF": "a PDF file",
}


@dataclass(frozen=True)
class _Policy:
    """What is done with rows that do not fit."""

    for_prediction: bool
    skip_bad_rows: bool


def read_rows(
    path: str | Path,
    columns: Columns | None = None,
    encoding: str | None = None,
    for_prediction: bool = False,
    skip_bad_rows: bool = False,
) -> Rows:
    """The rows of a file, in order.

    For prediction no label is needed and every row stays: with `skip_bad_rows` a broken one becomes an empty text, so
    that answer n belongs to row n. Otherwise skipped rows are left out. `Rows.notes` says what was chosen or skipped.
    """
    path, policy = Path(path), _Policy(for_prediction, skip_bad_rows)
    try:
        table = _read_table(path, encoding, policy)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    return rows_from_table(table, columns, for_prediction, skip_bad_rows)


def read_stream(stream: TextIO, name: str = "stdin", skip_bad_rows: bool = False) -> Rows:
    """Texts to predict from a stream: JSON lines if the first line is a JSON object, otherwise each line is a text."""
    table = Table(name)
    try:
        content = stream.read()
    except UnicodeDecodeError as error:
        raise DataError(f"{name}: byte {error.start} is not {error.encoding}; convert the texts to UTF-8") from error
    _fill_lines(io.StringIO(content), table)
    return rows_from_table(table, None, True, skip_bad_rows)


def rows_from_table(
    table: Table, columns: Columns | None, for_prediction: bool = False, skip_bad_rows: bool = False
) -> Rows:
    """Canonical rows out of a table of any origin."""
    policy = _Policy(for_prediction, skip_bad_rows)
    if not table.records:
        _refuse_empty(table, policy)
    mapping = find_columns(table, columns or Columns(), label_needed=not for_prediction)
    rows, lines, problems = _canonical(table, mapping, policy)
    if problems and not skip_bad_rows:
        raise DataError([f"{table.source}:{line}: {what}" for line, what in problems])
    if not rows:
        raise DataError([f"{table.source}:{line}: {what}" for line, what in problems] or f"{table.source}: no rows")
    if not for_prediction:
        shaped = shape_labels([[row["label"] for row in rows]])[0]
        rows = [{**row, "label": label} for row, label in zip(rows, shaped, strict=True)]
    notes = mapping.notes + _skipped(table.source, problems, policy)
    made = Rows(rows, table.source, lines, table.encoding)
    return Rows(rows, table.source, lines, table.encoding, notes + _empties(made))


def _read_table(path: Path, encoding: str | None, policy: _Policy) -> Table:
    if path.is_dir():
        raise DataError(f"{path}: is a folder, expected a file; name one of the files in it")
    if not path.exists():
        raise DataError(f"{path}: there is no such file; {_neighbours(path)}")
    with path.open("rb") as stream:
        head = stream.read(4)
        foreign = next((what for magic, what in _FOREIGN.items() if head.startswith(magic)), None)
        if foreign:
            raise DataError(f"{path}: is {foreign}, expected CSV, TSV, JSON lines or Parquet; save it as CSV in UTF-8")
        if head == b"PAR1" or path.suffix.lower() == ".parquet":
            table = Table(str(path))
            read_parquet(path, table)
            return table
        table = Table(str(path), detect(stream, str(path), encoding))
        _fill(stream, path.suffix.lower(), table, policy)
    return table


def _fill(binary: BinaryIO, suffix: str, table: Table, policy: _Policy) -> None:
    stream = io.TextIOWrapper(binary, table.encoding, errors="strict")
    if suffix in (".jsonl", ".ndjson"):
        read_json_lines(stream, table)
    elif suffix == ".json":
        read_json(stream, table)
    elif suffix in (".csv", ".tsv", ".tab"):
        read_csv(stream, table, "," if suffix == ".csv" else "\t")
    else:
        _fill_unknown(stream, table, policy)


def _fill_unknown(stream: TextIO, table: Table, policy: _Policy) -> None:
    """A file whose name says nothing, such as `.txt`: JSON, a table with a header, or (to predict) one text a line."""
    head = stream.read(65536).lstrip("\ufeff \t\r\n")
    stream.seek(0)
    first = head.split("\n", 1)[0]
    delimiter = sniff_delimiter(first, "\t")
    has_header = any(cell.strip().casefold() in TEXT_NAMES for cell in first.split(delimiter)[:50])
    if head.startswith("{") or head.startswith("[{"):
        read_json(stream, table)
    elif policy.for_prediction and not has_header:
        _fill_lines(stream, table)
    else:
        read_csv(stream, table, "\t")


def _fill_lines(stream: TextIO, table: Table) -> None:
    start = stream.read(4096).lstrip("\ufeff \t\r\n")
    stream.seek(0)
    if start.startswith("{"):
        read_json_lines(stream, table)
        return
    table.header = ["text"]
    for number, line in bounded_lines(stream):
        if line is None or "\0" in line:
            table.problems.append((number, TOO_LONG if line is None else NUL))
        else:
            table.add(number, {"text": line.removeprefix("\ufeff") if number == 1 else line})


def _canonical(table: Table, mapping: Mapping, policy: _Policy) -> tuple[list[Row], list[int], list[tuple[int, str]]]:
    texts = [(canonical, name) for canonical, name in mapping.names.items() if canonical != "label"]
    label = mapping.names.get("label")
    good: list[tuple[int, Row]] = []
    problems = list(table.problems)
    for line, record in zip(table.lines, table.records, strict=True):
        try:
            row: Row = {canonical: as_text(record.get(name), name) for canonical, name in texts}
            if label is not None and not policy.for_prediction:
                row["label"] = _label(record, label)
        except CellError as error:
            problems.append((line, str(error)))
        else:
            good.append((line, row))
    problems.sort(key=lambda problem: problem[0])
    if policy.for_prediction and policy.skip_bad_rows:
        good += [(line, dict.fromkeys((canonical for canonical, _ in texts), "")) for line, _ in problems]
        good.sort(key=lambda item: item[0])
    return [row for _, row in good], [line for line, _ in good], problems


def _label(record: dict[str, Any], name: str) -> Label:
    if name not in record:
        raise CellError(f"there is no {name!r}, expected a label; fill it in or delete the row")
    return as_label(record[name], name)


def _refuse_empty(table: Table, policy: _Policy) -> None:
    if table.problems and not (policy.for_prediction and policy.skip_bad_rows and table.header):
        raise DataError([f"{table.source}:{line}: {what}" for line, what in table.problems])
    if not table.problems:
        found = f"a header ({', '.join(table.header[:5])}) and no rows" if table.header else "nothing"
        raise DataError(f"{table.source}: the file holds {found}, expected at least one row; add rows below the header")


def _skipped(source: str, problems: list[tuple[int, str]], policy: _Policy) -> list[str]:
    if not problems:
        return []
    what = "read as empty texts" if policy.for_prediction else "skipped"
    line, reason = problems[0]
    return [f"{source}: {len(problems)} bad rows {what}, the first at line {line}: {reason}"]


def _empties(rows: Rows) -> list[str]:
    empty = [i for i, row in enumerate(rows) if not any(value.strip() for value in _texts(row))]
    if not empty:
        return []
    return [f"{rows.source}: {len(empty)} rows have an empty text, the first at {rows.where(empty[0])}; they are kept"]


def _texts(row: Row) -> Iterable[str]:
    return (value for name, value in row.items() if name != "label")


def _neighbours(path: Path) -> str:
    folder = path.parent
    names = sorted(file.name for file in folder.iterdir()) if folder.is_dir() else []
    shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    return f"{folder} holds {shown or 'nothing'}" if folder.is_dir() else f"the folder {folder} does not exist either"
