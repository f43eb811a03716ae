"""Answering the rows of a file, of stdin, or texts given by hand.

In:  a bundle; a list of texts, or a file name, or `-`
Out: one JSON line per row, in order, on stdout or in a file
Knows nothing of the command line.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from bertie.bundle.checksums import stay_outside
from bertie.core.files import write_text
from bertie.data.readers import read_rows, read_stream
from bertie.predict import load
from bertie.workflow.request import Reading


def run_prediction(
    model: str | Path,
    source: list[str] | str,
    output: Path | None,
    reading: Reading,
    say: Callable[[str], None],
    dtype: str = "float32",
) -> None:
    """Writes one answer a row. Rows are read, and checked, before the first answer is written."""
    if output is not None:
        stay_outside(output)
    predictor = load(model, dtype)
    answers = predictor.stream(_rows(source, reading, predictor.task.kind, say))
    if output is not None:
        write_text(output, "".join(map(line, answers)))
        return
    for answer in answers:
        sys.stdout.write(line(answer))


def line(answer: dict[str, Any]) -> str:
    """An answer as one line of JSON."""
    return json.dumps(answer, ensure_ascii=False) + "\n"


def _rows(
    source: list[str] | str, reading: Reading, kind: str, say: Callable[[str], None]
) -> Iterable[str | dict[str, Any]]:
    if isinstance(source, list):
        return source
    columns, encoding, skip = reading.columns, reading.encoding, reading.skip_bad_rows
    if source == "-":
        rows = read_stream(sys.stdin.buffer, columns, encoding, skip, kind)
    else:
        rows = read_rows(source, columns, encoding, for_prediction=True, skip_bad_rows=skip, kind=kind)
    for note in rows.notes:
        say(note)
    return rows
