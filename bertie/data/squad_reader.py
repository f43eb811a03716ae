"""SQuAD: nested JSON of passages and questions, to a row a question.

In:  a text stream of SQuAD 1, SQuAD 2 or CMRC 2018
Out: a Table of {"context", "question", "answers"} and "id", `lines` being the number of the question in the file
Knows nothing of encodings, tokens and windows.

    SQuAD      {"data": [{"paragraphs": [
                   {"context", "qas": [{"id", "question", "answers": [{"text", "answer_start"}]}]}]}]}
    SQuAD 2    ... and "is_impossible": true where the passage has no answer
    CMRC 2018  the same, or flat: [{"context_text", "qas": [{"query_id", "query_text", "answers": ["..."]}]}]
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TextIO

from bertie.core.errors import DataError
from bertie.data.answers import Answer, nearest, nowhere, stated_answers, wording
from bertie.data.cells import CellError
from bertie.data.json_reader import reason
from bertie.data.rows import Row
from bertie.data.spans import as_list, as_object, found, needed, shown
from bertie.data.table import Table

FILE_LIMIT = 100_000_000
"""Characters in a file: it is held in memory whole, as one value. The largest of the known sets has half of it."""

_START = re.compile(
    r'\s*(?:\{.*?"data"\s*:\s*\[\s*(?:\{|\])|\[\s*\{.*?"(?:context_text|paragraphs|qas)"\s*:)', re.DOTALL
)
_LOOKED_AT = 8192
_MOVED = "answers do not stand at their answer_start; the nearest place with the same text was taken"
_SEVERAL = "answers come without a place and stand in the passage several times; the first place was taken"
_CONTRADICTED = "questions are is_impossible and yet have answers; they were read as having none"


def looks_like_squad(stream: TextIO) -> bool:
    """Whether the beginning of the file is SQuAD and not a list or lines of other objects. Rewinds the stream."""
    start = stream.read(_LOOKED_AT).removeprefix("\ufeff")
    stream.seek(0)
    return _START.match(start) is not None


def read_squad(stream: TextIO, table: Table, for_prediction: bool = False) -> list[str]:
    """Fills `table`, and returns what a person should know of it. For prediction answers are not read."""
    table.header = ["context", "question", "answers", "id"]
    counts = Counter[str]()
    for number, asked in enumerate(_questions(_articles(_parsed(stream, table), table)), start=1):
        try:
            table.add(number, _row(asked, counts, for_prediction))
        except CellError as error:
            table.problems.append((number, f"{_called(asked)}: {error}"))
    return [f"{table.source}: {count} {what}" for what, count in counts.items()]


def _parsed(stream: TextIO, table: Table) -> Any:
    text = stream.read(FILE_LIMIT + 1)
    if len(text) > FILE_LIMIT:
        raise DataError(f"{table.source}: more than {FILE_LIMIT:,} characters, expected at most that; split the file")
    try:
        return json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else 1
        raise DataError(f"{table.source}:{line}: this is not valid JSON ({reason(error)}); repair the file") from error


@dataclass(frozen=True)
class _Asked:
    """What stands at one place of the file: a question with its passage, or what is wrong with the passage or above."""

    path: str
    question: Any
    passage: str | CellError


def _articles(value: Any, table: Table) -> list[Any]:
    articles = value.get("data") if isinstance(value, dict) else value
    if isinstance(articles, list):
        return articles
    what = f"found {found(value)}" + (" whose 'data' is no list" if isinstance(value, dict) else "")
    raise DataError(f'{table.top}: {what}, expected {{"data": [{{"paragraphs": [...]}}]}} as in SQuAD; correct it')


def _questions(articles: list[Any]) -> Iterator[_Asked]:
    """Every question in order. One thing that is wrong above the questions counts as one question that is wrong."""
    for i, article in enumerate(articles):
        path = f"data[{i}]"
        try:
            for name, paragraph in _paragraphs(as_object(article, path), path):
                yield from _asked(paragraph, name)
        except CellError as error:
            yield _Asked(path, None, error)


def _paragraphs(article: Mapping[str, Any], path: str) -> list[tuple[str, Any]]:
    if "paragraphs" not in article and "qas" in article:
        return [(path, article)]
    if "paragraphs" not in article and {"context", "question"} <= set(article):  # one question of its own passage
        return [(path, {"context": article["context"], "qas": [article]})]
    paragraphs = as_list(needed(article, "paragraphs", path), f"{path}.paragraphs")
    return [(f"{path}.paragraphs[{i}]", paragraph) for i, paragraph in enumerate(paragraphs)]


def _asked(paragraph: Any, path: str) -> list[_Asked]:
    passage: str | CellError
    try:
        whole = as_object(paragraph, path)
        questions = as_list(needed(whole, "qas", path), f"{path}.qas")
    except CellError as error:
        return [_Asked(path, None, error)]
    try:
        passage = wording(whole, "context_text" if "context_text" in whole else "context")
    except CellError as error:
        passage = error
    return [_Asked(f"{path}.qas[{i}]", question, passage) for i, question in enumerate(questions)]


def _called(asked: _Asked) -> str:
    """A question as messages name it: by its id, or its path where it has none."""
    identity = _identity(asked.question) if isinstance(asked.question, dict) else None
    return asked.path if identity is None else f"question {shown(identity)}"


def _identity(question: Mapping[str, Any]) -> str | None:
    identity = question.get("id", question.get("query_id"))
    return str(identity) if isinstance(identity, (str, int)) and not isinstance(identity, bool) else None


def _row(asked: _Asked, counts: Counter[str], for_prediction: bool) -> Row:
    if isinstance(asked.passage, CellError):
        raise asked.passage
    question = as_object(asked.question, asked.path)
    row: Row = {
        "context": asked.passage,
        "question": wording(question, "query_text" if "query_text" in question else "question"),
    }
    if not for_prediction:
        row["answers"] = _answers(question, asked.passage, counts)
    identity = _identity(question)
    return row if identity is None else row | {"id": identity}


def _answers(question: Mapping[str, Any], passage: str, counts: Counter[str]) -> list[Answer]:
    impossible = question.get("is_impossible", False)
    if not isinstance(impossible, bool):
        raise CellError(f"'is_impossible' is {found(impossible)}, expected true or false; correct it")
    if impossible:
        contradicted = isinstance(question.get("answers"), list) and any(map(_has_text, question["answers"]))
        counts.update([_CONTRADICTED] * contradicted)
        return []
    answers = []
    for stated in stated_answers(needed(question, "answers"), "answers"):
        place = nearest(passage, stated.text, stated.start)
        if place < 0:
            raise CellError(nowhere(stated))
        if stated.start is None:
            counts.update([_SEVERAL] * (passage.find(stated.text, place + 1) >= 0))
        elif place != stated.start:
            counts.update([_MOVED])
        answers.append(Answer(text=stated.text, start=place))
    return answers


def _has_text(answer: Any) -> bool:
    """Some sets write no answer as an answer without a text."""
    return bool(answer.get("text") if isinstance(answer, dict) else answer)
