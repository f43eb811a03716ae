"""Free parts: which texts of a row may be changed, what must stay in them, and the row with one of them changed.

In:  a row of any kind
Out: its parts; of each the row with another text, every place in it moved to where it stands now
Knows nothing of how a text is changed, and of what a model makes of it.

    labels, embedding        the texts; of an embedding or a search the query, whose positive stays what it was
    tagging, intent_slots, extraction, relation, target_sentiment    the text around the entities, the target
    question_answering       the question; the passage around the answers
    multiple_choice          the question; the passage
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bertie.data.cells import CellError
from bertie.data.rows import Row
from bertie.data.targets import places_of
from bertie.data.tokens import marked_tokens
from bertie.data.units import is_whole
from bertie.text.augmentation.base import Changed, Place

Put = Callable[[Row, Changed], Row | None]
WHOLE = ("labels", "embedding", "reranking", "question_answering", "multiple_choice")
"""Kinds of rows with a text that may come back as a whole, as there is no place in it."""


@dataclass(frozen=True)
class Part:
    """A text of a row that may be changed."""

    text: str
    kept: tuple[Place, ...]
    """Places in it that stay as they are."""
    put: Put
    """The row with the changed text; None where it would no longer say the same."""

    def changed(self, row: Row, found: Changed) -> Row | None:
        """The row with this text changed; None where it did not change, or a place that stays ran into what is beside
        it (`at Rome` to `atRome`)."""
        return None if found.text == self.text or not self._keeps(found) else self.put(row, found)

    def _keeps(self, found: Changed) -> bool:
        if not self.kept:
            return True
        before, after = marked_tokens(self.text), marked_tokens(found.text)
        return all(is_whole(after, *found.place(place)) or not is_whole(before, *place) for place in self.kept)


def parts_of(kind: str, row: Row) -> list[Part]:
    """The parts of a row of this kind that are not empty."""
    return [part for part in PARTS[kind](row) if part.text.strip()]


def _columns(row: Row, *names: str) -> list[Part]:
    return [Part(row[name], (), _put(name)) for name in names if isinstance(row.get(name), str)]


def _put(name: str) -> Put:
    return lambda row, found: {**row, name: found.text}


def _texts(row: Row) -> list[Part]:
    return _columns(row, "text", "text_a", "text_b")


def _searched(row: Row) -> list[Part]:
    return _columns(row, "query") if "query" in row else _texts(row)


def _entities(row: Row) -> list[Part]:
    def put(row: Row, found: Changed) -> Row:
        return {**row, "text": found.text, "entities": [_moved(one, found) for one in row["entities"]]}

    return [Part(row["text"], _places(row["entities"]), put)]


def _sides(row: Row) -> list[Part]:
    def put(row: Row, found: Changed) -> Row:
        return {**row, "text": found.text, **{side: _moved(row[side], found) for side in ("head", "tail")}}

    return [Part(row["text"], _places([row["head"], row["tail"]]), put)]


def _target(row: Row) -> list[Part]:
    def put(row: Row, found: Changed) -> Row | None:
        target = row["target"]
        if not isinstance(target, str):
            return {**row, "text": found.text, "target": _moved(target, found)}
        try:
            now = places_of(target, found.text)
        except CellError:
            return None
        # A name counts wherever it stands, so it must stand nowhere else now.
        stays = now == [found.place(place) for place in places_of(target, row["text"])]
        return {**row, "text": found.text} if stays else None

    return [Part(row["text"], tuple(places_of(row["target"], row["text"])), put)]


def _question(row: Row) -> list[Part]:
    def put(row: Row, found: Changed) -> Row:
        answers = [{**answer, "start": found.place((answer["start"], answer["start"]))[0]} for answer in row["answers"]]
        return {**row, "context": found.text, "answers": answers}

    kept = tuple((answer["start"], answer["start"] + len(answer["text"])) for answer in row["answers"])
    return [*_columns(row, "question"), Part(row["context"], kept, put)]


def _choice(row: Row) -> list[Part]:
    return _columns(row, "question", "context")


def _places(spans: Iterable[Mapping[str, Any]]) -> tuple[Place, ...]:
    return tuple((span["start"], span["end"]) for span in spans)


def _moved(span: Mapping[str, Any], found: Changed) -> dict[str, Any]:
    start, end = found.place((span["start"], span["end"]))
    return {**span, "start": start, "end": end}


PARTS: dict[str, Callable[[Row], list[Part]]] = {
    "labels": _texts,
    "embedding": _searched,
    "reranking": _searched,
    "tagging": _entities,
    "intent_slots": _entities,
    "extraction": _entities,
    "relation": _sides,
    "target_sentiment": _target,
    "question_answering": _question,
    "multiple_choice": _choice,
}
"""By `Kind.name`."""
