"""Annotations: records of annotation programs to canonical rows.

In:  records of doccano (JSON lines), Label Studio (JSON) or plain character spans
Out: {"text", "entities"}, in a file with relations or labels of whole texts these too; {"text", "label"} where Label
     Studio has labels of whole texts alone; remarks; CellError
Knows nothing of files and encodings: the JSON readers have made a Table.

    doccano       {"text", "label": [[start, end, "PER"]]}            also "labels", "entities"; "data" for "text"
                  {"text", "entities": [{"id", "start_offset", "end_offset", "label"}],
                           "relations": [{"from_id", "to_id", "type"}]}
    spans         {"text", "entities": [{"start", "end", "label"}]}     and "relations": [{"head", "tail", "label"}],
                                                                        or "label" (also "intent"), one of the text
    label_studio  {"data": {"text"}, "annotations": [...]}              see label_studio_reader
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeGuard

from bertie.data.cells import CellError
from bertie.data.columns import Columns, folded
from bertie.data.kinds import KINDS, LABELS, kind_of
from bertie.data.label_studio_reader import TOGETHER, UNDECIDED, UnfinishedError, label_studio_row
from bertie.data.rows import Row
from bertie.data.spans import (
    Entity,
    Relation,
    as_entities,
    as_list,
    as_object,
    as_relations,
    first_wide,
    found,
    in_order,
    needed,
    needed_text,
    one_label,
)
from bertie.data.table import Table

Program = Literal["doccano", "spans", "label_studio"]
_LABELS = ("entities", "label", "labels")
WHOLE = ("label", *KINDS["intent_slots"].known["label"])
"""Columns that may hold a label of the whole text."""
_READ = {
    *("text", "data", "relations", *_LABELS, *WHOLE, "tokens", "tags"),
    *(name for kind in KINDS.values() for column in ("tokens", "tags") for name in kind.known.get(column, ())),
}
"""Columns in which a row may stand, or another form of it: only those of a program are read."""
_ANNOTATED = ("tagging", "intent_slots", "extraction")


def spans_row(record: Mapping[str, Any]) -> tuple[Row, list[str]]:
    """Plain spans, which count characters; a text stated beside one must agree."""
    text = needed_text(record, "text")
    entities = as_entities(needed(record, "entities"), text, "entities")
    relations = as_relations(_optional(record, "relations"), len(entities), "relations")
    return _row(text, entities, relations) | _label(record, "entities"), []


def doccano_row(record: Mapping[str, Any]) -> tuple[Row, list[str]]:
    """A line of doccano, of any of its versions.

    Its offsets are read as characters. Some versions count UTF-16 units, and no text is stated by which one could tell:
    where that makes a difference there is a remark.
    """
    text = needed_text(record, "text" if "text" in record or "data" not in record else "data")
    key = next((key for key in _LABELS if key in record), "")
    if not key:
        raise CellError(f"there is none of {', '.join(_LABELS)}, expected the entities; add them, [] for none")
    entities = as_entities(record[key], text, key)
    relations = _doccano_relations(_optional(record, "relations"), record[key])
    undecided = any(entity["end"] > first_wide(text) for entity in entities)
    return _row(text, entities, relations) | _label(record, key), [UNDECIDED] if undecided else []


def _optional(record: Mapping[str, Any], key: str) -> Any:
    """A list that may be missing, or null as in tables that have the column for other rows."""
    value = record.get(key)
    return [] if value is None else value


def _row(text: str, entities: Sequence[Entity], relations: Sequence[Relation]) -> Row:
    ordered, links = in_order(entities, relations)
    return {"text": text, "entities": ordered} | ({"relations": links} if links else {})


def _label(record: Mapping[str, Any], entities: str) -> Row:
    """A label of the whole text; `entities` is the column in which those stand."""
    names = (name for name in WHOLE if name != entities and record.get(name) is not None)
    return {name: record[name] for name in names if not isinstance(record[name], (list, dict))}


def _doccano_relations(value: Any, entities: Sequence[Any]) -> list[Relation]:
    """doccano points at entities by their id, which counts over the whole project."""
    places = dict[int | str, int]()
    for i, entity in enumerate(entities):
        identity = entity.get("id") if isinstance(entity, dict) else None
        if _is_identity(identity) and places.setdefault(identity, i) != i:
            raise CellError(f"'entities[{i}].id' is {found(identity)} again, expected one of its own; correct it")
    relations = []
    for i, part in enumerate(as_list(value, "relations")):
        at = f"relations[{i}]"
        sides = as_object(part, at)
        head, tail = (_side(needed(sides, side, at), places, f"{at}.{side}") for side in ("from_id", "to_id"))
        relations.append(Relation(head=head, tail=tail, label=one_label(sides.get("type"), f"{at}.type")))
    return relations


def _side(identity: Any, places: Mapping[int | str, int], name: str) -> int:
    if not _is_identity(identity) or identity not in places:
        raise CellError(
            f"{name!r} is {found(identity)}, expected the id of an entity; correct it or delete the relation"
        )
    return places[identity]


def _is_identity(value: Any) -> TypeGuard[int | str]:
    return isinstance(value, (int, str)) and not isinstance(value, bool)


ROWS: dict[Program, Callable[[Mapping[str, Any]], tuple[Row, list[str]]]] = {
    "doccano": doccano_row,
    "spans": spans_row,
    "label_studio": label_studio_row,
}
"""How a record of each program is read: the row, and what a person should know of it."""


def program_of(records: Iterable[Mapping[str, Any]], columns: Columns | None = None) -> Program | None:
    """Which program wrote the records, by the first that shows it; None where they are no annotations.

    Keys are looked at, not whether all is right in them. Rows without an entity show nothing, and a list of texts under
    `labels` is a classification with several labels.

    Plain spans of another column than `text`, which a person named or a model learned from, are rows as they stand.
    """
    text = columns.text or columns.learned.get("text", "text") if columns else "text"
    bare = False
    for record in records:
        elsewhere = folded(text) != "text" and folded(text) in map(folded, record)
        program = _program(record)
        if program:
            return None if program == "spans" and elsewhere else program
        bare |= "text" in record and record.get("entities") == [] and not elsewhere
    return "spans" if bare else None


def program_in(table: Table, kind: str | None, columns: Columns | None) -> Program | None:
    """Which program wrote a table that is wanted as rows of `kind`, None: not said; or where `columns` of it are named.

    None too where entities only stand beside what is wanted: if rows of another kind are asked for, or the columns show
    them. An export of Label Studio is nothing else, nor are entities in the place of a label.
    """
    program, named = program_of(table.records, columns), columns is not None and bool(columns.texts or columns.label)
    if program is None or program == "label_studio":
        return program
    if kind is not None or named:
        return program if kind in _ANNOTATED else None
    shown = kind_of(table) if "entities" in table.header else LABELS
    return program if shown in (LABELS, *_ANNOTATED) else None


def _program(record: Mapping[str, Any]) -> Program | None:
    if isinstance(record.get("data"), dict) and "annotations" in record:
        return "label_studio"
    key = next((key for key in _LABELS if isinstance(record.get(key), list)), "")
    spans = [span for span in record.get(key, ()) if isinstance(span, (list, dict))]
    if not spans or not ("text" in record or "data" in record):
        return None
    plain = key == "entities" and all("start" in span for span in spans)
    return "spans" if plain and not _by_id(record.get("relations")) else "doccano"


def _by_id(relations: Any) -> bool:
    return isinstance(relations, list) and any(isinstance(link, dict) and "from_id" in link for link in relations)


def read_annotations(
    table: Table, program: Program, beside: str | None = None, related: bool = False
) -> tuple[Table, list[str]]:
    """A table of canonical rows out of one of a program's records, and notes; the problems of both are in it.

    Tasks that nobody has finished are left out and counted. If any row has relations, every row has the column; where
    they are asked for (`related`), an empty list of them in any record is enough. A label of the whole text stays a
    column where any row has one, and so do all columns in which no row can stand; of Label Studio only the one that
    `beside` names.
    """
    made, remarks, unfinished = Table(table.source, table.encoding, problems=list(table.problems)), _Remarks(), 0
    for line, record in zip(table.lines, table.records, strict=True):
        try:
            row, said = ROWS[program](record)
        except UnfinishedError:
            unfinished += 1
        except CellError as error:
            made.problems.append((line, str(error)))
        else:
            made.add(line, _kept(record, program, beside) | row)
            remarks.add(line, said)
    made.problems.sort(key=lambda problem: problem[0])
    if program == "label_studio":
        _part_labels(made, remarks)
    related &= any(isinstance(record.get("relations"), list) for record in table.records)
    _square(made, table.header, related)
    left_out = [f"{table.source}: {unfinished} tasks have no finished annotation and were left out"]
    return made, (left_out if unfinished else []) + remarks.notes(table.source)


def _kept(record: Mapping[str, Any], program: Program, name: str | None) -> Row:
    """The columns beside the row. Label Studio has what was imported with a text in `data`, and all else above it."""
    if program != "label_studio":
        return {column: value for column, value in record.items() if column not in _READ or column == name}
    data = record.get("data")
    holder = data if isinstance(data, dict) and name in data else record
    return {name: holder[name]} if name is not None and name in holder else {}


def _part_labels(table: Table, remarks: _Remarks) -> None:
    """Where texts were only classified, rows have a label and no entities; else labels of whole texts are left out."""
    labelled = [(line, row) for line, row in zip(table.lines, table.records, strict=True) if "label" in row]
    if labelled and not any(row["entities"] for row in table.records):
        for row in table.records:
            del row["entities"]
        return
    for line, row in labelled:
        del row["label"]
        remarks.add(line, [TOGETHER])


def _square(table: Table, header: Sequence[str], related: bool) -> None:
    table.header = [name for name in ("text", "entities") if all(name in record for record in table.records)]
    if related or any("relations" in record for record in table.records):
        table.header.append("relations")
        for record in table.records:
            record.setdefault("relations", [])
    table.header += [name for name in WHOLE if any(name in record for record in table.records)]
    others = [name for name in header if name not in table.header]
    table.header += [name for name in others if any(name in record for record in table.records)]


class _Remarks:
    """The same remark about many rows is one note."""

    def __init__(self) -> None:
        self._counts = Counter[str]()
        self._first = dict[str, int]()

    def add(self, line: int, remarks: Sequence[str]) -> None:
        for remark in remarks:
            self._counts[remark] += 1
            self._first.setdefault(remark, line)

    def notes(self, source: str) -> list[str]:
        return [
            f"{source}: {count} rows, the first at line {self._first[remark]}: {remark}"
            for remark, count in self._counts.items()
        ]
