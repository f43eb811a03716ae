"""Judging a bundle on labelled rows, with its floors beside it.

In:  a bundle; a file, a folder or rows, how to read them
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
from bertie.data.corpus_reader import open_rows, open_sources
from bertie.data.given_rows import GivenRows
from bertie.data.label_spelling import advice
from bertie.data.readers import is_folder
from bertie.data.rows import Rows
from bertie.data.sources import HUB, ReadOptions, hub_parts, read, split_files
from bertie.evaluation.floor_files import load_floors
from bertie.evaluation.floors.base import Ground
from bertie.evaluation.judge import judge, to_json
from bertie.evaluation.phrases import counted
from bertie.predict import BasePredictor, Predictor, load
from bertie.tasks.base import Answer
from bertie.workflow.choose import load_start
from bertie.workflow.learned_columns import options_for
from bertie.workflow.request import Loading, Reading

FLOORS = "floors"
FEW = 8
"""Rows by which it is seen whether there is such a metric."""


def run_evaluation(
    loading: Loading,
    data: str | GivenRows,
    reading: Reading | None = None,
    *,
    metric: str | None = None,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Scores a bundle on rows, in a file or given; or on the test rows of a folder or of a data set of the hub."""
    predictor = load(loading.model, loading.dtype, loading.device)
    reading = reading or Reading()
    task = predictor.task
    read = labelled_rows(data, options_for(loading.model, task, reading)) if task.labelled else text_rows(data, reading)
    rows = task.accept(read)
    for note in rows.notes:
        say(note)
    if metric is not None:  # one that there is not is said before all rows are answered
        few = rows.take(range(min(FEW, len(rows))))
        judge(predictor.task, few, predictor.predict(list(few)), [], metric)
    began = time.monotonic()
    answers = list(map(predictor.task.kept, predictor.stream(rows)))
    seconds = time.monotonic() - began
    floors = floor_answers(Path(loading.model) / FLOORS, predictor, rows, say)
    judgement = judge(predictor.task, rows, answers, floors, metric)
    if unseen := judgement.scores.details.get("unseen"):
        known = {row["label"] for row in judgement.scores.details.get("per_class", ())} - set(unseen)
        say(f"{rows.source}: labels never seen in training, scored wrong: {counted(unseen)}{advice(unseen, known)}")
    return to_json(judgement, seconds)


def labelled_rows(data: str | GivenRows, options: ReadOptions) -> Rows:
    """The rows that are given, or those of a file; of a folder or a data set of the hub its test rows, else its dev
    rows.
    """
    if isinstance(data, GivenRows):
        return read(data, options)
    if data.startswith(HUB):
        parts = hub_parts(data, options)
        judging = next((parts[name] for name in ("test", "dev") if name in parts), None)
        if judging is None:
            raise DataError(f"{data}: has no labelled test or dev rows to evaluate on; name another or a file")
        return judging
    path = Path(data)
    if not is_folder(path):
        return read(path, options)
    files = split_files(path, train_needed=False)
    chosen = files.get("test") or files.get("dev")
    if chosen is None:
        raise DataError(f"{path}: holds no test or dev file to evaluate on; name a file")
    return read(chosen, options)


def text_rows(data: str | GivenRows, reading: Reading) -> Rows:
    """The documents of a text, for a model that is judged by how well it foretells them."""
    if isinstance(data, GivenRows):
        sources = [open_rows(data, reading.text_column)]
    else:
        sources = open_sources([data], reading.text_column, reading.encoding)
    rows = [{"text": text} for source in sources for _, text in source.read()]
    return Rows(rows, str(data), notes=[source.note for source in sources])


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
        if not floor.can_answer(rows):
            continue
        try:
            if floor.reads_encoder:  # a bundle may come from anybody: what it names is never fetched
                untuned = load_start(model.origin, offline=True).encoder
                ground = replace(ground, encoder=untuned.to(next(model.encoder.parameters()).device))
            answers = floor.kept(rows, ground)
        except ModelError as error:
            say(f"the floor {floor.name} is left out, its encoder {model.origin} is not at hand: {error}")
            continue
        yield floor.name, answers
