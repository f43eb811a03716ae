"""Answers: what a file says of the answers to a question, as pieces of its passage.

In:  the passage, and answers in any of the usual forms
Out: {"text", "start"}, with passage[start : start + len(text)] == text; CellError, of whole rows DataError
Knows nothing of files, and of whether a question must have an answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

from bertie.core.errors import DataError
from bertie.data.cells import CellError, as_text, json_of
from bertie.data.rows import Rows
from bertie.data.spans import as_list, as_number, found, needed, needed_text, shown

_FORMS = 'expected a list such as [{"text": "...", "start": 0}] or ["..."], [] for no answer'


class Answer(TypedDict):
    """A piece of the passage, and where it begins."""

    text: str
    start: int


@dataclass(frozen=True)
class Stated:
    """An answer as a file states it; `start` is None where only the text is given."""

    text: str
    start: int | None
    name: str


def stated_answers(value: Any, name: str) -> list[Stated]:
    """Answers as objects with `text` and `start` (or `answer_start`), as texts, as {"text": [...], "answer_start":
    [...]} or one of these alone. Null is no answer, and so is the empty cell of a table.
    """
    if value is None or value == "":
        return []
    if isinstance(value, str):
        parsed = _parsed(value)
        return [_one(value, name)] if parsed is None else stated_answers(parsed, name)
    if isinstance(value, dict):
        return _columns(value, name) if isinstance(value.get("text"), list) else [_one(value, name)]
    if not isinstance(value, list):
        raise CellError(f"{name!r} is {found(value)}, {_FORMS}; write it so")
    return [_one(part, f"{name}[{i}]") for i, part in enumerate(value)]


def _parsed(cell: str) -> Any:
    """What a cell of a table that holds JSON holds; None of any other text, which is then the answer itself."""
    value = json_of(cell) if cell.lstrip().startswith(("[", "{")) else None
    texts = isinstance(value, list) and all(isinstance(part, (str, dict)) for part in value)
    return value if texts or isinstance(value, dict) else None


def _one(part: Any, name: str) -> Stated:
    if isinstance(part, dict):
        start = part.get("start", part.get("answer_start"))
        number = None if start is None else as_number(start, f"{name}.start")
        return Stated(_text(needed(part, "text", name), f"{name}.text"), number, name)
    if not isinstance(part, str):
        raise CellError(f"{name!r} is {found(part)}, {_FORMS}; write it so")
    return Stated(_text(part, name), None, name)


def _columns(value: dict[str, Any], name: str) -> list[Stated]:
    texts = as_list(value["text"], f"{name}.text")
    key = "start" if "start" in value else "answer_start"
    starts = as_list(needed(value, key, name), f"{name}.{key}")
    if len(texts) != len(starts):
        what = f"{name!r} has {len(texts)} texts and {len(starts)} starts"
        raise CellError(f"{what}, expected one start a text; add or remove the missing ones")
    pairs = zip(texts, starts, strict=True)
    return [_one({"text": text, "start": start}, f"{name}[{i}]") for i, (text, start) in enumerate(pairs)]


def _text(value: Any, name: str) -> str:
    text = as_text(value, name)
    if not text.strip():
        raise CellError(f"{name!r} is empty, expected a piece of the passage; for no answer write []")
    return text


def nearest(passage: str, text: str, start: int | None) -> int:
    """Where `text` stands in the passage, nearest to `start`, or first where there is none; -1: nowhere."""
    if start is None:
        return passage.find(text)
    start = min(max(start, 0), len(passage))
    after, before = passage.find(text, start), passage.rfind(text, 0, start + len(text))
    if after < 0 or before < 0:
        return max(after, before)
    return after if after - start < start - before else before


def as_answers(value: Any, passage: str, name: str) -> list[Answer]:
    """Answers that stand in the passage: where it is stated, or, without a place, where the text comes first."""
    answers = []
    for stated in stated_answers(value, name):
        place = nearest(passage, stated.text, stated.start)
        if place < 0:
            raise CellError(nowhere(stated))
        if stated.start not in (None, place):
            what = f"{stated.name!r} is {shown(stated.text)} at {stated.start}, but it stands at {place}"
            raise CellError(f"{what}, expected its place in characters from 0; correct the start or leave it out")
        answers.append(Answer(text=stated.text, start=place))
    return answers


def nowhere(stated: Stated) -> str:
    """What to say of an answer that is no piece of the passage."""
    what = f"{stated.name!r} is {shown(stated.text)}, which does not stand in the passage"
    return f"{what}, expected a piece of it, letter for letter; correct the answer or the passage"


def wording(record: Mapping[str, Any], key: str) -> str:
    """A passage, a question or a choice: a text that is not empty."""
    text = needed_text(record, key)
    if not text.strip():
        raise CellError(f"{key!r} is empty, expected a text; fill it in or delete the row")
    return text


def check_answers(rows: Rows) -> Rows:
    """The same rows; DataError names those whose answers are missing or do not stand where they say."""
    problems = [f"{rows.where(i)}: {problem}" for i, row in enumerate(rows) if (problem := _problem(row))]
    if problems:
        raise DataError(problems)
    return rows


def _problem(row: Mapping[str, Any]) -> str | None:
    """What is wrong with a labelled row, with what was expected and what to do."""
    for column in ("context", "question"):
        if not isinstance(row.get(column), str):
            return f"column {column!r} is {row.get(column)!r}, expected a text; fill it in"
    if not isinstance(row.get("answers"), list):
        what = f"'answers' is {row.get('answers')!r}, expected a list such as"
        return f'{what} [{{"text": "...", "start": 0}}], [] for no answer; write it so'
    for answer in row["answers"]:
        text, start = answer["text"], answer["start"]
        stands = row["context"][start : start + len(text)]
        if stands != text or not text.strip():
            what = f"the answer {text!r} does not stand at {start} of the context, where {stands!r} is"
            return f"{what}; expected its place in characters from 0; correct it"
    return None
