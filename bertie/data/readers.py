"""Readers: a file to rows with canonical columns.

In:  a path (CSV, TSV, JSON lines, JSON list, Parquet, or a text file with a delimiter), rows in memory, or a stream of
     texts
Out: Rows of {"text", "label"} or {"text_a", "text_b", "label"}; DataError with every problem as `file:line: ...`
Knows nothing of tasks, splits and models.
"""

from __future__ import annotations

import errno
import io
import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import NoReturn, TextIO

from bertie.core.errors import DataError
from bertie.data.annotation_reader import Program, program_in, read_annotations
from bertie.data.cells import CellError, Label, as_label, as_text, shape_labels
from bertie.data.columns import TEXT_NAMES, Columns, beside_reader, find_columns, folded, unused
from bertie.data.conll_reader import conll_texts, looks_like_conll, read_conll
from bertie.data.csv_reader import csv_records, sniff_delimiter
from bertie.data.encoding import HEAD, detect, foreign
from bertie.data.given_rows import GivenRows
from bertie.data.json_reader import json_line_records, json_records
from bertie.data.kinds import KINDS, LABELS, kind_of, names_of
from bertie.data.parquet_reader import parquet_records
from bertie.data.rows import Row, Rows
from bertie.data.squad_reader import looks_like_squad, read_squad
from bertie.data.table import NUL, TOO_LONG, Placed, Record, Table, bounded_lines

__all__ = ["SUFFIXES", "Columns", "read_rows", "rows_from_table"]

ReadText = Callable[[io.TextIOWrapper, Table], Iterator[Placed]]
"""Records out of a text; the table takes the header and what is wrong."""
CONLL = (".conll", ".bio", ".iob", ".iob1", ".iob2", ".bioes", ".bmes", ".bilou")

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet", ".txt", *CONLL)
"""The endings that are data in a folder; any other file can still be named."""
TEXT_BY_HAND = "; a text is given with --text"
"""Said of a file to predict that is none and is called as a text may be."""


@dataclass(frozen=True)
class ReadAs:
    """A format that a person names."""

    suffix: str
    """The ending that such files usually have."""
    program: Program | None = None
    """The annotation program that wrote it."""


def read_rows(
    path: str | Path | GivenRows,
    columns: Columns | None = None,
    encoding: str | None = None,
    skip_bad_rows: bool = False,
    kind: str | None = None,
    read_as: ReadAs | None = None,
) -> Rows:
    """The labelled rows of a file, or of what takes its place, in order.

    `kind` is the kind of rows that a task needs (`kinds`); without it the columns of the file tell. `read_as` is the
    format; without it the ending and the beginning of the file tell.

    With `skip_bad_rows` malformed rows are left out. `Rows.notes` says what was chosen and how many were skipped.
    """
    if isinstance(path, GivenRows):
        table = path.table()
    else:
        opened = open_file(Path(path), encoding, for_prediction=False, suffix=read_as.suffix if read_as else None)
        table = opened.table()
        table.fill(opened.records(table))
    program = read_as.program if read_as and read_as.program else program_in(table, kind, columns)
    if program is not None:
        beside = columns.beside if columns else None
        made, notes = read_annotations(table, program, beside=beside, related=kind == "extraction")
        made.notes = table.notes + notes
        table = made
    return rows_from_table(table, columns, skip_bad_rows, kind)


def rows_from_table(
    table: Table, columns: Columns | None, skip_bad_rows: bool = False, kind: str | None = None
) -> Rows:
    """Canonical labelled rows out of a table of any origin."""
    if not table.records:
        refuse_empty(table)
    if kind is None:
        kind = LABELS if columns is not None and (columns.texts or columns.label) else kind_of(table)
    table.first = columns.first if columns else None
    read, notes = row_reader(table, kind, columns, for_prediction=False)
    divided = columns.beside if columns else None
    read_beside = beside_reader(table, divided)
    rows, lines, beside, problems = [], [], list[str](), list(table.problems)
    for line, record in zip(table.lines, table.records, strict=True):
        try:
            row, value = read(record), read_beside(record)
        except CellError as error:
            problems.append((line, str(error)))
        else:
            rows.append(row)
            lines.append(line)
            beside.append(value)
    if problems and not (skip_bad_rows and rows):
        raise refusal(table.source, problems)
    made = Rows(rows, table.source, lines, table.encoding, kind=kind, beside=beside if divided else [])
    notes = table.notes + notes + skipped(table.source, problems)
    if kind == LABELS:
        made = made.with_column("label", shape_labels([made.column("label")])[0])
        notes = notes + _empties(made) + _several(made)
    return replace(made, notes=notes, first=table.first, names=table.names)


@dataclass(frozen=True)
class Opened:
    """A file whose format is known. Its records can be read again and again."""

    source: str
    encoding: str
    read: Callable[[Table], Iterator[Placed]]
    plain: bool = False
    """Whether each line is a text, and there is no column to name."""
    notes: list[str] = field(default_factory=list)

    def table(self) -> Table:
        """A table without records, which takes the header and what is wrong."""
        return Table(self.source, self.encoding, notes=list(self.notes))

    def records(self, table: Table) -> Iterator[Placed]:
        """The records, one by one where the format allows it."""
        try:
            yield from self.read(table)
        except OSError as error:
            raise _unreadable(self.source, error) from error


def open_file(path: Path, encoding: str | None, for_prediction: bool, suffix: str | None = None) -> Opened:
    """A file of any format, by its first bytes and its ending, or by another that is named; DataError where it cannot
    be one.
    """
    try:
        return _opened(path, encoding, for_prediction, (suffix or path.suffix).lower())
    except OSError as error:
        hint = TEXT_BY_HAND if for_prediction and error.errno == errno.ENAMETOOLONG else ""
        raise _unreadable(str(path), error, hint) from error


def is_folder(path: Path) -> bool:
    """Whether a folder lies there; DataError where nothing can have such a name, or nobody may look."""
    try:
        return path.is_dir()
    except OSError as error:
        raise _unreadable(str(path), error) from error


def open_stream(path: Path, name: str, columns: Columns, encoding: str | None) -> Opened:
    """What came in on a stream and lies in a file now: JSON lines if it starts with an object, a JSON list if it starts
    with one of objects, a table if its first line has a text column that the person named; otherwise each line is a
    text, and a named column only a note.
    """
    with path.open("rb") as binary:
        found = detect(binary, name, encoding)
        first = _first_line(io.TextIOWrapper(binary, found))
    if _is_object(first) or first.startswith('{"'):  # the latter is broken, and is said to be
        return Opened(name, found, _of_text(path, found, json_line_records))
    if _is_list(first):
        return Opened(name, found, _of_text(path, found, json_records))
    if _is_header(first, columns.texts):
        return Opened(name, found, _of_text(path, found, partial(csv_records, usual="\t")))
    return Opened(name, found, _of_text(path, found, _text_lines), plain=True, notes=_no_columns(name, columns))


def row_reader(
    table: Table, kind: str, columns: Columns | None, for_prediction: bool
) -> tuple[Callable[[Record], Row], list[str]]:
    """What makes a canonical row of a record, or raises a CellError; and what was chosen. DataError: missing columns.
    UsageError: `columns` name one that rows of this kind do not have.

    Of a labelled table all records are looked at first; of one to predict only the header.
    """
    if kind != LABELS:
        names = names_of(kind, table, for_prediction, columns)
        table.names = {column: name for column, name in names.items() if column in KINDS[kind].known}
        read = KINDS[kind].read(table, names)
        notes = _renamed(table.source, names)
        if not for_prediction:
            notes += unused(table, (*names.values(), columns.beside if columns else None))
        return lambda record: read(record, names, for_prediction), notes
    mapping = find_columns(table, columns or Columns(), label_needed=not for_prediction)
    table.names = mapping.names
    texts = [(canonical, name) for canonical, name in mapping.names.items() if canonical != "label"]
    label = None if for_prediction else mapping.names.get("label")

    def row(record: Record) -> Row:
        made: Row = {canonical: as_text(record.get(name), name) for canonical, name in texts}
        return made if label is None else made | {"label": _label(record, label)}

    return row, mapping.notes


def refusal(source: str, problems: list[tuple[int, str]]) -> DataError:
    """Every problem with its line, in their order."""
    return DataError([f"{source}:{line}: {what}" for line, what in sorted(problems, key=lambda problem: problem[0])])


def refuse_empty(table: Table) -> NoReturn:
    """DataError for a table without a record that could be read."""
    if table.problems:
        raise refusal(table.source, table.problems)
    header = f"a header ({', '.join(table.header[:5])}) and " if table.header_line else ""
    raise DataError(f"{table.top}: found {header}no rows, expected at least one; add rows")


def skipped(source: str, problems: list[tuple[int, str]]) -> list[str]:
    """A note on the rows that are left out."""
    if not problems:
        return []
    line, reason = min(problems, key=lambda problem: problem[0])
    return [f"{source}: {len(problems)} bad rows skipped, the first at line {line}: {reason}"]


def empties(source: str, count: int, first: int) -> list[str]:
    """A note on texts without a word; `first` is the line of one."""
    if not count:
        return []
    return [f"{source}: {count} rows have an empty text, the first at {source}:{first}; they are kept"]


def is_empty(row: Row) -> bool:
    """Whether nothing stands in any text of the row."""
    return not any(value.strip() for name, value in row.items() if name != "label")


def _opened(path: Path, encoding: str | None, for_prediction: bool, suffix: str) -> Opened:
    if path.is_dir():
        raise DataError(f"{path}: is a folder, expected a file; name one of the files in it")
    if not path.exists():
        hint = TEXT_BY_HAND if for_prediction and (" " in path.name or not path.suffix) else ""
        raise DataError(f"{path}: there is no such file; {_neighbours(path)}{hint}")
    with path.open("rb") as binary:
        head = binary.read(HEAD)
        if what := foreign(head):
            raise DataError(f"{path}: is {what}, expected CSV, TSV, JSON lines or Parquet; save it as CSV in UTF-8")
        if head.startswith(b"PAR1") or suffix == ".parquet":
            return Opened(str(path), "utf-8", partial(parquet_records, path))
        found = detect(binary, str(path), encoding)
        read = _reader_of(io.TextIOWrapper(binary, found), suffix, for_prediction)
    return Opened(str(path), found, _of_text(path, found, read))


def _reader_of(stream: TextIO, suffix: str, for_prediction: bool) -> ReadText:
    """By the ending and, where it says little, the beginning of the file."""
    if suffix in (".jsonl", ".ndjson"):
        return json_line_records
    if suffix == ".json" and looks_like_squad(stream):
        return _whole(partial(read_squad, for_prediction=for_prediction))
    if suffix == ".json":
        return json_records
    if suffix in CONLL or (suffix != ".csv" and looks_like_conll(stream)):
        return conll_texts if for_prediction else _whole(read_conll)
    if suffix in (".csv", ".tsv", ".tab"):
        return partial(csv_records, usual="," if suffix == ".csv" else "\t")
    return _reader_of_unknown(stream, for_prediction)


def _reader_of_unknown(stream: TextIO, for_prediction: bool) -> ReadText:
    """A file whose name says nothing, such as `.txt`: JSON, a table with a header, or (to predict) one text a line.

    A column's name alone on a line, such as `news`, may as well be a text: only a delimiter makes it a header.
    """
    first = _first_line(stream)
    if _is_object(first) or _is_list(first):
        return json_records
    if for_prediction and not (_is_header(first, TEXT_NAMES) and sniff_delimiter(first, "\t") in first):
        return _text_lines
    return partial(csv_records, usual="\t")


def _of_text(path: Path, encoding: str, read: ReadText) -> Callable[[Table], Iterator[Placed]]:
    def records(table: Table) -> Iterator[Placed]:
        with path.open(encoding=encoding, errors="strict") as stream:
            yield from read(stream, table)

    return records


def _whole(fill: Callable[[TextIO, Table], list[str]]) -> ReadText:
    """A format that must be read to its end before its first row is known; `fill` gives notes."""

    def records(stream: TextIO, table: Table) -> Iterator[Placed]:
        made = Table(table.source, table.encoding)
        table.notes = table.notes + fill(stream, made)
        table.header, table.problems = made.header, table.problems + made.problems
        yield from zip(made.lines, made.records, strict=True)

    return records


def _unreadable(source: str, error: OSError, hint: str = "") -> DataError:
    """A name that is too long for a file is mostly the content of one."""
    shown = f"{source[:40]}..." if error.errno == errno.ENAMETOOLONG else source
    return DataError(f"{shown}: cannot be read ({error.strerror or error}){hint}")


def _renamed(source: str, names: dict[str, str]) -> list[str]:
    renamed = [f"{name!r} as {canonical}" for canonical, name in names.items() if name != canonical]
    return [f"{source}: read {', '.join(renamed)}"] if renamed else []


def _first_line(stream: TextIO) -> str:
    """The first line that is not blank, or nothing of one past all limits; rewinds the stream."""
    lines = (line if line is None else line.strip("\ufeff \t\r") for _, line in bounded_lines(stream))
    first = next((line for line in lines if line != ""), None)
    stream.seek(0)
    return first or ""


def begins_with_object(stream: TextIO) -> bool:
    """Whether the first line that is not blank is a JSON object, as of JSON lines; rewinds the stream."""
    return _is_object(_first_line(stream))


def _is_object(line: str) -> bool:
    """Whether the line is JSON, and not a text that begins with a brace."""
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _is_list(line: str) -> bool:
    """Whether a JSON list of objects begins here, of which the first object may stand on the next line."""
    return line.startswith("[") and line[1:].lstrip()[:1] in ("", "{")


def _is_header(line: str, names: Collection[str]) -> bool:
    """Whether a cell of the line is one of these column names."""
    cells = line.split(sniff_delimiter(line, "\t"))[:50]
    return not {folded(cell.strip().strip('"')) for cell in cells}.isdisjoint(map(folded, names))


def _no_columns(name: str, columns: Columns) -> list[str]:
    if not columns.texts:
        return []
    wanted = ", ".join(map(repr, columns.texts))
    return [f"{name}: plain lines have no column {wanted}, each is read as one text; columns are for JSON lines"]


def _text_lines(stream: TextIO, table: Table) -> Iterator[Placed]:
    """One text a line."""
    table.header = ["text"]
    for number, line in bounded_lines(stream):
        if line is None or "\0" in line:
            table.problems.append((number, TOO_LONG if line is None else NUL))
        else:
            yield number, {"text": line.removeprefix("\ufeff") if number == 1 else line}


def _label(record: Record, name: str) -> Label:
    if name not in record:
        raise CellError(f"there is no {name!r}, expected a label; fill it in or delete the row")
    return as_label(record[name], name)


def _empties(rows: Rows) -> list[str]:
    empty = [i for i, row in enumerate(rows) if is_empty(row)]
    return empties(rows.source, len(empty), rows.lines[empty[0]]) if empty else []


def _several(rows: Rows) -> list[str]:
    labels = rows.column("label")
    if not isinstance(labels[0], list):
        return []
    places = [i for i, label in enumerate(labels) if len(label) > 1]
    first = f", the first at {rows.where(places[0])}" if places else ""
    return [f"{rows.source}: {len(places)} of {len(rows)} rows have several labels{first}; every label is a list"]


def _neighbours(path: Path) -> str:
    folder = path.parent
    names = sorted(file.name for file in folder.iterdir()) if folder.is_dir() else []
    shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    return f"{folder} holds {shown or 'nothing'}" if folder.is_dir() else f"the folder {folder} does not exist either"
