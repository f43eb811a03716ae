"""Columns: which of a file's columns are the text, or the two texts, and the label.

In:  a Table, the names that a person gave
Out: canonical name -> the file's name, with a note on everything that was guessed; DataError where nothing fits
Knows nothing of formats and of what may stand in a cell.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Collection
from collections.abc import Mapping as Named
from dataclasses import dataclass, field, replace

from bertie.core.errors import DataError, UsageError
from bertie.data.cells import CellError
from bertie.data.table import Record, Table

TEXT_NAMES = (
    *("text", "sentence", "content", "review", "comment", "utterance", "message", "body", "tweet", "post", "query"),
    *("headline", "title", "question", "description", "news", "input"),
    *("文本", "内容", "评论", "句子", "正文", "评价", "留言", "微博", "标题", "新闻", "问题", "描述", "短信", "语句"),
)
LABEL_NAMES = (
    *("label", "labels", "class", "category", "intent", "sentiment", "emotion", "target", "topic", "tag", "type"),
    *("polarity", "score", "rating", "y", "output"),
    *("标签", "类别", "分类", "情感", "意图", "情绪", "标注", "主题", "类型", "极性", "评分", "得分"),
)
PAIR_NAMES = (
    *(("text_a", "text_b"), ("sentence1", "sentence2"), ("sentence_a", "sentence_b"), ("premise", "hypothesis")),
    *(("question1", "question2"), ("text1", "text2"), ("query1", "query2"), ("q1", "q2"), ("s1", "s2")),
    *(("sentence_1", "sentence_2"), ("query", "passage"), ("query", "document"), ("query", "title"), ("query", "text")),
    *(("句子1", "句子2"), ("文本1", "文本2"), ("问题1", "问题2"), ("文本a", "文本b"), ("前提", "假设")),
)
_EXPECTED = "expected text,label (or text_a,text_b,label) or a common name for them in English or Chinese"
_ADVICE = "rename the columns, or name them with --text-column and --label-column"


@dataclass(frozen=True)
class Columns:
    """The columns of a file as a person names them; None: found by name."""

    text: str | None = None
    label: str | None = None
    text_a: str | None = None
    text_b: str | None = None
    beside: str | None = None
    """A column that is no part of a row: it says which rows belong together, or when each was written."""
    first: int | None = None
    """The number of the first choice in answers that are numbers, where a file itself does not show it: 0 or 1."""
    pair: bool | None = None
    """Whether two texts a row are wanted; None: the file tells."""
    learned: Named[str, str] = field(default_factory=dict)
    """Canonical name -> name in the file that a model learned from; taken where a file has such a column."""

    def __post_init__(self) -> None:
        if (self.text_a is None) != (self.text_b is None) or (self.text and self.text_a):
            raise UsageError("--text-column: expected one column, or two as A,B for pairs")

    @property
    def texts(self) -> tuple[str, ...]:
        """The columns of text that were named."""
        return tuple(name for name in (self.text, self.text_a, self.text_b) if name)

    def to_judge(self, first: int | None) -> Columns:
        """The same for rows that judge those of another file, which counts choices from `first`: they are not divided,
        so nobody needs the column beside them.
        """
        return replace(self, beside=None, first=first)


@dataclass(frozen=True)
class Mapping:
    """Canonical name -> name in the file, and what a person should know about the choice."""

    names: dict[str, str]
    notes: list[str]


def find_columns(table: Table, columns: Columns, label_needed: bool) -> Mapping:
    """The columns to take: what the person named, else common names, else what the cells of a two-column file say."""
    names = given(table, columns)
    names |= _learned(table, columns, names)
    notes: list[str] = []
    if "text" not in names and "text_a" not in names:
        names |= _found_texts(table, columns.pair, names)
    if "label" not in names and label_needed:
        names |= _single(table, "label", LABEL_NAMES, names)
    if label_needed and not _complete(names, label_needed):
        guessed = _guess(table, names)
        if guessed:
            names, note = guessed
            notes = [note]
            _refuse_headless(table, names["label"])
    if not _complete(names, label_needed):
        raise DataError(_missing(table, names))
    return Mapping(names, notes or _notes(table, names, label_needed, columns.beside))


def beside_reader(table: Table, name: str | None) -> Callable[[Record], str]:
    """What reads the column beside the rows, or raises a CellError; DataError where there is no such column."""
    if name is None:
        return lambda record: ""
    if name not in table.header and not any(name in record for record in table.records):
        raise DataError(
            f"{table.top}: there is no column {name!r}; found {_shown(table)}; give one to --group-column or "
            "--time-column"
        )

    def read(record: Record) -> str:
        value = "" if record.get(name) is None else str(record[name]).strip()
        if not value:
            raise CellError(f"there is no {name!r}, by which the rows are divided; fill it in or delete the row")
        return value

    return read


def given(table: Table, columns: Columns) -> dict[str, str]:
    """Canonical name -> name in the file, of what the person named; DataError where there is no such column."""
    roles = ("text", "label", "text_a", "text_b")
    named = {role: value for role in roles if (value := getattr(columns, role)) is not None}
    found = {}
    for canonical, wanted in named.items():
        exact = [name for name in table.header if name == wanted]
        near = [name for name in table.header if folded(name) == folded(wanted)]
        if not exact and len(near) != 1:
            option = "--label-column" if canonical == "label" else "--text-column"
            raise DataError(f"{table.top}: there is no column {wanted!r}; found {_shown(table)}; give one to {option}")
        found[canonical] = (exact or near)[0]
    return found


def learned_from(table: Table, columns: Columns, taken: dict[str, str]) -> dict[str, str]:
    """Canonical name -> name in the file, of the columns that a model learned from and the table has, but for those
    that are taken.
    """
    there = {role: name for role, name in columns.learned.items() if name in table.header}
    return {role: name for role, name in there.items() if role not in taken and name not in taken.values()}


def _learned(table: Table, columns: Columns, taken: dict[str, str]) -> dict[str, str]:
    """The same of a text or two and a label; of the texts all or none."""
    there = learned_from(table, columns, taken)
    texts = {role for role in columns.learned if role != "label"}
    if columns.texts or not texts <= set(there):
        there = {role: name for role, name in there.items() if role not in texts}
    return there


def _found_texts(table: Table, pair: bool | None, taken: dict[str, str]) -> dict[str, str]:
    """The text or the two texts, by their names."""
    both = {} if pair is False else _pair(table, taken)
    return both or ({} if pair else _single(table, "text", TEXT_NAMES, taken))


def _pair(table: Table, taken: dict[str, str]) -> dict[str, str]:
    plain = {folded(name): name for name in table.header if name not in taken.values()}
    for first, second in PAIR_NAMES:
        if first in plain and second in plain:
            return {"text_a": plain[first], "text_b": plain[second]}
    return {}


def _single(table: Table, canonical: str, known: tuple[str, ...], taken: dict[str, str]) -> dict[str, str]:
    plain = {folded(name): name for name in table.header if name not in taken.values()}
    return next(({canonical: plain[name]} for name in known if name in plain), {})


def _guess(table: Table, names: dict[str, str]) -> tuple[dict[str, str], str] | None:
    """A file of two columns: the one with few distinct short values is the label, the other one the text."""
    if len(table.header) != 2 or "text_a" in names:
        return None
    first, second = table.header
    fits = [
        (text, label)
        for text, label in ((first, second), (second, first))
        if names.get("text", text) == text and names.get("label", label) == label
        if _looks_like_labels(table, label, text)
    ]
    if not fits:
        return None
    names = dict(zip(("text", "label"), fits[0], strict=True))
    note = (
        f"{table.source}: by what stands in them, took {names['text']!r} as the text, {names['label']!r} as the label; "
    )
    return names, note + "--text-column and --label-column choose others"


def _looks_like_labels(table: Table, column: str, other: str) -> bool:
    values = [str(record.get(column)) for record in table.records]
    distinct = set(values)
    longest = max(map(len, distinct), default=0)
    fewer = len(distinct) < len({str(record.get(other)) for record in table.records})
    return fewer and longest <= 40 and len(distinct) <= max(2, len(values) // 4)


def _refuse_headless(table: Table, label: str) -> None:
    """A file without a header has a row of data in its place: its first label is then a label of other rows too."""
    repeated = Counter(str(record.get(label)) for record in table.records).get(label, 0)
    if table.header_line and repeated:
        raise DataError(
            f"{table.top}: the first line looks like a row, not like a header ({label!r} is the label of "
            f"{repeated} other rows); put a line such as text,label above it"
        )


def _complete(names: dict[str, str], label_needed: bool) -> bool:
    text = "text" in names or ("text_a" in names and "text_b" in names)
    return text and ("label" in names or not label_needed)


def _missing(table: Table, names: dict[str, str]) -> str:
    what = "the label" if "text" in names or "text_a" in names else "the text"
    header = " (is the header line missing? then put one above the first row)" if table.header_line else ""
    return f"{table.top}: no column is {what}; found {_shown(table)}; {_EXPECTED}; {_ADVICE}{header}"


def _notes(table: Table, names: dict[str, str], label_needed: bool, beside: str | None) -> list[str]:
    renamed = [f"{name!r} as {canonical}" for canonical, name in names.items() if name != canonical]
    notes = [f"{table.source}: read {', '.join(renamed)}"] if renamed else []
    return notes + (unused(table, (*names.values(), beside)) if label_needed else [])


def unused(table: Table, used: Collection[str | None]) -> list[str]:
    """A note on the columns of a table that are none of these."""
    names = [name for name in table.header if name and name not in used]
    return [f"{table.source}: not used: {_listed(names)}"] if names else []


def _shown(table: Table) -> str:
    return _listed(table.header) or "no columns"


def _listed(names: list[str]) -> str:
    shown = ", ".join(repr(name if len(name) <= 40 else name[:40] + "...") for name in names[:10])
    return shown + (f" and {len(names) - 10} more" if len(names) > 10 else "")


def folded(name: str) -> str:
    """A column's name as names are compared: width, case, spaces and hyphens do not count."""
    return unicodedata.normalize("NFKC", name).strip().casefold().replace(" ", "_").replace("-", "_")
