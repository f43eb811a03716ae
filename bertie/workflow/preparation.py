"""From a request to everything a training needs: rows, task, encoder, floors, the head's start.

In:  a request, the run folder's earlier decisions
Out: Prepared
Knows nothing of the loop or of the bundle that comes out.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from bertie.bundle.folder import TASKS
from bertie.core.errors import DataError, UsageError
from bertie.core.runtime import choose_device, choose_dtype
from bertie.data.batches import Example
from bertie.data.rows import Rows
from bertie.data.sources import ReadOptions, Splits, load_splits
from bertie.data.split import as_numbers
from bertie.evaluation.floors import FrozenFloor, TfidfFloor, pooled_features
from bertie.evaluation.linear import Floats
from bertie.nn import checkpoint
from bertie.tasks.classification import Classification
from bertie.training.run import RunFolder
from bertie.workflow.choose import Start, choose_start, load_start
from bertie.workflow.claim import same_terms, terms
from bertie.workflow.request import Reading, Recipe, TrainRequest

Say = Callable[[str], None]
CHOOSING_SHARE = 0.6
"""Part of the budget in which one epoch must fit for a model to be considered."""


class Notes:
    """Says a line to the person and remembers it for the report."""

    def __init__(self, say: Say) -> None:
        self.lines: list[str] = []
        self._say = say

    def say(self, line: str) -> None:
        """Both at once."""
        self.lines.append(line)
        self._say(line)


@dataclass(frozen=True)
class Floors:
    """Both floors, fitted on the training rows; the frozen one with the features it stands on."""

    tfidf: TfidfFloor
    frozen: FrozenFloor
    test_features: Floats
    seconds: float
    """What the frozen encoder took for the test rows; the tuned one will take as long."""

    def answers(self, rows: Rows) -> dict[str, list[dict[str, object]]]:
        """Each floor's answers to the test rows."""
        return {"tfidf": self.tfidf.predict(rows), "frozen_encoder": self.frozen.predict_features(self.test_features)}


@dataclass(frozen=True)
class Prepared:
    """What training starts from."""

    splits: Splits
    test: Rows
    task: Classification
    start: Start
    examples: list[Example]
    floors: Floors
    recipe: Recipe
    dtype: torch.dtype
    """What the floors were computed in, and the model is judged in."""
    notes: list[str]
    """What was chosen for the person, each with its reason."""


def prepare(request: TrainRequest, recipe: Recipe, run: RunFolder, notes: Notes) -> Prepared:
    """Reads, chooses and fits the floors; what was read, and chosen by measuring, is written down for a resume."""
    say = notes.say
    chosen = (run.read("choice") or {}) if request.resume else {}
    splits = read_splits(request, recipe.training.seed, say)
    rows = same_rows(splits, chosen.get("rows", {}), run)
    task = make_task(request.task, splits.train, recipe)
    model = request.model or chosen.get("model")
    same_terms(run, chosen.get("terms", {}), terms(recipe, str(model), task.labels))
    limit = request.seconds * CHOOSING_SHARE
    start = load_start(model) if model else choose_start(splits.train, task, recipe, limit, say)
    if not request.resume:
        run.clear()  # not before: what is refused above costs no earlier run
    name = start.source.name
    run.write("choice", {"model": name, "rows": rows, "terms": terms(recipe, name, task.labels)})
    device = choose_device(recipe.training.device)
    dtype, _ = choose_dtype(device, recipe.training.dtype)
    start.encoder.to(device).set_attention_dropout(recipe.attention_dropout)
    task.build_head(start.encoder.config.hidden_size)
    length = min(recipe.max_length, start.encoder.config.max_length)
    recipe = replace(recipe, max_length=length)
    examples = task.encode(list(splits.train), start.tokenizer, length)
    cut = sum(sequence.truncated for example in examples for sequence in example.sequences)
    if cut:
        say(f"{cut} of {len(examples)} texts are cut at {length} tokens; --set max_length=512 takes more")
    test = splits.test if splits.test is not None else splits.dev
    test_examples = task.encode(list(test), start.tokenizer, length)
    floors = fit_floors(splits.train, (examples, test_examples), task, start, dtype)
    return Prepared(splits, test, task, start, examples, floors, recipe, dtype, notes.lines)


def read_splits(request: TrainRequest, seed: int, say: Say) -> Splits:
    """The rows of a request; says what was chosen in reading them."""
    options = read_options(request.reading)
    splits = load_splits(request.data, request.dev, request.test, seed, options)
    for note in splits.notes:
        say(note)
    tested = "none" if splits.test is None else str(len(splits.test))
    say(f"rows: {len(splits.train)} train, {len(splits.dev)} dev, {tested} test")
    return splits


def same_rows(splits: Splits, before: dict[str, str], run: RunFolder) -> dict[str, str]:
    """SHA-256 of each part's rows; DataError where a resumed run would go on with others than it began with."""
    parts = {"train": splits.train, "dev": splits.dev, "test": splits.test}
    rows = {name: part.fingerprint() for name, part in parts.items() if part is not None}
    changed = [name for name in parts if before and before.get(name) != rows.get(name)]
    if changed:
        raise DataError(
            f"{splits.train.source}: the {' and '.join(changed)} rows are not those with which the run in {run.path} "
            "began; give it the same files, --seed and columns, or start again without --resume but with --overwrite"
        )
    return rows


def read_options(reading: Reading) -> ReadOptions:
    """The reading part of a request as the sources take it."""
    return ReadOptions(columns=reading.columns, encoding=reading.encoding, skip_bad_rows=reading.skip_bad_rows)


def make_task(name: str | None, rows: Rows, recipe: Recipe) -> Classification:
    """The task with this name, or the one that the columns tell; DataError where they tell one that there is not."""
    labels = rows.column("label")
    if name is None and as_numbers(labels) is not None:
        raise DataError(
            f"{rows.where(0)}: the labels are {len(set(labels))} different numbers in {len(rows)} rows, such as "
            f"{labels[0]}: there is no task for quantities yet; name ranges of them (low, high), choose another "
            "--label-column, or take each number as a class with --task classification"
        )
    task = TASKS.get(name or "classification").from_rows(rows, recipe.task)
    if not isinstance(task, Classification):
        raise UsageError(f"task {task.name!r} cannot be trained from this command yet")
    return task


def fit_floors(
    train: Rows,
    examples: tuple[list[Example], list[Example]],
    task: Classification,
    start: Start,
    dtype: torch.dtype,
) -> Floors:
    """TF-IDF and the frozen encoder, fitted on the same training rows as the model.

    `examples` are those of train and of test; the encoder computes in `dtype`.
    """
    pad = start.tokenizer.pad_id
    features = pooled_features(start.encoder, examples[0], pad, dtype)
    frozen = FrozenFloor.fit(features, train.column("label"), task.labels)
    frozen = replace(frozen, encoder=checkpoint.fingerprint(start.encoder))
    began = time.monotonic()
    test_features = pooled_features(start.encoder, examples[1], pad, dtype)
    seconds = time.monotonic() - began
    return Floors(TfidfFloor.fit(train, task), frozen, test_features, seconds)
