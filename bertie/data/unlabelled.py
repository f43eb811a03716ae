"""Unlabelled rows: to be answered, read anew each time they are asked for, and never held.

In:  a path, or a stream; the names that a person gave; the kind of rows that a task reads
Out: Unlabelled: rows as often as one asks, also with their lines, what a person should know; DataError with every
     problem before the first row
Knows nothing of tasks and models.

A file is read three times: for its header (JSON lines may bring a new name on every line), to check every row, and to
give them; each time is far less than a model needs. So a million rows need no more memory than a thousand.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from bertie.data.cells import CellError, as_text
from bertie.data.columns import Columns, folded
from bertie.data.kinds import LABELS
from bertie.data.readers import Opened, empties, is_empty, open_file, open_stream, refusal, refuse_empty, row_reader
from bertie.data.readers import skipped as skipped_note
from bertie.data.rows import Row
from bertie.data.sources import ReadOptions
from bertie.data.table import Placed, Record, Table


@dataclass(frozen=True)
class Unlabelled:
    """Rows of a file that has been checked."""

    notes: list[str]
    opened: Opened
    read: Callable[[Record], Row]
    identity: str | None = None
    """The column by which a person knows the rows again."""

    def __iter__(self) -> Iterator[Row]:
        return (row for _, _, row in self._records())

    def placed(self) -> Iterator[Placed]:
        """Each row with its line, or number, and its `id` where it has one."""
        return ((line, {**_identity(record, self.identity), **row}) for line, record, row in self._records())

    def _records(self) -> Iterator[tuple[int, Record, Row]]:
        for line, record in self.opened.records(self.opened.table()):
            try:
                row = self.read(record)
            except CellError:
                continue  # it was counted, and would have been refused unless bad rows are to be skipped
            yield line, record, row


def unlabelled_rows(path: str | Path, options: ReadOptions) -> Unlabelled:
    """The rows of a file, for which no label is needed."""
    return _checked(open_file(Path(path), options.encoding, for_prediction=True), options)


@contextmanager
def unlabelled_stream(binary: BinaryIO, options: ReadOptions, name: str = "stdin") -> Iterator[Unlabelled]:
    """The rows of a stream, which waits in a temporary file: it is to be checked to its end before it is answered."""
    with tempfile.NamedTemporaryFile() as waiting:
        shutil.copyfileobj(binary, waiting)
        waiting.flush()
        yield _checked(open_stream(Path(waiting.name), name, options.columns, options.encoding), options)


def _checked(opened: Opened, options: ReadOptions) -> Unlabelled:
    table = _scanned(opened)
    columns, kind = Columns() if opened.plain else options.columns, options.kind or LABELS
    read, notes = row_reader(table, kind, columns, for_prediction=True)
    problems, good, empty, first = list(table.problems), 0, 0, 0
    for line, record in opened.records(opened.table()):
        try:
            row = read(record)
        except CellError as error:
            problems.append((line, str(error)))
            continue
        good += 1
        if kind == LABELS and is_empty(row):
            empty, first = empty + 1, first or line
    if problems and not (options.skip_bad_rows and good):
        raise refusal(opened.source, problems)
    said = [*table.notes, *notes, *skipped_note(opened.source, problems), *empties(opened.source, empty, first)]
    return Unlabelled(said, opened, read, next((name for name in table.header if folded(name) == "id"), None))


def _identity(record: Record, name: str | None) -> Row:
    """The `id` of a record, a text or a whole number; nothing where it has none, as the answer needs none."""
    value = record.get(name) if name is not None else None
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # pandas turns numbers into floats where one is missing
    if isinstance(value, int) and not isinstance(value, bool):
        return {"id": value}
    try:
        return {"id": value} if isinstance(value, str) and as_text(value, "id") else {}
    except CellError:
        return {}


def _scanned(opened: Opened) -> Table:
    """The header, the structure's problems and, to say where the data begins, the first record alone."""
    table = opened.table()
    for line, record in opened.records(table):
        if not table.records:
            table.add(line, record)
    if not table.records:
        refuse_empty(table)
    return table
