"""Entity checks: entities of rows before anything learns them, their form, and how they lie on the units of a text.

In:  rows with `text` and `entities`
Out: entities in order beside the units; what is wrong with them, each problem with its `file:line`
Knows nothing of tags and models.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bertie.core.errors import DataError
from bertie.data.cells import CellError
from bertie.data.rows import Rows
from bertie.data.spans import Entity, as_entities, in_order, needed, needed_text, shown
from bertie.data.tokens import Offsets, marked_tokens
from bertie.data.units import is_whole, run_of
from bertie.text.whole_words import clings


@dataclass(frozen=True, slots=True)
class MarkedText:
    """A row with its units."""

    where: str
    """`file:line`, for messages."""
    text: str
    entities: list[Entity]
    """By start, end and label; each once."""
    offsets: Offsets
    """Characters [start, end) of each unit, see `units`."""


def checked_entities(rows: Rows) -> list[MarkedText]:
    """The rows, one for each; DataError names those in which something is no text or no entity of it."""
    return list(marked_texts(rows))


def marked_texts(rows: Rows) -> Iterator[MarkedText]:
    """The same one by one: the units of all rows are ten times as large as their texts. The DataError comes last."""
    problems = []
    for i, row in enumerate(rows):
        try:
            text = needed_text(row, "text")
            entities = in_order(as_entities(needed(row, "entities"), text, "entities"))[0]
        except CellError as error:
            problems.append(f"{rows.where(i)}: {error}")
        else:
            yield MarkedText(rows.where(i), text, entities, marked_tokens(text))
    if problems:
        raise DataError(problems)


def misaligned(texts: Sequence[MarkedText], *, widen: bool) -> list[str]:
    """What is wrong with entities that do not begin and end with a unit; with `widen` only those that touch none."""
    problems = []
    for text in texts:
        for entity in _misaligned(text):
            run = run_of(text.offsets, entity["start"], entity["end"])
            if run is None:
                advice = "holds no word, Han character or mark, expected one at least; correct its place or delete it"
                problems.append(f"{text.where}: the entity {_named(text, entity)} {advice}")
            elif not widen:
                start, end = text.offsets[run[0]][0], text.offsets[run[1]][1]
                whole = f"expected whole words, as {shown(text.text[start:end])} at [{start}, {end})"
                advice = "correct its place, or take --set task.misaligned=widen, which learns it so"
                cut = f"{text.where}: the entity {_named(text, entity)} cuts a word or has a space at its edge"
                problems.append(f"{cut}, {whole}; {advice}")
    return problems


def count_misaligned(texts: Sequence[MarkedText]) -> int:
    """How many entities do not begin and end with a unit."""
    return sum(len(_misaligned(text)) for text in texts)


def sharing(texts: Sequence[MarkedText]) -> list[str]:
    """The entities that share a unit with an earlier one of their row, in words that ask to go on."""
    problems = []
    for text in texts:
        reach, before = -1, None
        for entity in text.entities:
            run = run_of(text.offsets, entity["start"], entity["end"])
            if run is None:
                continue
            if before is not None and run[0] <= reach:
                both = f"{_named(text, before)} and {_named(text, entity)}"
                problems.append(f"{text.where}: the entities {both} share a word, which then has two tags")
            if run[1] > reach:
                reach, before = run[1], entity
    return problems


def accepted_entities(rows: Rows) -> Rows:
    """Rows to judge, their entities in order and each once; notes count those that no answer can match, as they cut a
    word, or end in what a model does not see. DataError as in `checked_entities`.
    """
    entities, cut, unseen = list[list[Entity]](), 0, 0
    for text in marked_texts(rows):
        entities.append(text.entities)
        cut += count_misaligned([text])
        edges = ({text.text[one["start"]], text.text[one["end"] - 1]} for one in text.entities)
        unseen += sum(any(map(_is_unseen, both)) for both in edges)
    accepted = rows.with_column("entities", entities)
    notes = []
    if cut:
        notes.append(f"{cut} entities begin or end inside a word or with a space; no answer matches them: scored wrong")
    if unseen:
        what = "begin or end with an invisible character such as U+200B"
        notes.append(f"{unseen} entities {what}; most models do not see it, and then no answer matches them")
    return replace(accepted, notes=[*accepted.notes, *notes]) if notes else accepted


def learnable_entities(rows: Rows, *, widen: bool, advice: str) -> list[MarkedText]:
    """The rows, where a head of tags can learn all their entities; DataError names those that it cannot.

    Args:
        rows: with `text` and `entities`.
        widen: learn an entity that cuts a word as the whole words that it touches.
        advice: what to do where two entities share a word.
    """
    texts = checked_entities(rows)
    if problems := misaligned(texts, widen=widen):
        raise DataError(problems)
    if shared := sharing(texts):
        raise DataError([f"{problem}, expected one; {advice}" for problem in shared])
    if not any(text.entities for text in texts):
        raise DataError(f"{rows.source}: found no entity in {len(rows)} rows; give rows with some to learn from")
    return texts


def _is_unseen(character: str) -> bool:
    """Whether it formats a text and is no part of a sign, as a joiner of emoji is: vocabularies leave it out."""
    return unicodedata.category(character) == "Cf" and not clings(character)


def _misaligned(text: MarkedText) -> list[Entity]:
    return [entity for entity in text.entities if not is_whole(text.offsets, entity["start"], entity["end"])]


def _named(text: MarkedText, entity: Entity) -> str:
    start, end = entity["start"], entity["end"]
    return f"{shown(text.text[start:end])} ({entity['label']}) at [{start}, {end})"
