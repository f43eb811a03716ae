"""Answering the rows of a file, of stdin, or texts given by hand.

In:  a bundle; a list of texts, or a file name, or `-`
Out: one JSON line per row, in order, on stdout or in a file
Knows nothing of the command line.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bertie.bundle.checksums import stay_outside
from bertie.core.files import new_file
from bertie.data.unlabelled import Unlabelled, unlabelled_rows, unlabelled_stream
from bertie.predict import load
from bertie.workflow.preparation import read_options
from bertie.workflow.request import Reading, Say

Source = list[str] | str
"""Texts, or the name of a file, or `-` for stdin."""
Asked = Iterable[str | dict[str, Any]]


def run_prediction(
    model: str | Path,
    source: Source,
    output: Path | None,
    reading: Reading,
    say: Say,
    dtype: str = "float32",
) -> None:
    """Writes one answer a row. All rows are checked before the first answer is written, and none is held."""
    if output is not None:
        stay_outside(output)
    predictor = load(model, dtype)
    with rows_of(source, reading, predictor.task.kind, say) as rows:
        lines = map(line, predictor.stream(rows))
        if output is None:
            sys.stdout.writelines(lines)
            return
        with new_file(output, 0) as making, making.open("w", encoding="utf-8") as file:  # nobody knows its size yet
            file.writelines(lines)


def line(answer: dict[str, Any]) -> str:
    """An answer as one line of JSON."""
    return json.dumps(answer, ensure_ascii=False) + "\n"


@contextmanager
def rows_of(source: Source, reading: Reading, kind: str, say: Say) -> Iterator[Asked]:
    """The rows to answer, while it is entered; says what the reader chose."""
    options = read_options(reading, kind)
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
