"""Spans: places of a file, [start, end) in characters, to entities and relations, or a reason why they cannot be.

In:  values as a format's reader gave them, and the text that they point into
Out: entities in order, relations between them by index; CellError says what was found and what to do
Knows nothing of files, lines, formats and tags.

An offset counts Unicode code points, as Python does. Programs that run in a browser may count UTF-16 units, in which a
character past U+FFFF (an emoji, a rare Han character) is two; `as_code_point` converts those.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypedDict

from bertie.data.cells import CellError, as_label, as_text, kind

_SHOWN = 40
_LARGEST = 2**53  # what JSON promises to keep; Python may refuse to print a much longer number


class Entity(TypedDict):
    """What stands at [start, end) of a text is a `label`."""

    start: int
    end: int
    label: str


class Relation(TypedDict):
    """Two entities, by their index in the row, and what the first is to the second."""

    head: int
    tail: int
    label: str


def shown(text: str) -> str:
    """A text as messages quote it: short, on one line."""
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


def found(value: Any) -> str:
    """What a value of a file is, in words; the same as `kind`, but texts are quoted and null has its JSON name."""
    if value is None:
        return "null"
    return f"the text {shown(value)}" if isinstance(value, str) else kind(value)


def needed(record: Mapping[str, Any], key: str, place: str = "") -> Any:
    """The value of a key that must be there; `place` is the path of `record`, empty for the row itself."""
    if key not in record:
        where = f"{place!r} has" if place else "there is"
        raise CellError(f"{where} no {key!r}, expected one; add it or delete the row")
    return record[key]


def needed_text(record: Mapping[str, Any], key: str) -> str:
    """The text under a key. Unlike `as_text`, nothing is not a text: offsets into it would mean nothing."""
    value = needed(record, key)
    if value is None:
        raise CellError(f"{key!r} is null, expected a text; fill it in or delete the row")
    return as_text(value, key)


def as_list(value: Any, name: str) -> list[Any]:
    """A list, as it is."""
    if not isinstance(value, list):
        raise CellError(f"{name!r} is {found(value)}, expected a list; write it in [ ], an empty one as []")
    return value


def as_object(value: Any, name: str) -> dict[str, Any]:
    """An object, as it is."""
    if not isinstance(value, dict):
        raise CellError(f"{name!r} is {found(value)}, expected an object; write it in {{ }}")
    return value


def as_number(value: Any, name: str) -> int:
    """A whole number. True is none, though Python counts with it; nor is "3" or 3.0, which hide a mistake elsewhere."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise CellError(f"{name!r} is {found(value)}, expected a whole number; write it without quotes and point")
    if abs(value) > _LARGEST:
        raise CellError(f"{name!r} is a number past 2^53, expected a place in a text; correct it")
    return value


def one_label(value: Any, name: str) -> str:
    """A single class."""
    label = [] if isinstance(value, list) else as_label(value, name)
    if not isinstance(label, str):
        raise CellError(f"{name!r} is a list, expected one label; make a row or an entity of each")
    return label


def as_span(start: Any, end: Any, text: str, name: str) -> tuple[int, int]:
    """[start, end), which holds at least one character of the text."""
    first, last = as_number(start, f"{name}.start"), as_number(end, f"{name}.end")
    if not 0 <= first < last <= len(text):
        expected = f"expected 0 <= start < end <= {len(text)}, the text's length"
        advice = "count characters from 0, the end is the first one behind; correct the numbers"
        raise CellError(f"{name!r} is [{first}, {last}), {expected}; {advice}")
    return first, last


def check_stated(stated: Any, text: str, span: tuple[int, int], name: str) -> None:
    """Refuses a span beside which the file states another text than the one that stands there."""
    there = text[span[0] : span[1]]
    if not isinstance(stated, str):
        raise CellError(f"'{name}.text' is {found(stated)}, expected the text {shown(there)}; correct or remove it")
    if stated != there:
        at = f"at [{span[0]}, {span[1]}) stands {shown(there)}"
        advice = "correct the numbers, which count characters (code points, not bytes) from 0"
        raise CellError(f"'{name}.text' is {shown(stated)}, but {at}, expected the same; {advice}")


def as_entities(value: Any, text: str, name: str) -> list[Entity]:
    """Entities as objects (`start`, `end` or `start_offset`, `end_offset`, and `label`) or as [start, end, label].

    In the order of the file, one for each, so that relations can point at them; `in_order` makes them canonical.
    """
    return [_entity(part, text, f"{name}[{i}]") for i, part in enumerate(as_list(value, name))]


def _entity(part: Any, text: str, name: str) -> Entity:
    if isinstance(part, list):
        if len(part) != 3:
            raise CellError(f"{name!r} has {len(part)} parts, expected [start, end, label]; correct it")
        part = dict(zip(("start", "end", "label"), part, strict=True))
    if not isinstance(part, dict):
        expected = 'expected {"start", "end", "label"} or [start, end, label]'
        raise CellError(f"{name!r} is {found(part)}, {expected}; write it as one of them")
    ends = ("start_offset", "end_offset") if "start_offset" in part else ("start", "end")
    start, end = (needed(part, key, name) for key in ends)
    span = as_span(start, end, text, name)
    if part.get("text") is not None:
        check_stated(part["text"], text, span, name)
    return Entity(start=span[0], end=span[1], label=one_label(part.get("label"), f"{name}.label"))


def utf16_places(text: str) -> list[int]:
    """For each UTF-16 unit the character that begins there, -1 in the middle of one; the last is the text's end."""
    places = list[int]()
    for i, character in enumerate(text):
        places.extend((i, -1) if character > "\uffff" else (i,))
    return [*places, len(text)]


def as_code_point(value: Any, places: Sequence[int], name: str) -> int:
    """An offset in UTF-16 units to one in characters."""
    unit = as_number(value, name)
    if not 0 <= unit < len(places) or places[unit] < 0:
        expected = f"expected the border of a character, 0 to {len(places) - 1} in UTF-16 units"
        raise CellError(f"{name!r} is {unit}, {expected}; correct it")
    return places[unit]


def first_wide(text: str) -> int:
    """Where the two ways of counting part: the first character that is two UTF-16 units, or the text's length."""
    if text.isascii():
        return len(text)
    return next((i for i, character in enumerate(text) if character > "\uffff"), len(text))


def as_relations(value: Any, count: int, name: str) -> list[Relation]:
    """Relations as {"head", "tail", "label"}, the first two being indices into `count` entities."""
    relations = []
    for i, part in enumerate(as_list(value, name)):
        at = f"{name}[{i}]"
        sides = as_object(part, at)
        head, tail = (_index(needed(sides, side, at), count, f"{at}.{side}") for side in ("head", "tail"))
        relations.append(Relation(head=head, tail=tail, label=one_label(sides.get("label"), f"{at}.label")))
    return relations


def _index(value: Any, count: int, name: str) -> int:
    index = as_number(value, name)
    if not 0 <= index < count:
        raise CellError(f"{name!r} is {index}, expected the index of one of the {count} entities, from 0; correct it")
    return index


def in_order(entities: Sequence[Entity], relations: Iterable[Relation] = ()) -> tuple[list[Entity], list[Relation]]:
    """Sorted by (start, end, label), relations following their entities; what is stated twice is one."""
    keys = [(entity["start"], entity["end"], entity["label"]) for entity in entities]
    ordered = sorted(set(keys))
    place = {key: i for i, key in enumerate(ordered)}
    links = sorted({(place[keys[link["head"]]], place[keys[link["tail"]]], link["label"]) for link in relations})
    return (
        [Entity(start=start, end=end, label=label) for start, end, label in ordered],
        [Relation(head=head, tail=tail, label=label) for head, tail, label in links],
    )
