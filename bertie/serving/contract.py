"""What the server needs of a model, what it accepts from a client, and how it says no.

In:  the JSON of a request
Out: checked requests, rows for a predictor; `Refusal` with a status, a code and a message
Knows nothing of HTTP frameworks, threads or how a model answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field

from bertie.core.errors import BertieError, DataError
from bertie.data.rows import column_of_text


class Answering(Protocol):
    """The part of a task that a server has to know."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that a row must have."""

    def asked(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """What of a row is needed to answer it; DataError where it is of another form."""

    def texts(self, row: Mapping[str, Any]) -> list[str]:
        """The texts of a row that `asked` gave."""


class Answerer(Protocol):
    """A predictor, as the server sees it."""

    @property
    def name(self) -> str:
        """The name by which a client asks for it."""

    @property
    def task(self) -> Answering:
        """What it answers."""

    def predict(self, rows: Sequence[str | Mapping[str, Any]]) -> list[dict[str, Any]]:
        """One answer per row, in order."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one client may ask for, so that none can take the whole machine."""

    body_bytes: int = 2_000_000
    """Size of a request's body."""
    body_seconds: float = 10.0
    """Time in which the body must have arrived."""
    rows: int = 512
    """Texts or rows in one request."""
    characters: int = 100_000
    """Characters in one row."""
    parts: int = 64
    """Texts in one row, such as a question with its choices: the model reads each choice for itself."""
    waiting: int = 64
    """Requests that are answered or wait; the next one is told to come back."""


class PredictRequest(BaseModel):
    """Texts, or rows with the model's columns; one of the two."""

    model_config = ConfigDict(extra="forbid", strict=True)

    texts: list[str] | None = Field(default=None, description="One text a row, where a text says all that is asked.")
    rows: list[dict[str, Any]] | None = Field(default=None, description="Rows with the model's columns.")
    model: str | None = Field(default=None, description="Which model, where several are served.")


class PredictResponse(BaseModel):
    """One answer per row, in the order of the request."""

    model: str
    answers: list[dict[str, Any]]


class ErrorBody(BaseModel):
    """What went wrong: a code for programs, a message for people."""

    code: str
    message: str


class ErrorResponse(BaseModel):
    """Every answer that is not 2xx."""

    error: ErrorBody


@dataclass(eq=False)
class Refusal(BertieError):
    """A request that is answered with an error."""

    status: int
    code: str
    message: str
    headers: dict[str, str] = field(default_factory=dict)

    def content(self) -> dict[str, Any]:
        """The body of the answer."""
        return ErrorResponse(error=ErrorBody(code=self.code, message=self.message)).model_dump()


def unprocessable(message: str) -> Refusal:
    """The request was understood and cannot be answered."""
    return Refusal(422, "invalid_request", message)


def chosen(request: PredictRequest, models: Mapping[str, Answerer]) -> Answerer:
    """The model that the request names, or the only one."""
    if request.model is None and len(models) == 1:
        return next(iter(models.values()))
    if request.model is None:
        raise unprocessable(f'name one of the models in "model": {", ".join(models)}')
    if request.model not in models:
        raise Refusal(
            404, "unknown_model", f"model {request.model!r} is not served here; there are {', '.join(models)}"
        )
    return models[request.model]


def rows_of(request: PredictRequest, task: Answering, limits: Limits) -> list[dict[str, Any]]:
    """The request's rows with exactly the model's columns, or in another form that its task knows, such as a query with
    candidates; Refusal says which row does not fit and why.

    A column holds any JSON value, which only the task can judge; looked at are the texts in it.
    """
    columns, wanted = task.columns, ", ".join(task.columns)
    if (request.texts is None) == (request.rows is None):
        raise unprocessable('give either "texts" or "rows"')
    column = column_of_text(columns)
    if request.texts is not None and column is None:
        raise unprocessable(f'this model needs "rows" with {wanted}, not "texts"')
    rows: Sequence[dict[str, Any]] = request.rows or [{str(column): text} for text in request.texts or []]
    if len(rows) > limits.rows:
        raise unprocessable(f"{len(rows)} rows in one request, at most {limits.rows}; send several requests")
    found = []
    for number, row in enumerate(rows, start=1):
        missing = [column for column in columns if column not in row]
        sent = row if missing else {column: row[column] for column in columns}
        characters = sum(_characters(value, f"row {number}: {column!r}") for column, value in sent.items())
        if characters > limits.characters:
            raise unprocessable(f"row {number}: {characters} characters, at most {limits.characters}; cut the text")
        try:
            found.append(task.asked(sent) if missing else sent)
        except DataError as error:
            whole = f'this model needs "rows" with {wanted}, or a text that says all of it'
            lacking = f"no {missing[0]!r}" if request.texts is None else whole
            raise unprocessable(f"row {number}: {lacking}; {error}") from error
        parts = _parts(found[-1], task)
        if parts > limits.parts:
            raise unprocessable(f"row {number}: {parts} texts in one row, at most {limits.parts}; leave some out")
    return found


def _parts(row: Mapping[str, Any], task: Answering) -> int:
    """How many texts the task reads in a row; it asks the task, as choices may also be JSON within a text. 0 where the
    row is of another form, which the model itself refuses."""
    try:
        return len(task.texts(task.asked(row)))
    except DataError:
        return 0


def _characters(value: object, where: str) -> int:
    """Characters of all texts in a value; Refusal where one of them is no Unicode, which JSON allows."""
    count = 0
    for text in _texts(value):
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise unprocessable(f"{where} holds half of a surrogate pair, which is no character; repair the text")
        count += len(text)
    return count


def _texts(value: object) -> Iterator[str]:
    """Every text in a JSON value, keys too. It does not call itself: a stranger's value is as deep as he likes."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            waiting += [*one, *one.values()]
        elif isinstance(one, list):
            waiting += one
