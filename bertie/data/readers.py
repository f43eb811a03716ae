"""Readers: a file to rows with canonical columns.

In:  a path (CSV, TSV, JSON lines, JSON list, Parquet, or a text file with a delimiter), or a stream of texts
Out: Rows of {"text", "label"} or {"text_a", "text_b", "label"}; DataError with every problem as `file:line: ...`
Knows nothing of tasks, splits and models.
"""

from __future__ import annotations

import io
import json
from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from bertie.core.errors import DataError
from bertie.data.annotation_reader import program_of, read_annotations
from bertie.data.cells import CellError, Label, as_label, as_text, shape_labels
from bertie.data.columns import TEXT_NAMES, Columns, Mapping, find_columns, folded
from bertie.data.conll_reader import looks_like_conll, read_conll
from bertie.data.csv_reader import read_csv, sniff_delimiter
from bertie.data.encoding import detect
from bertie.data.json_reader import read_json, read_json_lines
from bertie.data.kinds import KINDS, LABELS, kind_of, names_of
from bertie.data.parquet_reader import read_parquet
from bertie.data.rows import Row, Rows
from bertie.data.squad_reader import looks_like_squad, read_squad
from bertie.data.table import NUL, TOO_LONG, Table, bounded_lines

__all__ = ["SUFFIXES", "Columns", "read_rows", "read_stream", "rows_from_table"]

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet", ".txt", ".conll", ".bio", ".bioes")
"""The endings that are data in a folder; any other file can still be named."""
_FOREIGN = {
    b"PK\x03\x04": "an Excel or zip file",
    b"\xd0\xcf\x11\xe0": "an old Excel or Word file",
    b"\x1f\x8b": "a gzip file",
    b"%PDF": "a PDF file",
}


def read_rows(
    path: str | Path,
    columns: Columns | None = None,
    encoding: str | None = None,
    for_prediction: bool = False,
    skip_bad_rows: bool = False,
    kind: str | None = None,
) -> Rows:
    """The rows of a file, in order. For prediction no label is needed.

    `kind` is the kind of rows that a task needs (`kinds`); without it the columns of a labelled file tell.

    With `skip_bad_rows` malformed rows are left out. `Rows.notes` says what was chosen and how many were skipped.
    """
    path = Path(path)
    try:
        table = _read_table(path, encoding, for_prediction)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    return rows_from_table(table, columns, for_prediction, skip_bad_rows, kind)


def read_stream(
    binary: BinaryIO,
    columns: Columns | None = None,
    encoding: str | None = None,
    skip_bad_rows: bool = False,
    kind: str | None = None,
    name: str = "stdin",
) -> Rows:
    """Rows to predict from a stream: JSON lines if it starts with an object, a table if its first line has a text
    column that the person named; otherwise each line is a text, and a named column only a note.
    """
    columns, content = columns or Columns(), io.BytesIO(binary.read())
    table = Table(name, detect(content, name, encoding))
    stream = io.TextIOWrapper(content, table.encoding, errors="strict")
    first = _first_line(stream)
    if first.startswith("{"):
        read_json_lines(stream, table)
    elif _is_header(first, columns.texts):
        read_csv(stream, table, "\t")
    else:
        _fill_lines(stream, table)
        rows = rows_from_table(table, None, True, skip_bad_rows, kind)
        return replace(rows, notes=_no_columns(name, columns) + rows.notes)
    return rows_from_table(table, columns, True, skip_bad_rows, kind)


def rows_from_table(
    table: Table,
    columns: Columns | None,
    for_prediction: bool = False,
    skip_bad_rows: bool = False,
    kind: str | None = None,
) -> Rows:
    """Canonical rows out of a table of any origin."""
    if not table.records:
        _refuse_empty(table)
    if kind is None:
        named = columns is not None and (columns.texts or columns.label)
        kind = LABELS if for_prediction or named else kind_of(table)
    if kind != LABELS:
        return _rows_of_kind(table, kind, for_prediction, skip_bad_rows)
    mapping = find_columns(table, columns or Columns(), label_needed=not for_prediction)
    rows, lines, problems = _canonical(table, mapping, for_prediction)
    if problems and not skip_bad_rows:
        raise DataError([f"{table.source}:{line}: {what}" for line, what in problems])
    if not rows:
        raise DataError([f"{table.source}:{line}: {what}" for line, what in problems] or f"{table.top}: no rows")
    made = Rows(rows, table.source, lines, table.encoding)
    if not for_prediction:
        made = made.with_column("label", shape_labels([made.column("label")])[0])
    notes = table.notes + mapping.notes + _skipped(table.source, problems)
    return replace(made, notes=notes + _empties(made) + _several(made))


def _rows_of_kind(table: Table, kind: str, for_prediction: bool, skip_bad_rows: bool) -> Rows:
    names = names_of(kind, table, for_prediction)
    read = KINDS[kind].read(table, names)
    rows, lines, problems = [], [], list(table.problems)
    for line, record in zip(table.lines, table.records, strict=True):
        try:
            rows.append(read(record, names, for_prediction))
        except CellError as error:
            problems.append((line, str(error)))
        else:
            lines.append(line)
    problems.sort(key=lambda problem: problem[0])
    if problems and not (skip_bad_rows and rows):
        raise DataError([f"{table.source}:{line}: {what}" for line, what in problems])
    renamed = [f"{name!r} as {canonical}" for canonical, name in names.items() if name != canonical]
    notes = [f"{table.source}: read {', '.join(renamed)}"] if renamed else []
    notes = table.notes + notes + _skipped(table.source, problems)
    return Rows(rows, table.source, lines, table.encoding, notes, kind)


def _read_table(path: Path, encoding: str | None, for_prediction: bool) -> Table:
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
        _fill(stream, path.suffix.lower(), table, for_prediction)
    program = None if for_prediction else program_of(table.records)
    if program is None:
        return table
    made, notes = read_annotations(table, program)
    made.notes = table.notes + notes
    return made


def _fill(binary: BinaryIO, suffix: str, table: Table, for_prediction: bool) -> None:
    stream = io.TextIOWrapper(binary, table.encoding, errors="strict")
    if suffix in (".jsonl", ".ndjson"):
        read_json_lines(stream, table)
    elif suffix == ".json" and looks_like_squad(stream):
        table.notes = read_squad(stream, table, for_prediction)
    elif suffix == ".json":
        read_json(stream, table)
    elif suffix in (".conll", ".bio", ".bioes") or (suffix == ".txt" and looks_like_conll(stream)):
        table.notes = read_conll(stream, table)
    elif suffix in (".csv", ".tsv", ".tab"):
        read_csv(stream, table, "," if suffix == ".csv" else "\t")
    else:
        _fill_unknown(stream, table, for_prediction)


def _fill_unknown(stream: TextIO, table: Table, for_prediction: bool) -> None:
    """A file whose name says nothing, such as `.txt`: JSON, a table with a header, or (to predict) one text a line.

    A column's name alone on a line, such as `news`, may as well be a text: only a delimiter makes it a header.
    """
    first = _first_line(stream)
    if _is_object(first) or first.startswith("[{"):
        read_json(stream, table)
    elif for_prediction and not (_is_header(first, TEXT_NAMES) and sniff_delimiter(first, "\t") in first):
        _fill_lines(stream, table)
    else:
        read_csv(stream, table, "\t")


def _first_line(stream: TextIO) -> str:
    """The first line that is not blank, or nothing of one past all limits; rewinds the stream."""
    lines = (line if line is None else line.strip("\ufeff \t\r") for _, line in bounded_lines(stream))
    first = next((line for line in lines if line != ""), None)
    stream.seek(0)
    return first or ""


def _is_object(line: str) -> bool:
    """Whether the line is JSON, and not a text that begins with a brace."""
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _is_header(line: str, names: Collection[str]) -> bool:
    """Whether a cell of the line is one of these column names."""
    cells = line.split(sniff_delimiter(line, "\t"))[:50]
    return not {folded(cell.strip().strip('"')) for cell in cells}.isdisjoint(map(folded, names))


def _no_columns(name: str, columns: Columns) -> list[str]:
    if not columns.texts:
        return []
    wanted = ", ".join(map(repr, columns.texts))
    return [f"{name}: plain lines have no column {wanted}, each is read as one text; columns are for JSON lines"]


def _fill_lines(stream: TextIO, table: Table) -> None:
    """One text a line."""
    table.header = ["text"]
    for number, line in bounded_lines(stream):
        if line is None or "\0" in line:
            table.problems.append((number, TOO_LONG if line is None else NUL))
        else:
            table.add(number, {"text": line.removeprefix("\ufeff") if number == 1 else line})


def _canonical(
    table: Table, mapping: Mapping, for_prediction: bool
) -> tuple[list[Row], list[int], list[tuple[int, str]]]:
    texts = [(canonical, name) for canonical, name in mapping.names.items() if canonical != "label"]
    label = mapping.names.get("label")
    good: list[tuple[int, Row]] = []
    problems = list(table.problems)
    for line, record in zip(table.lines, table.records, strict=True):
        try:
            row: Row = {canonical: as_text(record.get(name), name) for canonical, name in texts}
            if label is not None and not for_prediction:
                row["label"] = _label(record, label)
        except CellError as error:
            problems.append((line, str(error)))
        else:
            good.append((line, row))
    problems.sort(key=lambda problem: problem[0])
    return [row for _, row in good], [line for line, _ in good], problems


def _label(record: dict[str, Any], name: str) -> Label:
    if name not in record:
        raise CellError(f"there is no {name!r}, expected a label; fill it in or delete the row")
    return as_label(record[name], name)


def _refuse_empty(table: Table) -> None:
    if table.problems:
        raise DataError([f"{table.source}:{line}: {what}" for line, what in table.problems])
    header = f"a header ({', '.join(table.header[:5])}) and " if table.header_line else ""
    raise DataError(f"{table.top}: found {header}no rows, expected at least one; add rows")


def _skipped(source: str, problems: list[tuple[int, str]]) -> list[str]:
    if not problems:
        return []
    line, reason = problems[0]
    return [f"{source}: {len(problems)} bad rows skipped, the first at line {line}: {reason}"]


def _empties(rows: Rows) -> list[str]:
    empty = [i for i, row in enumerate(rows) if not any(value.strip() for value in _texts(row))]
    if not empty:
        return []
    return [f"{rows.source}: {len(empty)} rows have an empty text, the first at {rows.where(empty[0])}; they are kept"]


def _several(rows: Rows) -> list[str]:
    labels = rows.column("label")
    if not isinstance(labels[0], list):
        return []
    places = [i for i, label in enumerate(labels) if len(label) > 1]
    first = f", the first at {rows.where(places[0])}" if places else ""
    return [f"{rows.source}: {len(places)} of {len(rows)} rows have several labels{first}; every label is a list"]


def _texts(row: Row) -> Iterable[str]:
    return (value for name, value in row.items() if name != "label")


def _neighbours(path: Path) -> str:
    folder = path.parent
    names = sorted(file.name for file in folder.iterdir()) if folder.is_dir() else []
    shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    return f"{folder} holds {shown or 'nothing'}" if folder.is_dir() else f"the folder {folder} does not exist either"
