"""Rows: what a reader hands on. A row is a dict of columns; `Rows` remembers where each one stood.

In:  dicts with canonical column names (text, text_a, text_b, label, ...), the file and the line of each
Out: a sequence of rows; `where(i)` for error messages; a fingerprint of the content
Knows nothing of file formats, tasks or models.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, overload

from bertie.core.errors import DataError

Row = dict[str, Any]
T = TypeVar("T", bound="str | Mapping[str, Any]")
ROWS_PER_BLOCK = 4096
CHARACTERS_PER_BLOCK = 500_000
"""Bounds of what is encoded at once, so that memory does not grow with a file: an encoded character costs 100 to 300
bytes. Rows are sorted by length inside a block; with fewer of them batches would have more padding."""


@dataclass(frozen=True)
class Rows(Sequence[Row]):
    """A table in memory.

    `lines[i]` is the line (or record number) of row i in `source`; empty when the rows were made in Python.
    """

    rows: list[Row]
    source: str = "rows"
    lines: list[int] = field(default_factory=list)
    encoding: str = "utf-8"
    notes: list[str] = field(default_factory=list, compare=False)
    """What the reader chose, skipped or found empty; a part of the rows does not carry it on."""
    kind: str = "labels"
    """What the columns are; see `kinds`."""
    beside: list[str] = field(default_factory=list)
    """By what rows are divided, where somebody named a column for it: a group, or a time, for each row."""
    first: int | None = field(default=None, compare=False)
    """The number that the file gives the first choice of a row, where it shows that; in the rows it is always 0."""
    names: Mapping[str, str] = field(default_factory=dict, compare=False)
    """The file's name of each column."""

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Rows: ...
    def __getitem__(self, index: int | slice) -> Row | Rows:
        if isinstance(index, slice):
            return self.take(range(len(self.rows))[index])
        return self.rows[index]

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def take(self, indices: Iterable[int]) -> Rows:
        """The rows with these indices, in this order, each still knowing its line."""
        chosen = list(indices)
        lines = [self.lines[i] for i in chosen] if self.lines else []
        beside = [self.beside[i] for i in chosen] if self.beside else []
        taken = [self.rows[i] for i in chosen]
        return replace(self, rows=taken, lines=lines, notes=[], beside=beside)

    def blocks(self) -> Iterator[Rows]:
        """The rows in order, in `blocks`."""
        start = 0
        for block in blocks(self.rows):
            yield self.take(range(start, start + len(block)))
            start += len(block)

    def where(self, index: int) -> str:
        """`file:line` of a row, for messages to the person who wrote it."""
        return f"{self.source}:{self.lines[index] if self.lines else index + 1}"

    def column(self, name: str) -> list[Any]:
        """One column, in order; None where a row does not have it."""
        return [row.get(name) for row in self.rows]

    def with_column(self, name: str, values: Sequence[Any]) -> Rows:
        """The same rows, lines and notes with other values in one column."""
        return replace(self, rows=[{**row, name: value} for row, value in zip(self.rows, values, strict=True)])

    def fingerprint(self) -> str:
        """SHA-256 of the content, in order, whatever file format or encoding it came from."""
        digest = hashlib.sha256()
        for row in self.rows:
            digest.update(json.dumps(row, sort_keys=True, ensure_ascii=True, default=str).encode() + b"\n")
        return digest.hexdigest()


def check_several(rows: object) -> None:
    """DataError where one text, one row or a data frame stands for a list: a loop over it would give characters or the
    names of columns, each of which gets a plausible answer.
    """
    if isinstance(rows, str):
        raise DataError("found one text, expected a list of texts; put it into one: [text]")
    if isinstance(rows, Mapping):
        raise DataError("found one row, expected a list of rows; put it into one: [row]")
    if getattr(rows, "ndim", 1) != 1:
        raise DataError(
            f"found a {type(rows).__name__} of {getattr(rows, 'ndim', 1)} dimensions, expected a list of texts or of "
            "rows; of a data frame take frame.to_dict('records')"
        )


def column_of_text(columns: Sequence[str]) -> str | None:
    """Which of a task's columns a bare text is: the only one; of several `text`, which may say what the others would,
    as where entities are marked in it. None: none of them.
    """
    return columns[0] if len(columns) == 1 else next((name for name in columns if name == "text"), None)


def blocks(rows: Iterable[T], count: int | None = None, characters: int | None = None) -> Iterator[list[T]]:
    """Rows, or texts, in order and in runs that are as long as these bounds allow, or those above where none are given;
    a row past them is alone."""
    most, longest = count or ROWS_PER_BLOCK, characters or CHARACTERS_PER_BLOCK
    block: list[T] = []
    held = 0
    for row in rows:
        size = _characters(row)
        if block and (len(block) >= most or held + size > longest):
            yield block
            block, held = [], 0
        block.append(row)
        held += size
    if block:
        yield block


def _characters(value: Any) -> int:
    """Characters of a text, or of the texts in a row and its lists."""
    if isinstance(value, str):
        return len(value)
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return sum(map(_characters, parts))
