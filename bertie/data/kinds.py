"""Kinds of rows beyond a text and its label: which columns show them, and how a record becomes a row.

In:  the header of a table; the name of a kind that a task asks for
Out: the kind, and the file's name for each of its columns; rows through `row_checks`
Knows nothing of tasks, of file formats, or of what a model makes of a row.

    tagging  intent_slots (entities and a label)  relation  target_sentiment  extraction (entities and relations)
    question_answering  multiple_choice  embedding  reranking

Everything else is `labels`: one text or two, and a label, which `columns` finds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bertie.core.errors import DataError, UsageError
from bertie.data import row_checks, tags
from bertie.data.cells import CellError, as_text
from bertie.data.choices import as_choices, choice_columns, first_number, numbered
from bertie.data.columns import LABEL_NAMES, TEXT_NAMES, Columns, folded, given, learned_from
from bertie.data.markers import is_marked
from bertie.data.rows import Row
from bertie.data.spans import needed, one_label
from bertie.data.table import Table

LABELS = "labels"
_UNSHOWN = (
    "answers were counted from 0, as none is 0 and none is the number of choices; if the first choice is 1, write "
    "letters or the texts of the choices"
)
Names = dict[str, str]
Read = Callable[[Mapping[str, Any], Names, bool], Row]
"""A record, the columns' names, whether it is for prediction."""


def labels_in(value: Any) -> list[str]:
    """Every label in a row: of the row itself, of its entities, of its relations."""
    if isinstance(value, list):
        return [label for part in value for label in labels_in(part)]
    if not isinstance(value, dict):
        return []
    own = value.get("label", [])
    labels = own if isinstance(own, list) else [own]
    return [*map(str, labels), *(label for name, part in value.items() if name != "label" for label in labels_in(part))]


def _answerable(row: Row) -> list[str]:
    return ["answerable" if row["answers"] else "unanswerable"]


def _position(row: Row) -> list[str]:
    return [f"choice {row['answer'] + 1}"]


def _none(row: Row) -> list[str]:
    return []


@dataclass(frozen=True)
class Kind:
    """One kind of rows."""

    name: str
    needed: tuple[tuple[str, ...], ...]
    """Sets of columns that a labelled file has, any of them; the first that is there is taken."""
    asked: tuple[tuple[str, ...], ...]
    """The same for a file to predict."""
    known: Mapping[str, tuple[str, ...]]
    """Common names of the columns, in files of others."""
    read: Callable[[Table, Names], Read]
    """Looks at the whole table first, then gives the function that reads one record."""
    may_have: tuple[str, ...] = field(default=())
    """Columns that are taken where they are there."""

    one_right: bool = True
    """Whether the same asked twice with two answers is a mistake; a query may have several positives."""
    classes: Callable[[Row], list[str]] = labels_in
    """What of a row's answer is counted: what stands under `label`, wherever it stands, if nothing else is said."""

    def asked_of(self, row: Row) -> Row:
        """The columns that are given to a model; of a row of which all are to be learned (pairs) all but the label."""
        names = {name for columns in self.asked for name in columns}
        return {name: value for name, value in row.items() if name in names} or {
            name: value for name, value in row.items() if name != "label"
        }

    def told_of(self, row: Row) -> Row:
        """The columns that are to be answered."""
        asked = self.asked_of(row)
        return {name: value for name, value in row.items() if name not in asked and name not in self.may_have}

    def sets(
        self, for_prediction: bool, named: Collection[str] = (), learned: Collection[str] = ()
    ) -> list[tuple[str, ...]]:
        """The sets of columns of which one is to be there: all, or those with every column that a person named; of
        what is asked those first that have most of what a model learned from.
        """
        sets = [columns for columns in (self.asked if for_prediction else self.needed) if set(named) <= set(columns)]
        return sorted(sets, key=lambda columns: -len(set(columns) & set(learned))) if for_prediction else sets

    def names(
        self, header: list[str], for_prediction: bool, named: Names | None = None, learned: Names | None = None
    ) -> Names | None:
        """Canonical name to the file's; None where no set is all there. What a person named goes before what a model
        learned from, and that before common names.
        """
        plain = {folded(name): name for name in header}
        found: Names = {}
        for column, known in self.known.items():
            match = next((plain[name] for name in (column, *known) if name in plain), None)
            if match is not None:
                found[column] = match
        found |= {**(learned or {}), **(named or {})}
        choices = choice_columns(header) if "choices" in self.known and "choices" not in found else {}
        if choices:
            found |= {"choices": ""}
        for columns in self.sets(for_prediction, named or (), learned or ()):
            if all(column in found for column in columns):
                taken = {column: found[column] for column in columns if found[column]}
                free = [column for column in self.may_have if found.get(column) not in (None, *taken.values())]
                taken |= {column: found[column] for column in free}
                return taken | (choices if "choices" in columns else {})
        return None


def _tagging(table: Table, names: Names) -> Read:
    scheme = None
    if "tags" in names:
        scheme = tags.detect(row_checks.as_words(record.get(names["tags"])) for record in table.records)
    read = row_checks.intent_slots if "label" in names else row_checks.tagging
    return lambda record, names, asked: read(record, names, scheme, for_prediction=asked)


def _multiple_choice(table: Table, names: Names) -> Read:
    answers = numbered(_counted(table, names)) if "answer" in names else []
    shown = first_number(answers)
    table.first = table.first if shown is None else shown
    if answers and table.first is None:
        table.notes.append(f"{table.source}: {_UNSHOWN}")
    first = table.first or 0
    return lambda record, names, asked: row_checks.multiple_choice(record, names, first, asked)


def _counted(table: Table, names: Names) -> Iterator[tuple[Any, int]]:
    """Each answer with the number of its choices, unless the choices have marks of their own by which they are named;
    records that cannot be read are passed over.
    """
    for record in table.records:
        try:
            choices, marks = as_choices(record, names)
        except CellError:
            continue
        answer = record.get(names["answer"])
        if marks is None or not isinstance(answer, str):
            yield answer, len(choices)


def _embedding(table: Table, names: Names) -> Read:
    def read(record: Mapping[str, Any], names: Names, asked: bool) -> Row:
        row: Row = {column: as_text(record.get(name), name) for column, name in names.items() if column != "label"}
        if "label" in names:
            return row | {"label": one_label(needed(record, names["label"]), names["label"])}
        empty = [names[column] for column in row if not row[column].strip() and column != "negative"]
        if empty and not asked:
            raise CellError(f"{empty[0]!r} is empty, expected a text; fill it in or delete the row")
        return row

    return read


def _reranking(table: Table, names: Names) -> Read:
    """Lists of candidates, or the columns of an embedding."""
    lists = {column: name for column, name in names.items() if column in ("candidates", "positives")}
    texts = {column: name for column, name in names.items() if column not in lists}
    read_texts = _embedding(table, texts)

    def read(record: Mapping[str, Any], names: Names, asked: bool) -> Row:
        row = read_texts(record, texts, asked)
        # Those that are to be answered get a score each, in their order.
        found = {column: row_checks.texts(record, name, once=not asked) for column, name in lists.items()}
        return row | found

    return read


def _plain(check: Callable[..., Row]) -> Callable[[Table, Names], Read]:
    return lambda table, names: lambda record, names, asked: check(record, names, for_prediction=asked)


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "extraction",
            (("text", "entities", "relations"),),
            (("text",),),
            {"text": ("sentence", "文本"), "entities": (), "relations": ()},
            _plain(row_checks.extraction),
        ),
        Kind(
            "relation",
            (("text", "head", "tail", "label"), ("text", "label")),
            (("text", "head", "tail"), ("text",)),
            {
                "text": ("sentence", "文本", "句子"),
                "head": ("subject", "头实体", "实体1"),
                "tail": ("object", "尾实体", "实体2"),
                "label": ("relation", "关系", "标签"),
            },
            _plain(row_checks.relation),
        ),
        Kind(
            "target_sentiment",
            (("text", "target", "label"),),
            (("text", "target"),),
            {
                "text": ("sentence", "文本", "句子"),
                "target": ("aspect", "aspect_term", "entity", "目标", "对象", "实体"),
                "label": ("sentiment", "polarity", "标签", "情感", "极性"),
            },
            _plain(row_checks.target_sentiment),
        ),
        Kind(
            "intent_slots",
            (("tokens", "tags", "label"), ("text", "entities", "label")),
            (("text",), ("tokens",)),
            {
                "tokens": ("words", "词", "字"),
                "tags": ("slot_tags", "ner_tags", "slots", "标注"),
                "text": ("sentence", "utterance", "query", "文本", "句子"),
                "entities": ("spans", "slots", "实体", "槽位"),
                "label": ("intent", "意图", "标签"),
            },
            _tagging,
        ),
        Kind(
            "tagging",
            (("tokens", "tags"), ("text", "entities")),
            (("text",), ("tokens",)),
            {
                "tokens": ("words", "词", "字"),
                "tags": ("ner_tags", "labels", "ner", "标注"),
                "text": ("sentence", "文本", "句子"),
                "entities": ("spans", "实体"),
            },
            _tagging,
        ),
        Kind(
            "question_answering",
            (("context", "question", "answers"),),
            (("context", "question"),),
            {
                "context": ("passage", "paragraph", "文章", "段落"),
                "question": ("query", "问题"),
                "answers": ("answer", "答案"),
                "id": ("qid",),
            },
            _plain(row_checks.question_answering),
            ("id",),
            classes=_answerable,
        ),
        Kind(
            "multiple_choice",
            (("question", "choices", "answer"),),
            (("question", "choices"),),
            {
                "question": ("query", "stem", "question_stem", "goal", "sent2", "ctx", "问题", "题目"),
                "choices": ("options", "endings", "选项"),
                "answer": ("label", "answerkey", "correct", "gold", "答案"),
                "context": ("passage", "article", "premise", "ctx", "sent1", "文章"),
            },
            _multiple_choice,
            ("context",),
            classes=_position,
        ),
        Kind(
            "embedding",
            (("query", "positive"), ("text_a", "text_b", "label"), ("text",)),
            (("text",), ("query",)),
            {
                "text": ("sentence", "文本"),
                "text_a": ("sentence1", "sentence_a", "text1", "句子1", "文本1"),
                "text_b": ("sentence2", "sentence_b", "text2", "句子2", "文本2"),
                "label": ("score", "similarity", "标签", "得分"),
                "query": ("question", "anchor", "问题"),
                "positive": ("answer", "passage", "document", "答案"),
                "negative": ("hard_negative",),
            },
            _embedding,
            ("negative",),
            one_right=False,
            classes=_none,
        ),
        Kind(
            "reranking",
            (("query", "candidates", "positives"), ("query", "positive")),
            (("query", "candidates"), ("query", "text")),
            {
                "query": ("question", "anchor", "问题"),
                "text": ("passage", "document", "answer", "文本", "答案"),
                "candidates": ("passages", "documents", "候选"),
                "positives": ("relevant", "正例"),
                "positive": ("answer", "passage", "document", "答案"),
                "negative": ("hard_negative",),
            },
            _reranking,
            ("negative",),
            one_right=False,
            classes=_none,
        ),
    )
}
LOOKED_AT = 20
"""Rows of `text,label` that all must have two entities marked in them to be read as relations, and rows of
`text,target,label` of which half must have their target in the text: many files call a label `target`."""
SHOWN_BY_COLUMNS = (
    "extraction",
    "relation",
    "target_sentiment",
    "intent_slots",
    "tagging",
    "multiple_choice",
    "question_answering",
)
"""Kinds that a labelled file shows by the names that its columns have, in the order in which they are tried: what has
choices may have a context and an answer too."""


def columns_of() -> dict[str, dict[str, Any]]:
    """Of each kind its sets of columns, those that it may have, and their common names in files of others."""
    named = {"text": TEXT_NAMES, "label": LABEL_NAMES}
    plain = {name: [other for other in others if other != name] for name, others in named.items()}
    found = {LABELS: {"columns": [["text", "label"], ["text_a", "text_b", "label"]], "may_have": [], "names": plain}}
    for kind in KINDS.values():
        names = {name: list(others) for name, others in kind.known.items()}
        found[kind.name] = {"columns": list(map(list, kind.needed)), "may_have": list(kind.may_have), "names": names}
    return found


def kind_of(table: Table) -> str:
    """The kind that the columns of a labelled file show; `labels` where they show none."""
    own = {folded(name) for name in table.header}
    if {"query", "candidates", "positives"} <= own:
        return "reranking"
    if {"query", "positive"} <= own:
        return "embedding"
    return next((name for name in SHOWN_BY_COLUMNS if _shows(name, table)), LABELS)


def _shows(name: str, table: Table) -> bool:
    names, first = KINDS[name].names(table.header, for_prediction=False), table.records[:LOOKED_AT]
    if names is None:
        return False
    if name == "target_sentiment":
        return 2 * sum(_is_target(record, names) for record in first) >= len(first)
    if name != "relation" or "head" in names:
        return True
    texts = [record.get(names["text"]) for record in first]  # a text and a label, as many files have
    return all(isinstance(text, str) and is_marked(text) for text in texts)


def _is_target(record: Mapping[str, Any], names: Names) -> bool:
    try:
        row_checks.target_sentiment(record, names, for_prediction=True)
    except CellError:
        return False
    return True


def names_of(kind: str, table: Table, for_prediction: bool, columns: Columns | None = None) -> Names:
    """The file's names for the columns of this kind; `columns` are those that a person named or a model learned from.

    DataError says what is missing. UsageError: no such kind, or a column is named that its rows do not have.
    """
    if kind not in KINDS:
        raise UsageError(f"rows of kind {kind!r} do not exist; there are {', '.join([LABELS, *KINDS])}")
    named = given(table, columns or Columns())
    if for_prediction:
        named.pop("label", None)
    sets = KINDS[kind].sets(for_prediction, named)
    if not sets:
        raise UsageError(
            f"{table.source}: a column is named for {' and '.join(named)}, but {kind} is read from "
            f"{_listed(KINDS[kind].sets(for_prediction))}; rename the columns instead"
        )
    learned = learned_from(table, columns, named) if columns else {}
    found = KINDS[kind].names(table.header, for_prediction, named, learned)
    if found is None:
        shown = ", ".join(map(repr, table.header)) or "no columns"
        raise DataError(f"{table.top}: found {shown}, expected {_listed(sets)} for {kind}; rename the columns")
    return found


def _listed(sets: list[tuple[str, ...]]) -> str:
    return " or ".join(",".join(columns) for columns in sets)
