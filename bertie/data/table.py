"""A table: what the reader of a format hands on, before anybody knows which column is the text.

In:  nothing; the readers of the formats fill it
Out: column names, one dict a record, the line of each, and the records that could not be read
Knows nothing of formats, of texts and labels, or of files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TextIO

Record = dict[str, Any]
Placed = tuple[int, Record]
"""A record and the line, or number, that it stands on."""
LINE_LIMIT = 4_000_000
"""Characters in a line; more is a broken file, and would otherwise be held in memory whole."""
CELL_LIMIT = 1_000_000
"""Characters in one text."""
TOO_LONG = (
    f"the line is longer than {LINE_LIMIT:,} characters, expected one record; look for missing line ends or delete it"
)
NUL = "the line holds a NUL character, expected text; delete it, or name the encoding with --encoding"


@dataclass
class Table:
    """Records as they stand in the file. `lines[i]` is the line (or record number) of `records[i]`."""

    source: str
    encoding: str = "utf-8"
    header: list[str] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    problems: list[tuple[int, str]] = field(default_factory=list)
    """Line, and what is wrong with the record there."""
    notes: list[str] = field(default_factory=list)
    """What the reader of the format chose or passed over."""
    header_line: int = 0
    """The line that the names stood on, which might be a row of data; 0 where every record brings its names."""
    first: int | None = None
    """The number of a row's first choice, where answers are numbers; None: nothing shows it."""
    names: dict[str, str] = field(default_factory=dict)
    """The column that was taken for each that rows have."""

    @property
    def top(self) -> str:
        """`file:line` where the data begins, for what is wrong with all of it."""
        return f"{self.source}:{self.header_line or (self.lines[0] if self.lines else 1)}"

    def add(self, line: int, record: Record) -> None:
        """A record that could be read."""
        self.lines.append(line)
        self.records.append(record)

    def fill(self, placed: Iterable[Placed]) -> None:
        """All records of a reader."""
        for line, record in placed:
            self.add(line, record)


def bounded_lines(stream: TextIO) -> Iterator[tuple[int, str | None]]:
    """(number, line without its end) from 1; None in place of a line past LINE_LIMIT, which is never held whole."""
    number = 0
    while line := stream.readline(LINE_LIMIT):
        number += 1
        whole = len(line) < LINE_LIMIT or line.endswith("\n")
        if not whole:
            while (rest := stream.readline(LINE_LIMIT)) and not rest.endswith("\n"):
                pass
        yield number, line.removesuffix("\n") if whole else None


def ended_lines(stream: TextIO) -> Iterator[tuple[int, str | None]]:
    """The same with each line's own end, of a stream opened with newline="": there it is LF, CR, or both."""
    number, size = 0, LINE_LIMIT + 1  # an end may be two characters, one more than above
    while line := stream.readline(size):
        number += 1
        whole = len(line.rstrip("\r\n")) < LINE_LIMIT
        while not whole and line and not _is_ended(line, size):
            line = stream.readline(size)
        yield number, line if whole else None


def _is_ended(line: str, size: int) -> bool:
    """Whether a part of a line is its last; behind a CR at which it was cut the LF may still come."""
    return line.endswith("\n") or (line.endswith("\r") and len(line) < size)
