"""CoNLL: a token a line, its tag in the last column, a blank line between sentences.

In:  a text stream
Out: a Table of {"text", "entities"}, `lines` being where each sentence begins; a line that does not fit is a problem;
     or to predict each sentence's text
Knows nothing of encodings and of what is done with the rows.

Columns are parted by a tab, or by spaces where a line has no tab. Only these: an ideographic or a no-break space is a
token in files of Chinese characters, and Python's own split would swallow it.
"""

from __future__ import annotations

import re
import sys
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TextIO

from bertie.data.cells import CellError
from bertie.data.table import CELL_LIMIT, NUL, TOO_LONG, Placed, Table, bounded_lines
from bertie.data.tags import Scheme, TagError, detect, is_tag, tag_problem
from bertie.data.tokens import gap_of, join, row_of_tokens

_DOCUMENT = "-DOCSTART-"
_LOOKED_AT = 50
_CHARACTERS = "each token is one character, as in Chinese sets, so the texts are their tokens without spaces"
_ENDLESS = (
    f"the sentence has more than {CELL_LIMIT:,} characters, expected a blank line behind every sentence; add them"
)


@dataclass
class _Sentence:
    tokens: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    lines: array[int] = field(default_factory=lambda: array("q"))
    size: int = 0
    broken: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether it has tokens, and no line that could not be read."""
        return bool(self.tokens) and not self.broken


def looks_like_conll(stream: TextIO) -> bool:
    """Whether every one of the first lines has a token, a tag at its end and as many columns as the others; where all
    tokens are numbers, these count the lines, and the tokens stand elsewhere.

    Rewinds the stream.
    """
    counts, tagged, worded = set[int](), True, False
    for number, line in islice(bounded_lines(stream), _LOOKED_AT):
        cells = [] if line is None else _cells(line, number)
        if cells and not cells[0].startswith("#") and cells[0] != _DOCUMENT:
            counts.add(len(cells))
            tagged &= len(cells) > 1 and is_tag(cells[-1])
            worded |= not cells[0].isdigit()
    stream.seek(0)
    return tagged and worded and len(counts) == 1


def read_conll(stream: TextIO, table: Table, scheme: Scheme | None = None) -> list[str]:
    """Fills `table`, and returns what a person should know of it.

    Args:
        stream: the file.
        table: gets a record a sentence.
        scheme: of the tags; None finds it from all of them, so they are turned into entities at the end.
    """
    sentences = list(_sentences(stream, table))
    table.header = ["text", "entities"]
    chosen = scheme or detect(sentence.tags for sentence in sentences)
    gap = gap_of(sentence.tokens for sentence in sentences)
    for sentence in sentences:
        try:
            row = row_of_tokens(sentence.tokens, sentence.tags, chosen, gap)
        except CellError as error:
            place = error.place if isinstance(error, TagError) else 0
            table.problems.append((sentence.lines[place], str(error)))
        else:
            table.add(sentence.lines[0], row)
    table.problems.sort(key=lambda problem: problem[0])
    notes = [f"{table.source}: the tags were read as {chosen}"] if sentences else []
    return notes if gap else [*notes, f"{table.source}: {_CHARACTERS}"]


def conll_texts(stream: TextIO, table: Table) -> Iterator[Placed]:
    """Sentences to predict, as they are read: their tokens stand in the first column, what else there is is not read.

    So one column is enough. The text, to which the places in an answer refer, is `tokens.join` of the tokens, with the
    gap that the whole file shows; so it is read twice.
    """
    table.header = ["text"]
    gap = gap_of(sentence.tokens for sentence in _sentences(stream, Table(table.source), tagged=False))
    stream.seek(0)
    table.notes += [] if gap else [f"{table.source}: {_CHARACTERS}"]
    for sentence in _sentences(stream, table, tagged=False):
        yield sentence.lines[0], {"text": join(sentence.tokens, gap).text}


def _sentences(stream: TextIO, table: Table, tagged: bool = True) -> Iterator[_Sentence]:
    """The sentences without a problem of their own; the others are left out, each line's problem in `table`."""
    current, width = _Sentence(), _Width(least=2 if tagged else 1)
    for number, line in bounded_lines(stream):
        if line is None or "\0" in line:
            table.problems.append((number, TOO_LONG if line is None else NUL))
            current.broken = True
            continue
        cells = _cells(line, number)
        if not cells or cells[0] == _DOCUMENT:
            if current.is_whole:
                yield current
            current = _Sentence()
        elif not _is_comment(cells, width):
            problem = width.problem(cells, number) or _problem(cells, tagged)
            if problem:
                table.problems.append((number, problem))
                current.broken = True
            else:
                _take(current, cells if tagged else cells[:1], number, table)
    if current.is_whole:
        yield current


@dataclass
class _Width:
    """The number of columns, which the first line with a token settles."""

    least: int
    """2: a token and its tag."""
    count: int = 0
    line: int = 0

    def problem(self, cells: Sequence[str], number: int) -> str:
        if not self.count and len(cells) >= self.least:
            self.count, self.line = len(cells), number
        if len(cells) < self.least:
            return "1 column, expected a token and its tag; add the missing one, with a tab or a space between them"
        if len(cells) != self.count:
            return f"{len(cells)} columns, expected {self.count} as on line {self.line}; correct this line"
        return ""


def _problem(cells: Sequence[str], tagged: bool) -> str:
    if not cells[0]:
        return "the token is empty, expected one in the first column; fill it in or delete the line"
    return "" if not tagged or is_tag(cells[-1]) else f"the last column {tag_problem(cells[-1])}"


def _cells(line: str, number: int) -> list[str]:
    """The columns of a line; none of a blank one."""
    text = (line.removeprefix("\ufeff") if number == 1 else line).rstrip("\r")
    if not text.strip():
        return []
    if "\t" in text:
        return [cell.strip(" ") for cell in text.split("\t")]
    return re.split(" +", text.rstrip(" "))


def _is_comment(cells: Sequence[str], width: _Width) -> bool:
    """A line that begins with #, unless it reads as a token: hashtags and # itself are tokens as well."""
    if not cells[0].startswith("#"):
        return False
    as_tagged = len(cells) == (width.count or 2) and is_tag(cells[-1])
    return not as_tagged and (width.least > 1 or len(cells) != (width.count or 1))


def _take(sentence: _Sentence, cells: Sequence[str], number: int, table: Table) -> None:
    sentence.size += len(cells[0]) + 1
    if sentence.size > CELL_LIMIT:
        if not sentence.broken:
            table.problems.append((sentence.lines[0] if sentence.lines else number, _ENDLESS))
        sentence.broken, sentence.tokens, sentence.tags = True, [], []
        return
    sentence.tokens.append(cells[0])
    sentence.tags.extend(map(sys.intern, cells[1:][-1:]))  # a few tags, and millions of tokens
    sentence.lines.append(number)
