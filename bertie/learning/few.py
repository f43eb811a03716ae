"""What a learning from few examples starts from: the rows that are drawn, those that judge, what labels mean.

In:  FewShotRequest, its recipe and run folder
Out: Few
Knows nothing of how anything is learned.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from bertie.core.config import from_dict
from bertie.core.errors import UsageError
from bertie.data import overlap
from bertie.data.descriptions import Descriptions, describe
from bertie.data.few_rows import draw_few
from bertie.data.given_rows import GivenRows
from bertie.data.kinds import LABELS
from bertie.data.readers import is_folder
from bertie.data.rows import Rows
from bertie.data.sources import ReadOptions, Splits, load_splits, read, split_files
from bertie.learning.request import FewShotRecipe, FewShotRequest
from bertie.tasks.classification import Classification, ClassificationSettings
from bertie.text.language import detect
from bertie.training.run import RunFolder
from bertie.workflow.choose import candidates
from bertie.workflow.preparation import Notes, Prepared, prepare_rows, read_options
from bertie.workflow.request import Say


@dataclass(frozen=True)
class Few:
    """What is learned from, and what it is learned with."""

    prepared: Prepared
    """As for a training, with the few rows to learn from; nothing is chosen by others, so they are its dev rows too."""
    descriptions: Descriptions
    """Of every label, in the order of the task."""
    model: str
    """Name of the encoder."""
    steps: int = 0
    """How many steps were trained."""

    @property
    def recipe(self) -> FewShotRecipe:
        """Every setting, as far as they are chosen."""
        recipe = self.prepared.recipe
        assert isinstance(recipe, FewShotRecipe), "few examples are learned by a recipe of their own"
        return recipe

    @property
    def task(self) -> Classification:
        """The task as it was prepared."""
        task = self.prepared.task
        assert isinstance(task, Classification), "few examples are learned as classification"
        return task


def prepare_few(request: FewShotRequest, recipe: FewShotRecipe, run: RunFolder, notes: Notes) -> Few:
    """Draws the rows, reads the descriptions, loads the encoder, fits the floors on the same rows."""
    refuse(recipe)
    splits = read_few(request, recipe, notes.say)
    given = None if request.descriptions is None else read(request.descriptions, ReadOptions(kind=LABELS))
    labels = sorted(set(splits.train.column("label")))
    descriptions = describe(labels, given)
    before = (run.read("choice") or {}) if request.resume else {}
    name = request.model or before.get("model") or deepest(splits.train, notes.say)
    prepared = prepare_rows(splits, replace(request, model=name), recipe, run, notes)
    prepared = replace(prepared, splits=replace(prepared.splits, dev=prepared.splits.train))
    return Few(prepared, descriptions, name)


def refuse(recipe: FewShotRecipe) -> None:
    """UsageError where the recipe asks for what no learning from few examples does; before anything is read."""
    others = {
        "training.regularization": recipe.training.regularization,
        "augmentation.ways": list(recipe.augmentation.ways),
    }
    for name, asked in others.items():
        if asked:
            raise UsageError(
                f"{name} is {asked}, which `bertie fewshot` does not learn with; leave it out, or take `bertie train`"
            )
    if recipe.by == "descriptions" and recipe.method != "full":
        raise UsageError(f"--method {recipe.method}: nothing is trained --by descriptions; leave one of the two out")
    options = from_dict(ClassificationSettings, recipe.task, "task")
    if recipe.by != "pattern" and not options.starts_linear:
        raise UsageError(
            f"task.pooling is {options.pooling!r} and task.normalise {str(options.normalise).lower()}, but the head of "
            f"--by {recipe.by} is a linear solution on normalised means: expected 'mean' and true; leave both out"
        )


def read_few(request: FewShotRequest, recipe: FewShotRecipe, say: Say) -> Splits:
    """A few rows of each class, and those by which what they taught is judged."""
    whole, judging = _parts(request)
    for note in [*whole.notes, *(judging.notes if judging else ())]:
        say(note)
    each, seed = recipe.examples, recipe.training.seed
    counted = draw_few(whole, each or 1, seed)  # with all of them too: refuses what cannot be told apart
    few, rest = counted if each else (whole, whole.take([]))
    test = rest if judging is None else judging
    if not len(test):
        raise UsageError(
            f"{whole.source}: no rows are left to judge by; take fewer with --examples, or name others with --test"
        )
    strange = sorted(set(map(str, test.column("label"))) - set(few.column("label")))
    if strange:
        say(f"{test.source}: labels that no row to learn from has: {', '.join(strange[:5])}")
    classes = len(set(few.column("label")))
    say(f"rows: {len(few)} to learn from, of {classes} classes (seed {seed}), {len(test)} of {test.source} to judge by")
    splits = Splits(few, few, test, [], overlap.seen({"train": few, "test": test}))
    for note in splits.told_seen:
        say(note)
    return splits


def _parts(request: FewShotRequest) -> tuple[Rows, Rows | None]:
    """The rows to draw from, and those of a test (else a dev) file, where there is one."""
    options = read_options(request.reading, LABELS)
    test = None if request.test is None else read(request.test, options)
    data = request.data
    if isinstance(data, GivenRows):
        return read(data, options), test
    if data.startswith("hub:"):
        splits = load_splits(data, test=request.test, options=options)
        return splits.train, splits.judging
    path = Path(data)
    if not is_folder(path):
        return read(path, options), test
    files = split_files(path)
    beside = files.get("test") or files.get("dev")
    if test is None and beside is not None:
        test = read(beside, options)
    return read(files["train"], options), test


def deepest(rows: Rows, say: Say) -> str:
    """The encoder with most layers that knows the language: so few rows cannot tell one from another."""
    mix = detect([text for row in rows for name, text in row.items() if name != "label"])
    entry = max(candidates(mix), key=lambda one: one.layers)
    say(f"model: {entry.name}, the deepest at hand for {mix.language} text; --model takes another")
    return entry.name
