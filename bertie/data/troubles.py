"""Troubles: what is odd about single rows, or about one column of all of them, told by what a row holds.

In:  rows of any kind
Out: for each sort of trouble a Finding
Knows nothing of kinds, tasks and models: who adds a kind of rows with entities, answers or choices is looked at too.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bertie.data.entity_checks import MarkedText, misaligned, sharing
from bertie.data.overlap import Finding, shortened
from bertie.data.rows import Row, Rows
from bertie.data.spans import shown
from bertie.data.tokens import marked_tokens
from bertie.text.normalise import fold

Trouble = tuple[str, str]
"""Its sort, and what was found."""


def troubles(parts: Mapping[str, Rows], top: int) -> dict[str, Finding]:
    """By sort, all parts together; at most `top` examples of each."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    counts: Counter[str] = Counter()
    for name, rows in parts.items():
        for i, row in enumerate(rows):
            for sort, what in _of_row(row):
                counts[sort] += 1
                if len(found[sort]) < top:
                    place = {"where": rows.where(i), "part": name, "text": shortened(row), "found": what}
                    found[sort].append(place)
    told = {sort: Finding(count, found[sort]) for sort, count in counts.most_common()}
    repeated = _repeated_positives(parts, top)
    return told | ({"positives that several queries have": repeated} if repeated.count else {})


def _of_row(row: Row) -> Iterator[Trouble]:
    for columns, look in LOOKS.items():
        if all(column in row for column in columns):
            yield from look(row)


def _entities(row: Row) -> Iterator[Trouble]:
    text = MarkedText("", row["text"], row["entities"], marked_tokens(row["text"]))
    for problem in misaligned([text], widen=False):
        yield "entities that begin or end inside a word", problem.removeprefix(": ").partition(", expected")[0]
    for problem in sharing([text]):
        yield "entities that share a word", problem.removeprefix(": ")


def _sides(row: Row) -> Iterator[Trouble]:
    head, tail = row["head"], row["tail"]
    if head["start"] < tail["end"] and tail["start"] < head["end"]:
        place = row["text"][head["start"] : head["end"]], row["text"][tail["start"] : tail["end"]]
        yield "relations whose sides overlap", f"{shown(place[0])} and {shown(place[1])}"


def _answers(row: Row) -> Iterator[Trouble]:
    context = row["context"]
    for answer in row["answers"]:
        before, behind = context[: answer["start"]][-1:], context[answer["start"] + len(answer["text"]) :][:1]
        text = answer["text"]
        if _letters(before, text[:1]) or _letters(text[-1:], behind):
            yield "answers that begin or end inside a word", f"{shown(text)} at {answer['start']}"
        if 2 * len(text) > len(context):
            yield "answers that are most of their passage", shown(text)


def _choices(row: Row) -> Iterator[Trouble]:
    counts = Counter(fold(str(choice)) for choice in row["choices"])
    for choice, count in counts.items():
        if count > 1:
            yield "choices that stand twice in a row", f"{count} times {shown(choice)}"


def _pairs(row: Row) -> Iterator[Trouble]:
    if fold(row["query"]) == fold(row["positive"]):
        yield "queries that are their own positive", shown(row["query"])
    if fold(row.get("negative") or "") == fold(row["positive"]):
        yield "negatives that are the positive", shown(row["positive"])


LOOKS: dict[tuple[str, ...], Callable[[Row], Iterator[Trouble]]] = {
    ("text", "entities"): _entities,
    ("text", "head", "tail"): _sides,
    ("context", "answers"): _answers,
    ("choices",): _choices,
    ("query", "positive"): _pairs,
}
"""What is looked at in a row with these columns."""


def _letters(before: str, behind: str) -> bool:
    """Two letters of an alphabet with nothing between: they are of one word."""
    return all(character.isascii() and character.isalnum() for character in (before or " ") + (behind or " "))


def _repeated_positives(parts: Mapping[str, Rows], top: int) -> Finding:
    """Rows whose positive an earlier row has, with another query."""
    first: dict[str, tuple[str, str]] = {}
    found = []
    for name, rows in parts.items():
        for i, row in enumerate(rows):
            if not isinstance(row.get("positive"), str):
                continue
            query, where = first.setdefault(fold(row["positive"]), (fold(row.get("query", "")), rows.where(i)))
            if query != fold(row.get("query", "")):
                what = f"{shown(row['positive'])}, as in {where}"
                found.append({"where": rows.where(i), "part": name, "text": shortened(row), "found": what})
    return Finding(len(found), found[:top])
