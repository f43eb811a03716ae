"""Cells: one value of a file to a text or a label, or a reason why it cannot be one.

In:  a value as a format's reader gave it
Out: a str, or for several labels a list of them; CellError says what was found and what to do
Knows nothing of files, lines and columns.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any

from bertie.data.table import CELL_LIMIT

Label = str | list[str]

_SURROGATE = re.compile(r"[\ud800-\udfff]")
_NOT_A_LABEL = {"nan", "inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"}


class CellError(ValueError):
    """What was found, what was expected, what to do; the caller knows where."""


def as_text(value: Any, name: str) -> str:
    """The text, unchanged. Nothing (null, a missing key) is the empty text."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if not isinstance(value, str):
        raise CellError(f"{name!r} is {kind(value)}, expected a text; put it in quotes or choose another --text-column")
    if len(value) > CELL_LIMIT:
        raise CellError(f"{name!r} has {len(value):,} characters, expected at most {CELL_LIMIT:,}; split the text")
    _check_characters(value, name)
    return value


def as_label(value: Any, name: str) -> Label:
    """A class as str (numbers keep their digits); several classes from a list. `|` is left for `shape_labels`."""
    if isinstance(value, (list, tuple)):
        return [_one_label(part, name) for part in value]
    return _one_label(value, name)


def shape_labels(columns: Sequence[Sequence[Label]]) -> list[list[Label]]:
    """One kind of label for all files of a task: if any is a list, or several with `|` between, all become lists.

    A `|` with nothing on one side of it is a slip, not a second label.
    """
    parted = [[_parts(label) for label in column] for column in columns]
    several = any(isinstance(label, list) for column in columns for label in column)
    if several or any(len(parts) > 1 for column in parted for parts in column):
        return [list(column) for column in parted]
    return [[parts[0] for parts in column] for column in parted]


def _parts(label: Label) -> list[str]:
    parts = label.split("|") if isinstance(label, str) else label
    return list(dict.fromkeys(part.strip() for part in parts if part.strip()))


def _one_label(value: Any, name: str) -> str:
    if value is None or (isinstance(value, str) and not value.replace("|", "").strip()):
        raise CellError(f"{name!r} is empty, expected a label; fill it in or delete the row")
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # pandas turns classes into floats where one is missing; 1.0 and 1 are one class
    text = str(value).strip() if isinstance(value, (str, int, float)) else ""
    if not text:
        raise CellError(f"{name!r} is {kind(value)}, expected a label; write it as a text, a number or a list of texts")
    if text.casefold() in _NOT_A_LABEL:
        raise CellError(f"{name!r} is {text}, expected a label; a value is missing here: fill it in or delete the row")
    if len(text) > CELL_LIMIT:
        raise CellError(f"{name!r} has {len(text):,} characters, expected a short label; check --label-column")
    _check_characters(text, name)
    return text


def _check_characters(text: str, name: str) -> None:
    if "\0" in text:
        raise CellError(f"{name!r} holds a NUL character, expected text; delete it")
    if _SURROGATE.search(text):
        raise CellError(f"{name!r} holds half a character (a lone surrogate), expected text; repair it")


def json_of(cell: str, other: Any = None) -> Any:
    """What is written as JSON in a cell of a table of texts; `other` where it is no JSON."""
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        return other


def kind(value: Any) -> str:
    """What a value is, in words."""
    if isinstance(value, (bool, int, float)):
        return f"the {type(value).__name__} {value}"
    names = {"list": "a list", "dict": "an object", "bytes": "bytes"}
    name = type(value).__name__
    return names.get(name, f"a {name}")
