"""Corpus reader: files, folders and hub data sets to a stream of raw documents.

In:  names as a person gives them, perhaps the text's column and an encoding
Out: documents one by one, each with its place; DataError as `file:line: ...`
Knows nothing of cleaning, tokenizers and shards.

In plain text an empty line ends a document, and a file without one has a document a line. Nothing is held but the
document that is read.
"""

from __future__ import annotations

import importlib
import io
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from bertie.core.errors import DataError
from bertie.core.lock import NAME as LOCK
from bertie.data.columns import TEXT_NAMES, folded
from bertie.data.encoding import HEAD, detect, foreign
from bertie.data.given_rows import GivenRows
from bertie.data.readers import begins_with_object, is_folder, open_file, refusal, refuse_empty
from bertie.data.table import NUL, TOO_LONG, Placed, Table, bounded_lines

DOCUMENT_LIMIT = 1_000_000
"""Characters after which a document of plain text ends with its line: an endless text is never held whole."""
LOOKED_AT = 1000
"""Records whose names are looked at to find the text, where no header names all columns."""
_MODELS = ("bundle.json", "tokenizer.json")
_TABLES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")
_PLAIN = (".txt", ".text", ".md")

Found = tuple[int, str]
"""A document and the line, or record number, on which it begins."""


@dataclass(frozen=True)
class Source:
    """One file, or one data set of the hub, which can be read again and again."""

    name: str
    read: Callable[[], Iterator[Found]]
    note: str
    """What was recognised, for a person."""
    path: Path | None = None
    """Where the file lies; None for the hub."""
    identity: str = ""
    """What stands for the content of a data set of the hub; files are looked into."""


def open_sources(names: Sequence[str], text_column: str | None, encoding: str | None) -> list[Source]:
    """The sources in order, those of a folder by their paths. DataError: no such thing, or not what can be read.

    The encoding of every file is checked to its end here; what is wrong in a single line shows when it is read.
    """
    found: list[Source] = []
    for name in names:
        if name.startswith("hub:"):
            found.append(_hub(name, text_column))
        elif is_folder(Path(name)):
            found += [_file(path, text_column, encoding) for path in _files(Path(name))]
        else:
            found.append(_file(Path(name), text_column, encoding))
    if not found:
        raise DataError("found no corpus, expected one or more files, folders or hub:NAME; name them")
    seen: set[Path] = set()
    for path in (source.path.resolve() for source in found if source.path):
        if path in seen:
            raise DataError(f"{path}: is named twice; name each file once (a folder names all files in it)")
        seen.add(path)
    return found


def open_rows(rows: GivenRows, text_column: str | None) -> Source:
    """Rows in memory, a document each. DataError: none of them can be read, or no column is the text."""
    table = rows.table()
    placed = list(zip(table.lines, table.records, strict=True))
    chosen = _chosen(iter(placed), table, text_column)
    if chosen is None:
        refuse_empty(table)
    found = list(_column(iter(placed), table, chosen))
    if table.problems:
        raise refusal(table.source, table.problems)
    return Source(rows.source, lambda: iter(found), f"{rows.source}: column {chosen!r} of {len(found)} rows")


def _files(folder: Path) -> list[Path]:
    try:
        every = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    except OSError as error:
        raise DataError(f"{folder}: cannot be listed ({error.strerror or error})") from error
    shown = [path for path in every if not any(part.startswith(".") for part in path.parts)]
    made = _made(shown)
    found = [path for path in shown if path.suffix.lower() in (*_PLAIN, *_TABLES) and made.isdisjoint(path.parents)]
    if not found:
        holds = ", ".join(path.name for path in shown[:8]) or "nothing"
        beside = " beside models, tokenizers and trainings" if made else ""
        endings = ", ".join((*_PLAIN, *_TABLES))
        raise DataError(f"{folder}: holds {holds}, expected files that end with {endings}{beside}")
    return [folder / path for path in found]


def _made(inside: Sequence[Path]) -> set[Path]:
    """Folders within a folder that hold a model, a tokenizer or a training: their files are no texts of a corpus, and a
    training must not read itself."""
    models = {path.parent for path in inside if path.name in _MODELS}
    trainings = {path.parents[1] for path in inside if path.parts[-2:] == ("run", LOCK)}
    return (models | trainings) - {Path()}


def _file(path: Path, text_column: str | None, encoding: str | None) -> Source:
    try:
        with path.open("rb") as binary:
            head = binary.read(HEAD)
            if what := foreign(head):
                raise DataError(f"{path}: is {what}, expected plain text, JSON lines or Parquet; unpack or convert it")
            if not head:
                raise DataError(f"{path}:1: the file is empty, expected text; delete it or leave it out")
            if head.startswith(b"PAR1") or path.suffix.lower() in _TABLES:
                return _table(path, text_column, encoding)
            found = detect(binary, str(path), encoding)
            stream = io.TextIOWrapper(binary, found)
            if begins_with_object(stream):
                return _table(path, text_column, found, suffix=".jsonl")
            parted = _has_empty_line(stream)
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file or folder; check the name") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    how = "an empty line ends a document" if parted else "no empty line, so each line is a document"
    return Source(str(path), lambda: _plain(path, found, parted), f"{path}: plain text in {found}; {how}", path)


def _has_empty_line(stream: TextIO) -> bool:
    """Whether an empty line stands between two lines of text; reads only as far as the first."""
    text, gap = False, False
    for _, line in bounded_lines(stream):
        if line is None or line.strip("\ufeff \t\r\u3000"):
            if gap:
                return True
            text = True
        else:
            gap = text
    return False


def _plain(path: Path, encoding: str, parted: bool) -> Iterator[Found]:
    lines: list[str] = []
    begin, size = 1, 0
    with path.open(encoding=encoding, errors="strict") as stream:
        for number, line in bounded_lines(stream):
            if line is None or "\0" in line:
                raise DataError(f"{path}:{number}: {TOO_LONG if line is None else NUL}")
            if line.strip():
                begin = begin if lines else number
                lines.append(line.removeprefix("\ufeff") if number == 1 else line)
                size += len(line)
            if lines and (not parted or not line.strip() or size >= DOCUMENT_LIMIT):
                yield begin, "\n".join(lines)
                lines, size = [], 0
    if lines:
        yield begin, "\n".join(lines)


def _table(path: Path, text_column: str | None, encoding: str | None, suffix: str | None = None) -> Source:
    opened = open_file(path, encoding, for_prediction=True, suffix=suffix)
    first = opened.table()
    chosen = _chosen(opened.records(first), first, text_column)
    if chosen is None:
        raise refusal(opened.source, first.problems or [(1, "found no records, expected at least one; add some")])
    column: str = chosen

    def read() -> Iterator[Found]:
        table = opened.table()
        yield from _column(opened.records(table), table, column)
        if table.problems:
            raise refusal(opened.source, table.problems)

    return Source(str(path), read, f"{path}: column {column!r} of a table in {opened.encoding}", path)


def _column(placed: Iterator[Placed], table: Table, column: str) -> Iterator[Found]:
    """The texts of a table; what is no text is a problem of the table, nothing (null) is an empty document."""
    for line, record in placed:
        value = record.get(column)
        if isinstance(value, str) or value is None:
            yield line, value or ""
        else:
            what = f"{column!r} is a {type(value).__name__}, expected a text"
            table.problems.append((line, f"{what}; choose another column with --text-column"))


def _chosen(placed: Iterator[Placed], table: Table, text_column: str | None) -> str | None:
    """The column that holds the text; None where there is no record.

    It is what the person named, which is looked for in all records, else the first of the usual names that half of the
    first records have, or at least one. JSON lines name in each record what is in that one alone.
    """
    counts: Counter[str] = Counter()
    looked = 0
    for looked, (_, record) in enumerate(placed, start=1):
        if text_column in record:
            return text_column
        if looked <= LOOKED_AT:
            counts.update(list(record))
        if table.header or (looked == LOOKED_AT and text_column is None):
            break
    if not looked:
        return None
    names = list(counts)
    if text_column is not None:
        found = f"there is no column {text_column!r}"
    else:
        by_name = {folded(name): name for name in reversed(names)}
        usual = [by_name[name] for name in TEXT_NAMES if name in by_name]
        often = [name for name in usual if 2 * counts[name] >= min(looked, LOOKED_AT)]
        if usual:
            return (often or usual)[0]
        found = "no column is named text"
    shown = ", ".join(repr(name) for name in names[:10])
    raise DataError(f"{table.top}: {found}; found {shown or 'none'}; name the text's column with --text-column")


def _hub(name: str, text_column: str | None) -> Source:
    # `datasets` takes seconds to import; only who names the hub pays for it.
    hub = importlib.import_module("bertie.data.hub_rows")
    records = hub.TrainRecords(name)
    table = Table(records.source)

    def read() -> Iterator[Found]:
        column = _chosen(iter(records), table, text_column)
        if column is not None:
            yield from _column(iter(records), table, column)
        if table.problems:
            raise refusal(table.source, table.problems)

    return Source(records.source, read, f"{records.source}: {len(records)} records", identity=records.identity)
