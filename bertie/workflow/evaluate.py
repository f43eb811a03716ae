"""Judging a bundle on labelled rows, with its floors beside it.

In:  a bundle, a file or folder, how to read it
Out: the object of `evaluate --json`
Knows nothing of the command line.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from bertie.core.errors import DataError, ModelError
from bertie.data.corpus_reader import open_sources
from bertie.data.rows import Rows
from bertie.data.sources import HUB, hub_parts, read, split_files
from bertie.evaluation.floor_files import load_floors
from bertie.evaluation.floors.base import Ground
from bertie.evaluation.judge import judge, to_json
from bertie.predict import BasePredictor, Predictor, load
from bertie.tasks.base import Answer
from bertie.workflow.choose import load_start
from bertie.workflow.preparation import read_options
from bertie.workflow.request import Reading

FLOORS = "floors"


def run_evaluation(
    model: str | Path,
    data: str,
    reading: Reading | None = None,
    *,
    metric: str | None = None,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Scores a bundle on the rows of a file, or on the test rows of a folder or of a data set of the hub."""
    predictor = load(model)
    reading = reading or Reading()
    read = labelled_rows if predictor.task.labelled else text_rows
    rows = predictor.task.accept(read(data, reading, predictor.task.kind))
    for note in rows.notes:
        say(note)
    began = time.monotonic()
    answers = list(map(predictor.task.kept, predictor.stream(rows)))
    seconds = time.monotonic() - began
    floors = floor_answers(Path(model) / FLOORS, predictor, rows, say)
    judgement = judge(predictor.task, rows, answers, floors, metric)
    if unseen := int(judgement.scores.metrics.get("unseen_labels", 0)):
        say(f"{unseen} labels of {rows.source} were never seen in training; their rows are scored wrong")
    return to_json(judgement, seconds)


def labelled_rows(data: str, reading: Reading, kind: str) -> Rows:
    """The rows of a file; of a folder or a data set of the hub its test rows, else its dev rows."""
    path, options = Path(data), read_options(reading, kind)
    if data.startswith(HUB):
        parts = hub_parts(data, options)
        judging = next((parts[name] for name in ("test", "dev") if name in parts), None)
        if judging is None:
            raise DataError(f"{data}: has no labelled test or dev rows to evaluate on; name another or a file")
        return judging
    if not path.is_dir():
        return read(path, options)
    files = split_files(path, train_needed=False)
    chosen = files.get("test") or files.get("dev")
    if chosen is None:
        raise DataError(f"{path}: holds no test or dev file to evaluate on; name a file")
    return read(chosen, options)


def text_rows(data: str, reading: Reading, kind: str) -> Rows:
    """The documents of a text, for a model that is judged by how well it foretells them."""
    sources = open_sources([data], reading.text_column, reading.encoding)
    rows = [{"text": text} for source in sources for _, text in source.read()]
    return Rows(rows, data, notes=[source.note for source in sources], kind=kind)


def floor_answers(
    folder: Path, predictor: BasePredictor, rows: Rows, say: Callable[[str], None]
) -> Iterator[tuple[str, list[Answer]]]:
    """What the floors kept in the bundle answer to these rows, as far as it is scored; one after the other.

    A bundle that counts words is a floor itself and keeps none.
    """
    if not isinstance(predictor, Predictor):
        return
    model = predictor.model
    ground = Ground(model.task, model.encoder, model.tokenizer, model.max_length)
    for floor in load_floors(folder):
        try:
            if floor.reads_encoder:  # a bundle may come from anybody: what it names is never fetched
                ground = replace(ground, encoder=load_start(model.origin, offline=True).encoder)
            answers = floor.kept(rows, ground)
        except ModelError as error:
            say(f"the floor {floor.name} is left out, its encoder {model.origin} is not at hand: {error}")
            continue
        yield floor.name, answers
