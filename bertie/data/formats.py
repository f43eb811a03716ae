"""Formats: the files that can be read and written, by the names that a person gives.

In:  a name, or the ending of a path; rows
Out: how such a file is read; its content, proved by reading it again
Knows nothing of commands, tasks and models.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bertie.core.errors import DataError, UsageError
from bertie.data import annotation_writer, table_writer
from bertie.data.annotation_writer import Written
from bertie.data.readers import ReadAs, read_rows
from bertie.data.rows import Rows
from bertie.data.tags import Scheme

Write = Callable[[Rows], tuple[bytes, list[str]]]
"""The content of a file, and what a person should know of it."""


@dataclass(frozen=True)
class Format:
    """One format."""

    name: str
    about: str
    endings: tuple[str, ...]
    """By which it is recognised, to read and to write."""
    read: ReadAs
    write: Write | None = None
    """None: it is only read."""
    changes_texts: bool = field(default=False)
    """Whether a text may come back with other spaces, so that only counts can be compared."""


def _table(write: Callable[[Rows], bytes]) -> Write:
    return lambda rows: (write(rows), [])


def _annotated(write: Callable[[Rows], Written]) -> Write:
    def content(rows: Rows) -> tuple[bytes, list[str]]:
        written = write(rows)
        return written.content.encode(), written.notes

    return content


def _tagged(name: str, scheme: Scheme, endings: tuple[str, ...], about: str) -> Format:
    write = _annotated(partial(annotation_writer.to_conll, scheme=scheme))
    return Format(name, about, endings, ReadAs(".conll"), write, changes_texts=True)


FORMATS: dict[str, Format] = {
    one.name: one
    for one in (
        Format("csv", "comma separated, with a header", (".csv",), ReadAs(".csv"), _table(table_writer.to_csv)),
        Format("tsv", "tab separated, with a header", (".tsv", ".tab"), ReadAs(".tsv"), _table(table_writer.to_tsv)),
        Format(
            "jsonl",
            "an object a line",
            (".jsonl", ".ndjson"),
            ReadAs(".jsonl"),
            _table(table_writer.to_json_lines),
        ),
        Format("json", "a list of objects", (), ReadAs(".json")),
        Format("parquet", "columns", (".parquet",), ReadAs(".parquet"), _table(table_writer.to_parquet)),
        _tagged("conll", "BIO", (".conll", ".bio", ".iob2"), "a token and its tag a line: B-PER I-PER O"),
        _tagged("iob1", "IOB1", (".iob1", ".iob"), "the same, B- only between two of one type, as CoNLL-2003 has it"),
        _tagged("bioes", "BIOES", (".bioes",), "the same with E- for the last token and S- for a single one"),
        _tagged("bmes", "BMES", (".bmes",), "the same with B- M- E- S-"),
        _tagged("bilou", "BILOU", (".bilou",), "the same with B- I- L- U-"),
        Format(
            "spans",
            'JSON lines of {"text", "entities": [{"start", "end", "label"}]}',
            (),
            ReadAs(".jsonl", "spans"),
            _annotated(annotation_writer.to_spans),
        ),
        Format(
            "doccano",
            'JSON lines of {"text", "label": [[start, end, label]]}',
            (),
            ReadAs(".jsonl", "doccano"),
            _annotated(annotation_writer.to_doccano),
        ),
        Format(
            "label_studio",
            "the JSON export of Label Studio",
            (),
            ReadAs(".json", "label_studio"),
            _annotated(annotation_writer.to_label_studio),
        ),
        Format("squad", "nested JSON of SQuAD 1, SQuAD 2 or CMRC 2018", (), ReadAs(".json")),
    )
}
OTHER_NAMES = {"bio": "conll", "label-studio": "label_studio"}


def format_of(name: str) -> Format:
    """The format that a person names; UsageError lists those that there are."""
    found = FORMATS.get(OTHER_NAMES.get(name, name))
    if found is None:
        raise UsageError(f"there is no format {name!r}; there are {', '.join(FORMATS)}")
    return found


def format_to_write(path: Path, name: str | None) -> Format:
    """The format that is named, else that of the ending; UsageError where it cannot be written."""
    ending = path.suffix.lower()
    chosen = format_of(name) if name else next((one for one in FORMATS.values() if ending in one.endings), None)
    writable = ", ".join(one.name for one in FORMATS.values() if one.write)
    if chosen is None:
        raise UsageError(f"{path}: the ending {ending!r} tells no format to write; name one with --to: {writable}")
    if chosen.write is None:
        raise UsageError(f"{chosen.name} is only read, not written; there are {writable}")
    return chosen


def write_rows(rows: Rows, path: Path, chosen: Format) -> list[str]:
    """Writes a file of this format, reads it again, and returns what a person should know.

    DataError names the rows that the format cannot hold, or that would come back as others.
    """
    assert chosen.write is not None, f"{chosen.name} is only read"
    content, notes = chosen.write(rows)
    path.write_bytes(content)
    try:
        again = read_rows(path, kind=rows.kind, read_as=chosen.read)
    except DataError as error:
        first = error.problems[0].removeprefix(f"{path}:")
        raise DataError(f"{rows.source}: {chosen.name} cannot hold these rows, line {first}; take jsonl") from error
    if chosen.changes_texts and notes:
        return notes
    pairs = zip(rows, again, strict=False)
    changed = [i for i, (row, other) in enumerate(pairs) if _plain(row) != _plain(other)]
    if changed or len(rows) != len(again):
        places = [rows.where(i) for i in changed] or [rows.source]
        raise DataError([f"{place}: {chosen.name} would give another row back; take jsonl" for place in places])
    return notes


def _plain(row: dict[str, object]) -> dict[str, object]:
    """Without what says nothing: an empty cell and a missing one are the same."""
    return {name: value for name, value in row.items() if value not in ("", None, [])}
