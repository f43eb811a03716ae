"""Overlap: the same text twice, with two labels, or on both sides of a split.

In:  rows by split name
Out: Findings: duplicates, conflicting labels, exact and near leaks, texts that parts share, near duplicates
Knows nothing of file formats and models.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bertie.data.kinds import KINDS, Kind
from bertie.data.near_duplicates import near_duplicates
from bertie.data.rows import Row, Rows
from bertie.data.split import text_key
from bertie.text.normalise import fold

ORDER = {"train": 0, "dev": 1, "test": 2}
"""A leak runs from a part to a later one."""


@dataclass(frozen=True)
class Finding:
    """One kind of trouble: how often in all, and some of the places."""

    count: int = 0
    examples: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Place:
    """One row of a split."""

    part: str
    where: str
    row: Row


PLACES_SHOWN = 5
"""Places of a text with different labels."""
LABEL_SHOWN = 120
"""Characters of what is to be answered that a message has room for."""
Answers = Callable[[Row], tuple[str, ...]]
Groups = dict[str, list[Place]]
"""Rows by what makes two of them duplicates."""


def label_names(row: Row) -> tuple[str, ...]:
    """The row's labels, one or several, in an order that does not matter."""
    label = row.get("label", "")
    return tuple(sorted(label)) if isinstance(label, list) else (str(label),)


def group(parts: Mapping[str, Rows], key_of: Callable[[Row], str] = text_key) -> Groups:
    """All rows with a text, those with the same key together: by default with the same folded text."""
    groups: Groups = defaultdict(list)
    for name, rows in parts.items():
        for i, row in enumerate(rows):
            key = key_of(row)
            if key.strip("\0"):  # rows without text are counted as such
                groups[key].append(Place(name, rows.where(i), row))
    return groups


def duplicates(groups: Groups, top: int, answers: Answers = label_names) -> Finding:
    """Rows of train with text and label of an earlier one."""
    pairs = []
    for places in groups.values():
        first: dict[tuple[str, ...], Place] = {}
        for place in places:
            earlier = first.setdefault(answers(place.row), place) if place.part == "train" else place
            if earlier is not place:
                pairs.append((place, earlier))
    return Finding(len(pairs), [_pair(place, earlier, 1.0) for place, earlier in pairs[:top]])


def conflicts(groups: Groups, top: int, answers: Answers = label_names) -> Finding:
    """Texts that stand with different labels."""
    found = [places for places in groups.values() if len({answers(place.row) for place in places}) > 1]
    return Finding(len(found), [_conflict(places, answers) for places in found[:top]])


def leaks(groups: Groups, top: int) -> Finding:
    """Rows of dev or test whose text, and all else that is asked, is in an earlier part."""
    found = _leaking(groups)
    return Finding(len(found), [_pair(place, base, 1.0) for place, base in found[:top]])


def seen(parts: Mapping[str, Rows]) -> dict[str, int]:
    """How many rows of dev and of test are `leaks`, without their places: in the time that it takes to read them."""
    kind = KINDS.get(parts["train"].kind)
    key = key_of(kind) if kind else text_key
    known: set[str] = set()
    counts = {}
    for name in sorted(parts, key=lambda one: ORDER[one]):
        keys = [one for row in parts[name] if (one := key(row)).strip("\0")]  # rows without text are no leaks
        counts[name] = sum(one in known for one in keys)
        known.update(keys)
    del counts["train"]
    return counts


def shared(texts: Groups, asked: Groups, top: int) -> Finding:
    """Rows of dev or test with a text of an earlier part, of which something else is asked: another question."""
    exact = {id(place.row) for place, _ in _leaking(asked)}
    found = [(place, base) for place, base in _leaking(texts) if id(place.row) not in exact]
    return Finding(len(found), [_pair(place, base, 1.0) for place, base in found[:top]])


def _leaking(groups: Groups) -> list[tuple[Place, Place]]:
    return [
        (place, base)
        for places in groups.values()
        for base in [_earliest(places)]
        for place in places
        if ORDER[place.part] > ORDER[base.part]
    ]


def near(groups: Groups, top: int) -> tuple[Finding, Finding]:
    """Rows of dev or test that are nearly, not exactly, a row of an earlier part; and near pairs within train."""
    members = list(groups.values())
    judged: dict[tuple[str, str], dict[str, Any]] = {}
    within = []
    for pair in near_duplicates(list(groups)):
        one, other = members[pair.first], members[pair.second]
        bases = _earliest(one), _earliest(other)
        if all(base.part == "train" for base in bases):
            within.append(_pair(bases[1], bases[0], pair.similarity))
        for places, own, base in ((one, bases[0], bases[1]), (other, bases[1], bases[0])):
            # A row of a later part than its own group's first is an exact leak; it is not told twice.
            for place in [p for p in places if p.part == own.part and ORDER[p.part] > ORDER[base.part]]:
                judged.setdefault((place.part, place.where), _pair(place, base, pair.similarity))
    return Finding(len(judged), list(judged.values())[:top]), Finding(len(within), within[:top])


def key_of(kind: Kind) -> Callable[[Row], str]:
    """What two rows of a kind share that are duplicates: all that is asked, without what is to be answered."""

    def key(row: Row) -> str:
        asked = kind.asked_of(row)
        texts = [fold(value) for value in asked.values() if isinstance(value, str)]
        rest = {name: value for name, value in asked.items() if not isinstance(value, str)}
        return "\0".join([*texts, json.dumps(rest, sort_keys=True, default=str)] if rest else texts)

    return key


def answers_of(kind: Kind | None) -> Callable[[Row], tuple[str, ...]]:
    """What is to be answered of a row of a kind, comparable; of texts with labels (None) `label_names`."""
    if kind is None:
        return label_names
    return lambda row: (json.dumps(kind.told_of(row), ensure_ascii=False, sort_keys=True, default=str),)


def text_of(row: Row) -> str:
    """The text, or the two texts with a space between; of rows without one all that are texts."""
    names = [name for name in ("text", "text_a", "text_b") if name in row]
    texts = [name for name, value in row.items() if isinstance(value, str) and name not in ("label", "id")]
    return " ".join(str(row[name]) for name in names or texts)


def shortened(row: Row) -> str:
    """The beginning of the text, or of the question, to recognise it by."""
    text = " ".join(str(row.get("question", text_of(row))).split())
    return text if len(text) <= 80 else text[:79] + "…"


def _earliest(places: Sequence[Place]) -> Place:
    return min(places, key=lambda place: ORDER[place.part])


def _conflict(places: Sequence[Place], answers: Answers) -> dict[str, Any]:
    """The first place of each label, and others as far as there is room, in their order."""
    first: dict[tuple[str, ...], int] = {}
    others = [i for i, place in enumerate(places) if first.setdefault(answers(place.row), i) != i]
    shown = [places[i] for i in sorted([*first.values(), *others][:PLACES_SHOWN])]
    labels = [{"where": place.where, "label": "|".join(answers(place.row))[:LABEL_SHOWN]} for place in shown]
    return {"text": shortened(places[0].row), "labels": labels}


def _pair(place: Place, other: Place, similarity: float) -> dict[str, Any]:
    return {
        "where": place.where,
        "part": place.part,
        "text": shortened(place.row),
        "like": other.where,
        "like_part": other.part,
        "like_text": shortened(other.row),
        "similarity": round(similarity, 3),
    }
