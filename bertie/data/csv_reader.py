"""CSV and TSV, strictly: every record has the header's number of cells, every quote is closed.

In:  a text stream, a delimiter
Out: records one by one, quoted cells with the line ends that stand in them; a Table gets the header, and as problems
     with their line: ragged rows, open quotes, NULs, repeated headers and endless lines
Knows nothing of encodings or of what the columns mean.

Not the csv module: it joins everything after an open quote into one cell, and cannot say where the quote stood.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import TextIOWrapper

from bertie.core.errors import DataError
from bertie.data.table import CELL_LIMIT, NUL, TOO_LONG, Placed, Table, ended_lines

_INSIDE = re.compile(r'[^"]*+(?:""[^"]*+)*+')
_DELIMITERS = ",\t;|"


@dataclass
class _Record:
    """One record, perhaps over several lines, while it is read."""

    line: int
    delimiter: str
    cells: list[str] = field(default_factory=list)
    parts: list[str] | None = None
    """The lines of a quoted cell whose end has not come yet."""
    opened: int = 0
    """The line on which that cell began."""
    size: int = 0
    problem: str = ""
    end: str = ""
    """How the line that is read ends, which belongs to a quoted cell that goes on behind it."""

    def feed(self, line: str, number: int) -> bool:
        """Takes one more line with its end; True when the record is complete or broken."""
        position: int | None = 0
        self.end = line[len(line.rstrip("\r\n")) :]
        line = line.removesuffix(self.end)
        while position is not None:
            if self.parts is None and line.startswith('"', position):
                self.parts, self.opened, self.size, position = [], number, 0, position + 1
            position = self._plain(line, position) if self.parts is None else self._quoted(line, position, self.parts)
        return self.parts is None or bool(self.problem)

    def _plain(self, line: str, position: int) -> int | None:
        stop = line.find(self.delimiter, position)
        self.cells.append(line[position:] if stop < 0 else line[position:stop])
        return None if stop < 0 else stop + 1

    def _quoted(self, line: str, position: int, parts: list[str]) -> int | None:
        """Where the next cell starts; None at the end of the line or at a problem."""
        found = _INSIDE.match(line, position)
        assert found is not None  # the pattern also matches nothing
        end, last = found.end(), found.end() + 1 >= len(line)
        parts.append(found[0] if end < len(line) else found[0] + self.end)
        self.size += len(found[0]) + 1
        if self.size > CELL_LIMIT:
            self.problem = f"the quote opened here is not closed within {CELL_LIMIT:,} characters; close or remove it"
        elif end < len(line) and not last and line[end + 1] != self.delimiter:
            after = f"after a closing quote stands {line[end + 1]!r}, expected {self.delimiter!r}"
            self.problem = f"{after}; double the quotes inside a text"
        elif end < len(line):
            self.cells.append("".join(parts).replace('""', '"'))
            self.parts = None
            return None if last else end + 2
        return None


Raw = tuple[int, list[str], str]
"""Line, cells, and what is wrong (then there are no cells)."""


def raw_records(lines: Iterator[tuple[int, str | None]], delimiter: str) -> Iterator[Raw]:
    """Records in order. After an open quote reading goes on with the line below it, so one mistake costs one row."""
    waiting: deque[tuple[int, str | None]] = deque()
    while (item := waiting.popleft() if waiting else next(lines, None)) is not None:
        number, line = item
        if line is None or "\0" in line:
            yield number, [], TOO_LONG if line is None else NUL
        elif '"' not in line:
            yield number, line.rstrip("\r\n").split(delimiter), ""
        elif delimiter == "\t":
            yield number, _tab_cells(line.rstrip("\r\n")), ""
        else:
            record, used = _quoted_record(item, lines, waiting, delimiter)
            yield (record.opened, [], record.problem) if record.problem else (number, record.cells, "")
            if record.problem:
                waiting.extendleft(reversed([later for later in used if later[0] > record.opened]))


def _quoted_record(
    first: tuple[int, str | None],
    lines: Iterator[tuple[int, str | None]],
    waiting: deque[tuple[int, str | None]],
    delimiter: str,
) -> tuple[_Record, list[tuple[int, str | None]]]:
    """The record that starts with `first`, and the further lines it took."""
    record, used = _Record(first[0], delimiter), [first]
    while True:
        number, line = used[-1]
        if line is None or "\0" in line:
            record.problem = "the quote opened here is not closed before a line that cannot be read; close or remove it"
            return record, used
        if record.feed(line, number):
            return record, used
        item = waiting.popleft() if waiting else next(lines, None)
        if item is None:
            record.problem = "the quote opened here is never closed; close it, remove it, or double it inside a text"
            return record, used
        used.append(item)


def _tab_cells(line: str) -> list[str]:
    """Most TSV files do not quote at all, so a quote counts only where it opens and closes one cell of this line."""
    record = _Record(0, "\t")
    complete = record.feed(line, 0) and not record.problem
    return record.cells if complete else line.split("\t")


def sniff_delimiter(first_line: str, usual: str) -> str:
    """`usual` if the first line has it; otherwise the delimiter that it has most of."""
    best = max(_DELIMITERS, key=lambda d: (first_line.count(d), d == usual))
    return usual if usual in first_line or best not in first_line else best


def csv_records(stream: TextIOWrapper, table: Table, usual: str) -> Iterator[Placed]:
    """Records as they are read. The first line that is not blank is the header; it and what is wrong go to `table`.

    Of `stream` nothing has been read yet: it is told to leave line ends as they are, as offsets count each character.
    """
    stream.reconfigure(newline="")
    lines = ended_lines(stream)
    first = next(((number, line) for number, line in lines if line is None or line.strip()), None)
    if first is None:
        raise DataError(f"{table.top}: the file is empty, expected a header line such as text,label and rows below it")
    delimiter = sniff_delimiter(first[1] or "", usual)
    records = raw_records(_chain(first, lines), delimiter)
    line, names, problem = next(records)
    if problem:
        raise DataError(f"{table.source}:{line}: {problem} (this line is the header)")
    table.header, table.header_line = [name.strip().removeprefix("\ufeff") for name in names], line
    _refuse_twins(table, line)
    for raw in records:
        line, cells, _ = raw
        problem = _problem(names, raw)
        if problem:
            table.problems.append((line, problem))
        elif cells != [""] or len(names) == 1:  # a blank line; in a file of one column it is an empty text
            yield line, dict(zip(table.header, cells, strict=True))


def _chain(first: tuple[int, str | None], rest: Iterator[tuple[int, str | None]]) -> Iterator[tuple[int, str | None]]:
    yield first
    yield from rest


def _refuse_twins(table: Table, line: int) -> None:
    names = [name.casefold() for name in table.header if name]
    twin = next((name for name in names if names.count(name) > 1), None)
    if twin:
        raise DataError(f"{table.source}:{line}: two columns are called {twin!r}, expected different names; rename one")


def _problem(names: list[str], raw: Raw) -> str:
    """What is wrong with a record; nothing of a blank line between rows or at the end."""
    _, cells, problem = raw
    found, expected = len(cells), len(names)
    if problem or cells == [""]:
        return problem
    if found != expected:
        advice = "put a cell that holds the delimiter in double quotes" if found > expected else "add the missing cell"
        return f"{found} cells, expected {expected} as in the header; {advice}"
    repeated = cells == names and expected > 1
    return "the header is repeated, expected a row; delete this line" if repeated else ""
