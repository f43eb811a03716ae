"""Row checks: a record of any table to a canonical row, for tasks beyond classification.

In:  a record, and which of its columns is what: canonical name -> the file's name
Out: a canonical row; CellError where the record cannot be one
Knows nothing of files, and of how the columns were found.

    tagging             text entities, or tokens tags        {"text", "entities": [{"start", "end", "label"}]}
    intent and slots    the same, label                      {"text", "entities", "label"}
    relation            text head tail label                 {"text", "head": {"start", "end"}, "tail": ..., "label"}
                        ... or their words, once in it   the same
                        text label, entities marked in it    the same
    target sentiment    text target label                    {"text", "target": "Nokia" or {"start", "end"}, "label"}
    extraction          text entities relations              {"text", "entities", "relations": [{head, tail, label}]}
    question answering  context question answers [id]        {"context", "question", "answers": [{"text", "start"}]}
    multiple choice     question choices answer [context]    {"question", "choices": [...], "answer": 0}
                        ... with choice0 choice1 ...         the same

A cell of a CSV file may hold JSON wherever a list or an object is expected. For prediction what is to be predicted is
not looked at, be it there or not, and is no part of the row.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from bertie.core.errors import DataError
from bertie.data.answers import as_answers, wording
from bertie.data.cells import CellError, as_text, json_of
from bertie.data.choices import as_answer, as_choices, columns_in
from bertie.data.json_reader import reason
from bertie.data.markers import unmarked
from bertie.data.rows import Row, Rows
from bertie.data.spans import (
    as_entities,
    as_list,
    as_relations,
    as_span,
    check_stated,
    found,
    in_order,
    needed,
    needed_text,
    one_label,
    shown,
)
from bertie.data.tags import Scheme
from bertie.data.targets import places_of
from bertie.data.tokens import as_tokens, join, row_of_tokens

Record = Mapping[str, Any]
Names = Mapping[str, str]

Read = TypeVar("Read")


def read_each(rows: Rows, read: Callable[[Row], Read]) -> list[Read]:
    """What `read` makes of each row; DataError names all those with which it raises CellError or DataError."""
    made, problems = list[Read](), []
    for i, row in enumerate(rows):
        try:
            made.append(read(row))
        except (CellError, DataError) as error:
            problems.append(f"{rows.where(i)}: {error}")
    if problems:
        raise DataError(problems)
    return made


def tagging(record: Record, names: Names, scheme: Scheme | None = None, for_prediction: bool = False) -> Row:
    """A tagging row of `tokens` and `tags`, or of `text` and `entities`.

    `scheme` as in `spans_of_tags`; `tags.detect` finds the scheme from all rows of a file.
    """
    if "tokens" in names:
        tokens = as_tokens(as_words(needed(record, names["tokens"])), names["tokens"])
        if for_prediction:
            return {"text": join(tokens).text}
        tags = as_list(as_words(needed(record, names["tags"])), names["tags"])
        return row_of_tokens(tokens, tags, scheme)
    text = needed_text(record, names["text"])
    if for_prediction:
        return {"text": text}
    name = names["entities"]
    return {"text": text, "entities": in_order(as_entities(_cell(needed(record, name), name), text, name))[0]}


def intent_slots(record: Record, names: Names, scheme: Scheme | None = None, for_prediction: bool = False) -> Row:
    """A tagging row with one label of the whole text."""
    row = tagging(record, names, scheme, for_prediction)
    return row if for_prediction else row | {"label": one_label(needed(record, names["label"]), names["label"])}


def relation(record: Record, names: Names, for_prediction: bool = False) -> Row:
    """A row of two entities, named or marked in the text, and what the first is to the second.

    With `entities` among the names it is `extraction`.
    """
    if "entities" in names:
        return extraction(record, names, for_prediction)
    text = needed_text(record, names["text"])
    if "head" in names:
        head, tail = (_side(record, names[side], text) for side in ("head", "tail"))
    else:
        text, head, tail = unmarked(text, names["text"])
    row: Row = {
        "text": text,
        "head": {"start": head[0], "end": head[1]},
        "tail": {"start": tail[0], "end": tail[1]},
    }
    if for_prediction:
        return row
    return row | {"label": one_label(needed(record, names["label"]), names["label"])}


def target_sentiment(record: Record, names: Names, for_prediction: bool = False) -> Row:
    """A row of a text and what is judged in it: a name, which counts wherever it stands, or a place."""
    text, name = needed_text(record, names["text"]), names["target"]
    value = needed(record, name)
    row: Row = {"text": text, "target": value}
    if _are_words(value, text):
        places_of(value, text, name)
    else:
        start, end = _place(record, name, text)
        row["target"] = {"start": start, "end": end}
    if for_prediction:
        return row
    return row | {"label": one_label(needed(record, names["label"]), names["label"])}


def extraction(record: Record, names: Names, for_prediction: bool = False) -> Row:
    """A row of all entities of a text and their relations, end to end; for prediction it is the text alone."""
    text = needed_text(record, names["text"])
    if for_prediction:
        return {"text": text}
    name, links = names["entities"], names["relations"]
    entities = as_entities(_cell(needed(record, name), name), text, name)
    relations = as_relations(_cell(needed(record, links), links), len(entities), links)
    ordered, between = in_order(entities, relations)
    return {"text": text, "entities": ordered, "relations": between}


def _side(record: Record, name: str, text: str) -> tuple[int, int]:
    """A place, or the words of one entity, which stand once in the text."""
    value = needed(record, name)
    if not _are_words(value, text):
        return _place(record, name, text)
    places = places_of(value, text, name)
    if len(places) > 1:
        what = f"{name!r} is {shown(value)}, which stands in the text {len(places)} times"
        raise CellError(f'{what}, expected once; write its place as {{"start": {places[0][0]}, "end": {places[0][1]}}}')
    return places[0]


def _are_words(value: Any, text: str) -> bool:
    """Whether a value is a part of the text, and no place written as JSON."""
    return isinstance(value, str) and (value in text or not value.lstrip().startswith(("{", "[")))


def _place(record: Record, name: str, text: str) -> tuple[int, int]:
    value = _cell(needed(record, name), name)
    if isinstance(value, dict):
        span = as_span(needed(value, "start", name), needed(value, "end", name), text, name)
        if value.get("text") is not None:
            check_stated(value["text"], text, span, name)
        return span
    if isinstance(value, list) and len(value) == 2:
        return as_span(value[0], value[1], text, name)
    raise CellError(f'{name!r} is {found(value)}, expected {{"start": 0, "end": 3}} or [0, 3]; write it so')


def question_answering(record: Record, names: Names, for_prediction: bool = False) -> Row:
    """A question on a passage; no answers ([], null, an empty cell) means that the passage has none."""
    context, question = wording(record, names["context"]), wording(record, names["question"])
    row: Row = {"context": context, "question": question}
    if not for_prediction:
        row["answers"] = as_answers(needed(record, names["answers"]), context, names["answers"])
    identity = record.get(names["id"]) if "id" in names else None
    if identity is None or identity == "":
        return row
    if isinstance(identity, bool) or not isinstance(identity, (str, int)):
        raise CellError(f"{names['id']!r} is {found(identity)}, expected a text or a number; correct it")
    return row | {"id": str(identity)}


def multiple_choice(record: Record, names: Names, first: int = 0, for_prediction: bool = False) -> Row:
    """A question with its choices, of which a row has as many as `len(row["choices"])`: rows may differ.

    `first` is the number of the first choice; `choices.first_number` finds it from all rows of a file.
    """
    choices, marks = as_choices(record, names)
    row: Row = {"question": wording(record, names["question"]), "choices": choices}
    if not for_prediction:
        answer = needed(record, names["answer"])
        row["answer"] = as_answer(answer, choices, names["answer"], marks, first, columns_in(names))
    context = as_text(record.get(names["context"]), names["context"]) if "context" in names else ""
    return row | ({"context": context} if context.strip() else {})


def texts(record: Record, name: str, *, once: bool = True) -> list[str]:
    """A list of texts that are not empty, at least one, `once` each; in a table of texts it is written as JSON."""
    listed = [
        as_text(value, f"{name}[{i}]") for i, value in enumerate(as_list(_cell(needed(record, name), name), name))
    ]
    empty = next((i for i, text in enumerate(listed) if not text.strip()), None)
    if not listed or empty is not None:
        what = (
            f"{name}[{empty}] is empty, expected a text" if listed else f"{name!r} is empty, expected a list of texts"
        )
        raise CellError(f"{what}; fill it in or delete the row")
    return list(dict.fromkeys(listed)) if once else listed


def _cell(value: Any, name: str) -> Any:
    """A list or an object, which in a table of texts is written as JSON."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        what = f"{name!r} is {shown(value)}, which is not valid JSON ({reason(error)})"
        raise CellError(f"{what}, expected a list or an object; write it as JSON") from error


def as_words(value: Any) -> Any:
    """Tokens or tags; in a table of texts they are a JSON list, or have one space between them."""
    if not isinstance(value, str):
        return value
    listed = json_of(value)
    return listed if isinstance(listed, list) else value.split(" ")
