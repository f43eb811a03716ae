"""JSON lines and JSON lists: objects with the columns as keys.

In:  a text stream
Out: records one by one; a Table gets the names, and as a problem with its line what is not one JSON object
Knows nothing of encodings or of what the columns mean.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, TextIO

from bertie.core.errors import DataError
from bertie.data.table import NUL, TOO_LONG, Placed, Table, bounded_lines

_KINDS = {list: "an array", str: "a string", int: "a number", float: "a number", bool: "a boolean", type(None): "null"}
_SPACE = re.compile(r"\s*")


def json_line_records(stream: TextIO, table: Table) -> Iterator[Placed]:
    """One object a line. Blank lines are passed over; the header is complete when the last record has been read."""
    names: dict[str, None] = {}
    for number, line in bounded_lines(stream):
        if line is None or "\0" in line:
            table.problems.append((number, TOO_LONG if line is None else NUL))
        elif text := line.removeprefix("\ufeff").strip():
            yield from _record(table, names, number, text)
    table.header = list(names)


def _record(table: Table, names: dict[str, None], number: int, text: str) -> Iterator[Placed]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        advice = "if the file is one JSON list, name it .json" if text == "[" else "expected one JSON object in a line"
        table.problems.append((number, f"this is not valid JSON ({reason(error)}); {advice}"))
        return
    if isinstance(value, dict):
        names.update(dict.fromkeys(value))
        yield number, value
    else:
        table.problems.append((number, _not_an_object(value)))


def json_records(stream: TextIO, table: Table) -> Iterator[Placed]:
    """The objects of one list, whose text is held whole; a `.json` file that holds JSON lines is read as such."""
    start = stream.read(4096).lstrip("\ufeff \t\r\n")
    stream.seek(0)
    if start.startswith("{"):
        yield from json_line_records(stream, table)
        return
    text = stream.read()
    position = _skip(text, len(text) - len(text.lstrip("\ufeff")))
    if not text.startswith("[", position):
        raise DataError(f"{table.top}: found {start[:20]!r}, expected a JSON list of objects or JSON lines")
    yield from _list_records(text, position + 1, table)


def _list_records(text: str, position: int, table: Table) -> Iterator[Placed]:
    decoder, names = json.JSONDecoder(), dict[str, None]()
    line, counted = 1, 0
    position = _skip(text, position)
    while not text.startswith("]", position):
        line, counted = line + text.count("\n", counted, position), position
        try:
            value, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            advice = "repair it; nothing after it can be read"
            raise DataError(f"{table.source}:{line}: this is not valid JSON ({reason(error)}); {advice}") from error
        if isinstance(value, dict):
            names.update(dict.fromkeys(value))
            yield line, value
        else:
            table.problems.append((line, _not_an_object(value)))
        position = _skip(text, position)
        if text.startswith(",", position):
            position = _skip(text, position + 1)
        elif not text.startswith("]", position):
            raise DataError(f"{table.source}:{line}: the JSON list breaks off after this record; repair the file")
    table.header = list(names)
    rest = _skip(text, position + 1)
    if rest < len(text):
        line += text.count("\n", counted, rest)
        what = f"found {text[rest : rest + 20]!r} behind the end of the JSON list, expected nothing"
        raise DataError(f"{table.source}:{line}: {what}; make one list of all records, or write JSON lines")


def _skip(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    assert found is not None  # the pattern also matches nothing
    return found.end()


def _not_an_object(value: Any) -> str:
    return f'{_KINDS[type(value)]}, expected a JSON object such as {{"text": ..., "label": ...}}'


def reason(error: Exception) -> str:
    """Why the JSON parser refused, without its own count of lines."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.colno}"
    return "nested too deeply" if isinstance(error, RecursionError) else "a number is too long"
