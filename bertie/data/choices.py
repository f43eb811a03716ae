"""Choices: what a file offers to choose from, and which of it is right.

In:  a record with a list of choices or a column for each, and an answer as an index, a letter or the text
Out: the choices, at least two; the index of the right one; CellError where two readings of the answer disagree
Knows nothing of files and of questions.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bertie.data.cells import CellError, as_text, json_of
from bertie.data.columns import folded
from bertie.data.spans import as_list, as_number, needed, shown

LETTERS = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_COLUMN = re.compile(r"(choice|option|ending|answer|sol|选项|)_?([0-9]{1,2}|[a-z])")
_NUMBER = re.compile(r"[0-9]{1,4}")


def choice_columns(header: Sequence[str]) -> dict[str, str]:
    """`choice0`, `choice1`, ... -> the file's column for each: choice0 or choice1 onwards, optionA, ending0, A B C D.

    Empty where no two such columns follow each other. A number needs a word before it.
    """
    groups = dict[str, dict[str, str]]()
    for name in header:
        match = _COLUMN.fullmatch(folded(name))
        if match and (match[1] or match[2].isalpha()):
            groups.setdefault(match[1], {})[match[2]] = name
    for named in groups.values():
        for marks in ([mark.lower() for mark in LETTERS], map(str, range(100)), map(str, range(1, 100))):
            columns = _in_a_row(named, marks)
            if len(columns) > 1:
                return {f"choice{i}": name for i, name in enumerate(columns)}
    return {}


def _in_a_row(named: Mapping[str, str], marks: Iterable[str]) -> list[str]:
    columns = []
    for mark in marks:
        if mark not in named:
            break
        columns.append(named[mark])
    return columns


def as_choices(record: Mapping[str, Any], names: Mapping[str, str]) -> tuple[list[str], Sequence[str] | None]:
    """The choices of a row, and their marks where the file gives them as {"text": [...], "label": ["A", ...]}.

    `names` has `choices`, or `choice0` and so on; empty cells at the end of a row are choices that it does not have.
    """
    marks = None
    if "choices" in names:
        name = names["choices"]
        value = needed(record, name)
        value = json_of(value, value) if isinstance(value, str) else value
        if isinstance(value, dict):
            marks = [
                _choice(mark, f"{name}.label[{i}]")
                for i, mark in enumerate(as_list(needed(value, "label", name), f"{name}.label"))
            ]
            value = needed(value, "text", name)
        cells = [(f"{name}[{i}]", cell) for i, cell in enumerate(as_list(value, name))]
    else:
        cells = [(column, record.get(column)) for column in columns_in(names)]
        while cells and cells[-1][1] in (None, ""):
            cells.pop()
    choices = [_choice(cell, name) for name, cell in cells]
    if len(choices) < 2:
        raise CellError(f"there are {len(choices)} choices, expected two or more; add them or delete the row")
    if marks is not None and len(marks) != len(choices):
        what = f"{names['choices']!r} has {len(choices)} texts and {len(marks)} labels"
        raise CellError(f"{what}, expected one label a text; add or remove the missing ones")
    return choices, marks


def columns_in(names: Mapping[str, str]) -> list[str]:
    """The file's column for each choice, in their order; none where a file has all choices in one."""
    keys = [key for key in names if re.fullmatch(r"choice[0-9]+", key)]
    return [names[key] for key in sorted(keys, key=lambda key: int(key[6:]))]


def _choice(value: Any, name: str) -> str:
    text = as_text(value, name)
    if not text.strip():
        raise CellError(f"{name!r} is empty, expected a choice; fill it in or remove it")
    return text


def as_answer(
    value: Any,
    choices: Sequence[str],
    name: str,
    marks: Sequence[str] | None,
    first: int = 0,
    columns: Sequence[str] = (),
) -> int:
    """The index of the right choice.

    Args:
        value: a number, a letter (or a mark of the file's own), the text of a choice, or the name of its column.
        choices: at least two.
        name: the column, for messages.
        marks: of the choices; None: A, B, C, ..., and a number may be written as a text, as it is in every CSV.
        first: the number of the first choice, 0 or 1.
        columns: the file's column for each choice, where it has such.
    """
    if isinstance(value, str):
        named = {i for i, column in enumerate(columns[: len(choices)]) if folded(column) == folded(value)}
        readings = _readings(value, choices, marks, first) | named
        if len(readings) == 1:
            return readings.pop()
        problem = (
            "fits none of them" if not readings else f"fits choices {', '.join(map(str, sorted(readings)))} from 0"
        )
        raise CellError(f"{name!r} is {shown(value)}, which {problem}; {_expected(choices, first)}")
    number = as_number(value, name)
    if not 0 <= number - first < len(choices):
        raise CellError(f"{name!r} is {number}, which is none of them; {_expected(choices, first)}")
    return number - first


def _readings(value: str, choices: Sequence[str], marks: Sequence[str] | None, first: int) -> set[int]:
    """Every choice that the answer may mean: the text 2 may be a number, and the choice whose text is 2."""
    plain = unicodedata.normalize("NFKC", value).strip()
    found_at = {i for i, choice in enumerate(choices) if choice.strip() == value.strip()}
    known = LETTERS[: len(choices)] if marks is None else marks
    found_at |= {i for i, mark in enumerate(known) if mark.strip().casefold() == plain.casefold()}
    if marks is None and _NUMBER.fullmatch(plain) and 0 <= int(plain) - first < len(choices):
        found_at.add(int(plain) - first)
    return found_at


def _expected(choices: Sequence[str], first: int) -> str:
    numbers = f"{first} to {len(choices) - 1 + first}"
    letters = f", A to {LETTERS[len(choices) - 1]}" if len(choices) <= len(LETTERS) else ""
    return f"expected {numbers}{letters} or the text of one of the {len(choices)} choices; correct it"


def numbered(answers: Iterable[tuple[Any, int]]) -> list[tuple[int, int]]:
    """Of answers with how many choices each has those that may be the number of a choice, counted from 0 or from 1."""
    found = []
    for value, count in answers:
        number = int(value) if isinstance(value, str) and _NUMBER.fullmatch(value.strip()) else value
        if isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= count:
            found.append((number, count))
    return found


def first_number(answers: Sequence[tuple[int, int]]) -> int | None:
    """0 or 1: from where a file counts its choices, out of all that `numbered` finds; None where they do not show it.

    0 if some answer is 0, else 1 if some answer is the number of choices.
    """
    if any(number == 0 for number, _ in answers):
        return 0
    return 1 if any(number == count for number, count in answers) else None
