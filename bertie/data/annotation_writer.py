"""Annotation writer: canonical tagging rows to the formats of annotation programs.

In:  rows of {"text", "entities"}, perhaps with "relations"
Out: the content of a file, and what a person should know of it; DataError naming every row that the format cannot hold
Knows nothing of paths and of where the rows came from.

    conll          a token a line, two columns with a tab; BIO, IOB1, BIOES, BMES or BILOU
    doccano        JSON lines of {"text", "label": [[start, end, label]]}; with relations doccano's newer form
    label_studio   a JSON list of tasks
    spans          JSON lines of {"text", "entities": [{"start", "end", "label"}]}
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from bertie.core.errors import DataError
from bertie.data.cells import CellError
from bertie.data.rows import Row, Rows
from bertie.data.spans import shown
from bertie.data.tags import Scheme
from bertie.data.tokens import (
    Offsets,
    character_tokens,
    gap_of,
    join_around,
    joined_tokens,
    marked_tokens,
    tags_of_spans,
)

T = TypeVar("T")
_DOCUMENT = "-DOCSTART-"


@dataclass(frozen=True)
class Written:
    """What to put into a file, and notes on what was chosen."""

    content: str
    notes: list[str] = field(default_factory=list)


def to_conll(rows: Rows, scheme: Scheme = "BIO") -> Written:
    """CoNLL. If every text is a join of tokens (`tokens.join`), as rows out of CoNLL are, exactly those come back; of
    Chinese texts without spaces these are their characters.

    Otherwise all rows are cut into words, Han characters and marks, and spaces are not kept. It is one way for the
    whole file: were only the marks beside entities cut off, a model could tell an entity by the space behind it.
    """
    chinese = not gap_of(row.get("text", "").replace(" ", "") for row in rows)
    found: list[Offsets | None] = _tokens(rows, character_tokens) if chinese else [None]
    if None in found:
        found = _tokens(rows, joined_tokens)
    offsets = [tokens for tokens in found if tokens is not None]
    notes = []
    if len(offsets) < len(found):
        first = found.index(None)
        offsets = [marked_tokens(row["text"]) for row in rows]
        what = f"{rows.where(first)}: the text is not a join of whole tokens, as CoNLL needs it"
        notes = [f"{what}; all rows were cut into words, Han characters and marks, so offsets into them are others"]
    sentences = _each(rows, lambda row, i: _sentence(row, offsets[i], scheme))
    return Written("".join(f"{sentence}\n" for sentence in sentences), notes)


def _tokens(rows: Rows, cut: Callable[[str], Offsets | None]) -> list[Offsets | None]:
    """The tokens of each row, if they give its text when they are read again, and every entity begins and ends with
    one.
    """
    found = _each(rows, lambda row, i: cut(row["text"]))
    texts = [[row["text"][a:b] for a, b in offsets or ()] for row, offsets in zip(rows, found, strict=True)]
    gap = gap_of(texts)
    each = zip(rows, found, texts, strict=True)
    return [offsets if offsets and _come_back(row, offsets, own, gap) else None for row, offsets, own in each]


def _come_back(row: Row, offsets: Offsets, tokens: Sequence[str], gap: str) -> bool:
    starts, ends = ({token[side]: i for i, token in enumerate(offsets)} for side in (0, 1))
    entities = row["entities"]
    if not all(entity["start"] in starts and entity["end"] in ends for entity in entities):
        return False
    spans = [(starts[entity["start"]], ends[entity["end"]] + 1, entity["label"]) for entity in entities]
    same: bool = join_around(tokens, spans, gap).text == row["text"]
    return same


def _sentence(row: Row, offsets: Offsets, scheme: Scheme) -> str:
    text, tokens = row["text"], [row["text"][start:end] for start, end in offsets]
    if not tokens:
        raise CellError(f"the text {shown(text)} has no token, expected one at least for CoNLL; delete the row")
    if _DOCUMENT in tokens:
        raise CellError(f"{_DOCUMENT} is a token, which begins a document in CoNLL; use a format with offsets")
    for entity in row["entities"]:
        if not entity["label"].isprintable():
            raise CellError(f"the label {shown(entity['label'])} holds a tab, a line end or the like; rename it")
    if row.get("relations"):
        raise CellError("the row has relations, which CoNLL cannot hold; use doccano, label_studio or spans")
    tags = tags_of_spans(text, offsets, row["entities"], scheme)
    return "".join(f"{token}\t{tag}\n" for token, tag in zip(tokens, tags, strict=True))


def to_doccano(rows: Rows) -> Written:
    """doccano, which counts as we do: characters. Relations make it write the form that has them."""
    related = any(row.get("relations") for row in rows)
    return Written(_lines(_each(rows, _doccano_related if related else _doccano)))


def _doccano(row: Row, i: int) -> dict[str, Any]:
    return {"text": row["text"], "label": [[part["start"], part["end"], part["label"]] for part in row["entities"]]}


def _doccano_related(row: Row, i: int) -> dict[str, Any]:
    entities = [
        {"id": number, "start_offset": part["start"], "end_offset": part["end"], "label": part["label"]}
        for number, part in enumerate(row["entities"])
    ]
    relations = [
        {"id": number, "from_id": link["head"], "to_id": link["tail"], "type": link["label"]}
        for number, link in enumerate(row.get("relations", ()))
    ]
    return {"id": i, "text": row["text"], "entities": entities, "relations": relations}


def to_spans(rows: Rows) -> Written:
    """Character spans, as they are."""
    return Written(_lines(_each(rows, lambda row, i: row)))


def to_label_studio(rows: Rows) -> Written:
    """Label Studio, each region with its text, by which offsets behind an emoji can be checked.

    For a labelling configuration with `<Labels name="label" toName="text">` and `<Text name="text" value="$text">`.
    """
    tasks = _each(rows, _task)
    return Written(json.dumps(tasks, ensure_ascii=False, indent=1, allow_nan=False) + "\n")


def _task(row: Row, i: int) -> dict[str, Any]:
    regions = [_region(row["text"], part, f"e{number}") for number, part in enumerate(row["entities"])]
    relations = [
        {
            "type": "relation",
            "from_id": f"e{link['head']}",
            "to_id": f"e{link['tail']}",
            "direction": "right",
            "labels": [link["label"]],
        }
        for link in row.get("relations", ())
    ]
    annotation = {"was_cancelled": False, "result": [*regions, *relations]}
    return {"id": i + 1, "data": {"text": row["text"]}, "annotations": [annotation]}


def _region(text: str, entity: dict[str, Any], identity: str) -> dict[str, Any]:
    start, end, label = entity["start"], entity["end"], entity["label"]
    value = {"start": start, "end": end, "text": text[start:end], "labels": [label]}
    return {"id": identity, "from_name": "label", "to_name": "text", "type": "labels", "value": value}


def _each(rows: Rows, write: Callable[[Row, int], T]) -> list[T]:
    """One thing a row; every row that cannot be written is named."""
    written, problems = [], []
    for i, row in enumerate(rows):
        try:
            if "entities" not in row:
                raise CellError("the row has no 'entities', expected a tagging row; convert files with entities only")
            written.append(write(row, i))
        except CellError as error:
            problems.append(f"{rows.where(i)}: {error}")
    if problems:
        raise DataError(problems)
    return written


def _lines(records: Sequence[Any]) -> str:
    return "".join(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n" for record in records)
