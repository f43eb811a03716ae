"""Overlap: the same text twice, with two labels, or on both sides of a split.

In:  rows by split name
Out: Findings: duplicates, conflicting labels, exact and near leaks, near duplicates
Knows nothing of file formats and models.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bertie.data.near_duplicates import near_duplicates
from bertie.data.rows import Row, Rows
from bertie.data.split import text_key

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


Groups = dict[str, list[Place]]
"""Rows by what makes two of them duplicates."""


def group(parts: Mapping[str, Rows]) -> Groups:
    """All rows with a text, those with the same folded text together."""
    groups: Groups = defaultdict(list)
    for name, rows in parts.items():
        for i, row in enumerate(rows):
            key = text_key(row)
            if key.strip("\0"):  # rows without text are counted as such
                groups[key].append(Place(name, rows.where(i), row))
    return groups


def duplicates(groups: Groups, top: int) -> Finding:
    """Rows of train with text and label of an earlier one."""
    pairs = []
    for places in groups.values():
        first: dict[tuple[str, ...], Place] = {}
        for place in places:
            earlier = first.setdefault(label_names(place.row), place) if place.part == "train" else place
            if earlier is not place:
                pairs.append((place, earlier))
    return Finding(len(pairs), [_pair(place, earlier, 1.0) for place, earlier in pairs[:top]])


def conflicts(groups: Groups, top: int) -> Finding:
    """Texts that stand with different labels."""
    found = [places for places in groups.values() if len({label_names(place.row) for place in places}) > 1]
    return Finding(len(found), [_conflict(places) for places in found[:top]])


def leaks(groups: Groups, top: int) -> Finding:
    """Rows of dev or test whose text is in an earlier part."""
    found = []
    for places in groups.values():
        base = _earliest(places)
        found += [_pair(place, base, 1.0) for place in places if ORDER[place.part] > ORDER[base.part]]
    return Finding(len(found), found[:top])


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


def label_names(row: Row) -> tuple[str, ...]:
    """The row's labels, one or several, in an order that does not matter."""
    label = row.get("label", "")
    return tuple(sorted(label)) if isinstance(label, list) else (str(label),)


def text_of(row: Row) -> str:
    """The text, or the two texts with a space between."""
    return " ".join(str(row[name]) for name in ("text", "text_a", "text_b") if name in row)


def shortened(row: Row) -> str:
    """The beginning of the text, to recognise it by."""
    text = " ".join(text_of(row).split())
    return text if len(text) <= 80 else text[:79] + "…"


def _earliest(places: Sequence[Place]) -> Place:
    return min(places, key=lambda place: ORDER[place.part])


def _conflict(places: Sequence[Place]) -> dict[str, Any]:
    labels = [{"where": place.where, "label": "|".join(label_names(place.row))} for place in places[:5]]
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
