"""Answering the rows of a file, of stdin, or texts given by hand.

In:  a bundle; a list of texts, or a file name, or `-`
Out: one answer per row, in order: JSON lines on stdout, or a file of the kind that its ending names
Knows nothing of the command line.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import tee
from pathlib import Path
from typing import Any

from bertie.core.errors import UsageError
from bertie.core.files import new_file
from bertie.data import answer_table
from bertie.data.rows import Row
from bertie.data.sources import ReadOptions
from bertie.data.unlabelled import Unlabelled, unlabelled_rows, unlabelled_stream
from bertie.predict import BasePredictor, load
from bertie.tasks.base import Answer
from bertie.workflow.learned_columns import options_for
from bertie.workflow.output import check_output
from bertie.workflow.request import Loading, Reading, Say

Source = list[str] | str
"""Texts, or the name of a file, or `-` for stdin."""
Asked = Iterable[str | dict[str, Any]]
Answered = Iterator[tuple[Row, Answer]]
LINES = (".jsonl", ".ndjson", "")
"""Endings of files of JSON lines."""
MARKS = ("line", "id")
"""What of a row is said in its answer too, so that a person knows which one it is of."""


def run_prediction(loading: Loading, source: Source, output: Path | None, reading: Reading, say: Say) -> None:
    """Writes one answer a row. All rows are checked before the first answer is written, and none is held."""
    if output is not None:
        check_output(output, source, "--output", "answers.jsonl")
        _check_ending(output)
    predictor = load(loading.model, loading.dtype, loading.device)
    with rows_of(source, options_for(loading.model, predictor.task, reading), say) as rows:
        answered = answers_of(predictor, rows, with_lines=reading.skip_bad_rows)
        if output is None:
            sys.stdout.writelines(map(line, answered))
        else:
            _write(output, answered)


def answers_of(predictor: BasePredictor, rows: Asked, *, with_lines: bool) -> Answered:
    """Each row, with its line where it has one and that is wanted, and its answer; no more than a block is held."""
    asked, kept = tee(placed(rows, with_lines))
    answers = predictor.stream(row for _, row in asked)
    for (marked, row), answer in zip(kept, answers, strict=True):
        yield marked | (row if isinstance(row, dict) else {predictor.task.columns[0]: row}), answer


def line(answered: tuple[Row, Answer]) -> str:
    """An answer as one line of JSON."""
    row, answer = answered
    return json.dumps(marks_of(row) | answer, ensure_ascii=False) + "\n"


def marks_of(row: Row) -> Row:
    """What of a row says which one it is."""
    return {name: row[name] for name in MARKS if name in row}


def placed(rows: Asked, with_lines: bool) -> Iterator[tuple[Row, str | Row]]:
    """Where each row stands, as columns, and the row."""
    if isinstance(rows, Unlabelled):
        return (({"line": number} if with_lines else {}, row) for number, row in rows.placed())
    return (({}, row) for row in rows)


def _check_ending(output: Path) -> None:
    ending = output.suffix.lower()
    if ending not in (*LINES, *answer_table.ENDINGS):
        raise UsageError(
            f"--output {output}: the ending {ending!r} tells no format to write, expected .jsonl, .ndjson or none for "
            f"JSON lines, or {', '.join(answer_table.ENDINGS)} for a table"
        )


def _write(output: Path, answered: Answered) -> None:
    ending = output.suffix.lower()
    with new_file(output, 0) as making:  # nobody knows its size yet
        if ending in answer_table.ENDINGS:
            answer_table.write_answers(making, ending, answered)
            return
        with making.open("w", encoding="utf-8") as file:
            file.writelines(map(line, answered))


@contextmanager
def rows_of(source: Source, options: ReadOptions, say: Say) -> Iterator[Asked]:
    """The rows to answer, while it is entered; says what the reader chose."""
    if isinstance(source, list):
        yield source
    elif source == "-":
        with unlabelled_stream(sys.stdin.buffer, options) as rows:
            yield _told(rows, say)
    else:
        yield _told(unlabelled_rows(source, options), say)


def _told(rows: Unlabelled, say: Say) -> Unlabelled:
    for note in rows.notes:
        say(note)
    return rows
