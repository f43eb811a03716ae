"""From a request to everything a training needs: rows, task, encoder, floors, the head's start.

In:  a request, the run folder's earlier decisions
Out: Prepared
Knows nothing of the loop or of the bundle that comes out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch

from bertie.bundle.folder import METHODS, TASKS
from bertie.core.config import from_dict
from bertie.core.errors import DataError, UsageError
from bertie.core.runtime import DTYPES, choose_device, choose_dtype, seed_everything
from bertie.data.augmentation import Augmenter
from bertie.data.batches import Example, Examples
from bertie.data.kinds import LABELS
from bertie.data.rows import Rows
from bertie.data.sources import ReadOptions, Splits, load_splits
from bertie.data.split import as_numbers
from bertie.evaluation.floor_files import FLOORS
from bertie.evaluation.floors.base import Floor, Ground, of_task
from bertie.nn.encoder import Encoder
from bertie.tasks.base import Answer, Task
from bertie.training.regularizing import announce
from bertie.training.run import RunFolder
from bertie.tuning.base import Method
from bertie.workflow.augmentation import augmented, make_augmenter
from bertie.workflow.choose import Start, choose_start, load_start
from bertie.workflow.claim import same_terms, terms
from bertie.workflow.floor_rows import ALL_ROWS, FLOORS_SHARE, Fitted, FloorRows, told
from bertie.workflow.request import Reading, Recipe, Say, TrainRequest

LONG = 512
"""Tokens that are advised to somebody whose texts are cut."""
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
    """The task's floors, fitted on the same training rows as the model, or on as many of them as the time allows."""

    fitted: list[Floor]
    answers: dict[str, list[Answer]]
    """What each answers to the test rows, as far as it is scored."""
    drawn: list[Fitted] = field(default_factory=list)
    """The same floors, with how many rows each learned from."""

    @property
    def sizes(self) -> dict[str, int]:
        """By which the same rows are drawn for each floor again."""
        return {one.floor.name: one.size for one in self.drawn}


@dataclass(frozen=True)
class Prepared:
    """What training starts from."""

    splits: Splits
    task: Task
    start: Start
    examples: Examples
    """Of the training rows, and of their copies where the recipe wants such."""
    rows: int
    """That are learned, without copies: what is known, by which rates and batches are chosen."""
    floors: Floors
    recipe: Recipe
    method: Method
    """Not applied yet: the floors see an encoder that nobody has tuned."""
    dtype: torch.dtype
    """What the floors were computed in, and the model is judged in."""
    notes: list[str]
    """What was chosen for the person, each with its reason."""
    augmenter: Augmenter | None
    """What made the copies among the examples; of the rows of a fold it makes others."""

    @property
    def test(self) -> Rows:
        """The rows that judge at the end."""
        return self.splits.judging


@dataclass(frozen=True)
class Chosen:
    """What was chosen before anything was computed; a fold has it from the whole."""

    start: Start
    recipe: Recipe
    augmenter: Augmenter | None
    floor_rows: FloorRows
    dtype: torch.dtype


Look = Callable[[Splits, Task], None]
"""Is shown the rows and the task before anything is computed, and may refuse them."""


def anything(splits: Splits, task: Task) -> None:
    """Refuses nothing."""


def prepare(request: TrainRequest, recipe: Recipe, run: RunFolder, notes: Notes, look: Look = anything) -> Prepared:
    """Reads, chooses and fits the floors; what was read, and chosen by measuring, is written down for a resume."""
    make_method(recipe.method, recipe.tuning)  # a wrong name is said before anything is read
    splits = read_splits(request, recipe.training.seed, notes.say)
    return prepare_rows(splits, request, recipe, run, notes, look)


def prepare_rows(
    splits: Splits, request: TrainRequest, recipe: Recipe, run: RunFolder, notes: Notes, look: Look = anything
) -> Prepared:
    """The same from rows that were read."""
    say, method = notes.say, make_method(recipe.method, recipe.tuning)
    chosen = (run.read("choice") or {}) if request.resume else {}
    rows = same_rows(splits, chosen.get("rows", {}), run)
    task = make_task(request.task, splits.train, recipe)
    for note in announce(recipe.training, task, method):
        say(note)
    splits = judged(splits, task, say)
    look(splits, task)
    for note in task.expect(splits.train, splits.dev):
        say(note)
    augmenter = make_augmenter(recipe.augmentation, task.kind, recipe.training.seed, request.translate)
    model = request.model or chosen.get("model")
    same_terms(run, chosen.get("terms", {}), terms(recipe, str(model), task))
    budget = request.seconds_or(60 * task.defaults.minutes)
    why = Notes(say)
    start = (
        load_start(model, han_isolated=task.han_isolated)
        if model
        else choose_start(splits.train, task, recipe, budget * CHOOSING_SHARE, why.say)
    )
    reasons = why.lines or chosen.get("reasons", [])
    if not why.lines:
        notes.lines += reasons  # an earlier session has said them
    method.refuse(start.encoder.config)
    if not request.resume:
        run.clear()  # not before: what is refused above costs no earlier run
    name = start.source.name
    dtype = number_format(recipe, chosen.get("dtype") or (run.read("decisions") or {}).get("dtype"))
    made = {"model": name, "rows": rows, "terms": terms(recipe, name, task), "reasons": reasons}
    run.write("choice", {**made, "dtype": str(dtype).removeprefix("torch.")})
    # In each fold they are fitted once more.
    most = FloorRows(budget * FLOORS_SHARE / (1 + request.folds), run.read("floors") or {}, recipe.training.seed)
    everything = Chosen(start, recipe, augmenter, most, dtype)
    prepared = assemble(splits, task, everything, notes)
    run.write("floors", prepared.floors.sizes)
    return prepared


def number_format(recipe: Recipe, decided: str | None) -> torch.dtype:
    """What a run is judged in: `decided` by its first session, as another format gives other scores and may keep
    another step."""
    if decided:
        return DTYPES[decided]
    return choose_dtype(choose_device(recipe.training.device), recipe.training.dtype)[0]


def assemble(splits: Splits, task: Task, chosen: Chosen, notes: Notes) -> Prepared:
    """The rest, once rows, task and encoder are known: lengths, examples, floors. Of the encoder no weight changes."""
    start, recipe, augmenter, dtype = chosen.start, chosen.recipe, chosen.augmenter, chosen.dtype
    length = bring_together(task, start, recipe)
    recipe = replace(recipe, max_length=length)
    ground = Ground(task, start.encoder, start.tokenizer, length, dtype)
    learned = studied(splits.train, ground, notes.say)
    encode = partial(task.encode, tokenizer=start.tokenizer, max_length=length)
    examples = encode(list(learned))
    say_cut(examples, task, length, start, notes.say)
    # A floor says what the rows themselves are worth, so that what copies bring is seen beside it.
    floors = fit_floors(learned, splits.judging, ground, chosen.floor_rows)
    for line in told(floors.drawn, len(learned)):
        notes.say(line)
    grown = augmented(examples, learned, augmenter, encode, notes.say)
    method = make_method(recipe.method, recipe.tuning)
    return Prepared(
        splits=splits,
        task=task,
        start=start,
        examples=grown,
        rows=len(learned),
        floors=floors,
        recipe=recipe,
        method=method,
        dtype=dtype,
        notes=notes.lines,
        augmenter=augmenter,
    )


def studied(rows: Rows, ground: Ground, say: Say) -> Rows:
    """Training rows as the task learns from them; says what it has to say of that."""
    learned = ground.task.study(rows, ground.vectors)
    for note in learned.notes:
        if note not in rows.notes:
            say(note)
    return learned


def say_cut(examples: list[Example], task: Task, length: int, start: Start, say: Say) -> None:
    """How many rows have a text that is longer than the model reads, and what to do about it."""
    cut = sum(any(sequence.truncated for sequence in example.sequences) for example in examples)
    if not cut:
        return
    windows = task.description().get("settings", {}).get("long_texts") == "windows"
    more = "divide them" if windows else "--set task.long_texts=windows reads all of them"
    if length < min(LONG, start.encoder.config.max_length):
        more = f"--set max_length={LONG} takes more"
    how = f"not read to their end, though in windows of {length} tokens" if windows else f"cut at {length} tokens"
    say(f"{cut} of {len(examples)} texts are {how}; {more}")


def bring_together(task: Task, start: Start, recipe: Recipe) -> int:
    """A task and an encoder made for each other, on the device; returns the tokens of a sequence."""
    device = choose_device(recipe.training.device)
    start.encoder.to(device).set_attention_dropout(recipe.attention_dropout)
    if recipe.dropout is not None:
        start.encoder.set_dropout(recipe.dropout)
    task.settle(start.source.prefix, start.source.pooling)
    draw_head(task, start.encoder, recipe.training.seed)
    return min(recipe.max_length or task.defaults.max_length, start.encoder.config.max_length)


def draw_head(task: Task, encoder: Encoder, seed: int) -> None:
    """A new head beside the encoder; its first weights depend on the seed alone, not on what was drawn before."""
    seed_everything(seed)
    task.build_head(encoder.config.hidden_size)
    task.to(next(encoder.parameters()).device)


def read_splits(request: TrainRequest, seed: int, say: Say) -> Splits:
    """The rows of a request; says what was chosen in reading them."""
    options = read_options(request.reading, kind_for(request.task))
    splits = load_splits(request.data, request.dev, request.test, seed, options)
    splits = replace(splits, notes=[*splits.notes, *splits.told_seen])
    for note in splits.notes:
        say(note)
    tested = "none" if splits.test is None else str(len(splits.test))
    say(f"rows: {len(splits.train)} train, {len(splits.dev)} dev, {tested} test")
    return splits


def judged(splits: Splits, task: Task, say: Say) -> Splits:
    """The same with the rows that judge as the task scores them; says what it has to say of them. UsageError where the
    metric that was asked for is none by which they can be judged.
    """
    made = replace(splits, dev=task.accept(splits.dev), test=splits.test and task.accept(splits.test))
    for rows in filter(None, (made.dev, made.test)):
        choices = task.metrics_on(rows)
        if task.metric and choices and task.metric not in choices:
            raise UsageError(
                f"training.metric is {task.metric!r}; the rows of {rows.source} are judged by one of "
                f"{', '.join(choices)}, of which the larger is better"
            )
    known = _notes(splits)
    for note in _notes(made):
        if note not in known:
            say(note)
    return made


def _notes(splits: Splits) -> list[str]:
    """What was said of the rows that judge."""
    return splits.dev.notes + ([] if splits.test is None else splits.test.notes)


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


def kind_for(task: str | None) -> str | None:
    """The kind of rows that the task of this name reads; None: the columns tell. UsageError: there is no such task."""
    return None if task is None else TASKS.get(task).kind


def read_options(reading: Reading, kind: str | None = None) -> ReadOptions:
    """The reading part of a request as the sources take it; `kind` is that of the task's rows."""
    skip = reading.skip_bad_rows
    by, encoding = reading.by, reading.encoding
    return ReadOptions(columns=reading.columns, encoding=encoding, skip_bad_rows=skip, kind=kind, by=by)


def make_task(name: str | None, rows: Rows, recipe: Recipe) -> Task:
    """The task with this name, or the one that the columns tell; DataError where they tell one that there is not."""
    if name is None and rows.kind == LABELS:
        name = "classification" if as_numbers(rows.column("label")) is None else "regression"
    if name is None:
        fitting = [task.name for task in TASKS.classes().values() if task.kind == rows.kind]
        if not fitting:
            raise DataError(f"{rows.where(0)}: the columns are those of {rows.kind}, for which there is no task yet")
        name = fitting[0]
    task = TASKS.get(name).from_rows(rows, recipe.task)
    task.metric = recipe.training.metric
    if task.metric and task.metrics and task.metric not in task.metrics:
        raise UsageError(
            f"training.metric is {task.metric!r}; {task.name} is judged by one of {', '.join(task.metrics)}, of which "
            "the larger is better"
        )
    return task


def make_method(name: str, settings: dict[str, Any]) -> Method:
    """The tuning method with this name; UsageError or ConfigError where there is none, or not with such settings."""
    return from_dict(METHODS.get(name), settings, "tuning")


def fit_floors(train: Rows, test: Rows, ground: Ground, most: FloorRows = ALL_ROWS) -> Floors:
    """Every floor of the task, fitted on the training rows within their bound, with its answers to the test rows."""
    drawn = most.fit(of_task(list(FLOORS.classes().values()), ground.task), train, ground)
    drawn = [one for one in drawn if one.floor.can_answer(test)]
    fitted = [one.floor for one in drawn]
    return Floors(fitted, {floor.name: floor.kept(test, ground) for floor in fitted}, drawn)


def fitted_floors(train: Rows, ground: Ground, *, reading: bool = False) -> list[Floor]:
    """Every floor of the task that has something to say about such rows; `reading`: of those that read the encoder."""
    kinds = of_task(list(FLOORS.classes().values()), ground.task)
    kinds = [kind for kind in kinds if kind.reads_encoder or not reading]
    return [one.floor for one in ALL_ROWS.fit(kinds, train, ground)]
