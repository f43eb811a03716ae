"""Label Studio: a task of its JSON export to a row.

In:  a task: `data.text`, and `annotations` with regions and relations between them
Out: {"text", "entities"} with "relations" where there are any, or with the "label" of a text that was classified and
     has no region; what a person should know of it; CellError
Knows nothing of files and of other programs.

    {"data": {"text": "..."}, "annotations": [{"was_cancelled": false, "result": [
        {"id": "a", "type": "labels", "value": {"start": 0, "end": 3, "text": "Bob", "labels": ["PER"]}},
        {"type": "relation", "from_id": "a", "to_id": "b", "direction": "right", "labels": ["knows"]}]}]}
    {"data": {"text": "..."}, "annotations": [{"result": [
        {"from_name": "mood", "type": "choices", "value": {"choices": ["good"]}}]}]}

Offsets: Label Studio counted UTF-16 units until version 1.4 and counts characters since. Where the text holds
characters that are two units (emoji, rare Han) the stated text of the regions decides: characters if every region then
states what stands there, else UTF-16 units, which are converted. Where nothing is stated: characters, and a remark.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bertie.data.cells import CellError
from bertie.data.rows import Row
from bertie.data.spans import (
    Entity,
    Relation,
    as_code_point,
    as_list,
    as_number,
    as_object,
    as_span,
    check_stated,
    first_wide,
    found,
    in_order,
    needed,
    needed_text,
    one_label,
    utf16_places,
)

CONVERTED = "offsets that count UTF-16 units were turned into characters"
UNDECIDED = (
    "an entity stands behind an emoji or another character that is two UTF-16 units, and nothing says which of the two "
    "the offsets count; they were read as characters, so look whether the entities are shifted"
)
SEVERAL = "there are several annotations, the first that is not cancelled was taken"
OTHER_RESULTS = "results that are neither labels of a text nor relations were left out"
TOGETHER = "labels of whole texts were left out, as other tasks have regions"


class UnfinishedError(CellError):
    """A task that nobody has annotated yet, or whose annotations are all cancelled: no entities would be untrue."""


@dataclass(frozen=True)
class _Region:
    name: str
    identity: Any
    start: int
    end: int
    labels: list[str]
    stated: Any


def label_studio_row(task: Mapping[str, Any]) -> tuple[Row, list[str]]:
    """A tagging row, with relations if there are any.

    Of a text without regions it has the label that was chosen, or a list of several.
    """
    text = needed_text(as_object(needed(task, "data"), "data"), "text")
    results, remarks = _results(task)
    regions = [_region(part, name) for name, part in results if part.get("type") == "labels"]
    chosen = [] if regions else _chosen(results)
    known = ("relation", "choices") if chosen else ("relation", "labels")
    if any(part.get("type") not in known for _, part in results):
        remarks.append(OTHER_RESULTS)
    places, remark = _places(regions, text)
    entities, first = _entities(regions, text, places)
    relations = [
        link for name, part in results if part.get("type") == "relation" for link in _relations(part, first, name)
    ]
    ordered, links = in_order(entities, relations)
    row: Row = {"text": text, "entities": ordered} | ({"relations": links} if links else {})
    if chosen:
        row["label"] = chosen[0] if len(chosen) == 1 else chosen
    return row, [*remarks, *([remark] if remark else [])]


def _results(task: Mapping[str, Any]) -> tuple[list[tuple[str, dict[str, Any]]], list[str]]:
    """The results of the first annotation that is not cancelled, each with its path."""
    annotations = as_list(needed(task, "annotations"), "annotations")
    finished = []
    for i, part in enumerate(annotations):
        annotation = as_object(part, f"annotations[{i}]")
        cancelled = annotation.get("was_cancelled", False)
        if not isinstance(cancelled, bool):
            what = f"'annotations[{i}].was_cancelled' is {found(cancelled)}"
            raise CellError(f"{what}, expected true or false; correct it")
        if not cancelled:
            finished.append((f"annotations[{i}].result", needed(annotation, "result", f"annotations[{i}]")))
    if not finished:
        what = f"none of {len(annotations)} annotations is finished" if annotations else "there is no annotation"
        raise UnfinishedError(f"{what}, expected one; annotate the task or delete it")
    name, results = finished[0]
    parts = [(f"{name}[{i}]", as_object(part, f"{name}[{i}]")) for i, part in enumerate(as_list(results, name))]
    return parts, [SEVERAL] if len(finished) > 1 else []


def _region(part: Mapping[str, Any], name: str) -> _Region:
    value, at = as_object(needed(part, "value", name), f"{name}.value"), f"{name}.value"
    labels = as_list(needed(value, "labels", at), f"{at}.labels")
    if not labels:
        raise CellError(f"'{at}.labels' is empty, expected a label; choose one or delete the region")
    return _Region(
        name=at,
        identity=part.get("id"),
        start=as_number(needed(value, "start", at), f"{at}.start"),
        end=as_number(needed(value, "end", at), f"{at}.end"),
        labels=[one_label(label, f"{at}.labels[{i}]") for i, label in enumerate(labels)],
        stated=value.get("text"),
    )


def _chosen(results: list[tuple[str, dict[str, Any]]]) -> list[str]:
    """The choices for a whole text, which have no place in it; none where they answer several questions."""
    chosen, questions = list[str](), set[str]()
    for name, part in results:
        value, at = part.get("value"), f"{name}.value"
        if part.get("type") != "choices" or (isinstance(value, dict) and "start" in value):
            continue
        listed = as_list(needed(as_object(value, at), "choices", at), f"{at}.choices")
        chosen += [one_label(choice, f"{at}.choices[{i}]") for i, choice in enumerate(listed)]
        questions.add(str(part.get("from_name")))
    return chosen if len(questions) == 1 else []


def _places(regions: list[_Region], text: str) -> tuple[list[int] | None, str]:
    """Where the offsets point if they count UTF-16 units, None if characters; and what to say about it."""
    behind = [region for region in regions if region.end > first_wide(text)]
    if not behind:
        return None, ""
    places = utf16_places(text)
    if all(_fits(region, text, None) for region in regions):
        return None, "" if any(region.stated is not None for region in behind) else UNDECIDED
    if all(_fits(region, text, places) for region in regions):
        return places, CONVERTED
    return None, ""  # and the first region that does not fit is named


def _fits(region: _Region, text: str, places: list[int] | None) -> bool:
    try:
        _span(region, text, places)
    except CellError:
        return False
    return True


def _span(region: _Region, text: str, places: list[int] | None) -> tuple[int, int]:
    start, end = region.start, region.end
    if places is not None:
        start, end = as_code_point(start, places, region.name), as_code_point(end, places, region.name)
    span = as_span(start, end, text, region.name)
    same = isinstance(region.stated, str) and _flat(region.stated) == _flat(text[slice(*span)])
    if region.stated is not None and not same:
        check_stated(region.stated, text, span, region.name)
    return span


def _flat(text: str) -> str:
    """A region's text has a backslash and an n for any end of a line."""
    return text.replace("\\n", "\n").replace("\r", "\n")


def _entities(regions: list[_Region], text: str, places: list[int] | None) -> tuple[list[Entity], dict[str, int]]:
    """An entity for each label of each region, and by the region's id the index of its first."""
    entities, first = list[Entity](), dict[str, int]()
    for region in regions:
        start, end = _span(region, text, places)
        if isinstance(region.identity, str):
            first.setdefault(region.identity, len(entities))
        entities.extend(Entity(start=start, end=end, label=label) for label in region.labels)
    return entities, first


def _relations(part: Mapping[str, Any], places: Mapping[str, int], name: str) -> list[Relation]:
    head, tail = (_side(needed(part, side, name), places, f"{name}.{side}") for side in ("from_id", "to_id"))
    direction = part.get("direction", "right")
    if direction not in ("right", "left", "bi"):
        raise CellError(f"'{name}.direction' is {found(direction)}, expected right, left or bi; correct it")
    labels = as_list(part.get("labels", []), f"{name}.labels")
    if not labels:
        raise CellError(f"'{name}.labels' is empty, expected what the first is to the second; choose a label")
    ways = {"right": [(head, tail)], "left": [(tail, head)], "bi": [(head, tail), (tail, head)]}[direction]
    classes = [one_label(label, f"{name}.labels[{i}]") for i, label in enumerate(labels)]
    return [Relation(head=one, tail=other, label=label) for one, other in ways for label in classes]


def _side(identity: Any, places: Mapping[str, int], name: str) -> int:
    if not isinstance(identity, str) or identity not in places:
        raise CellError(
            f"{name!r} is {found(identity)}, expected the id of a region; correct it or delete the relation"
        )
    return places[identity]
