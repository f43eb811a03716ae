"""The field on which all trials of a worker stand: rows, models, floors, each read or fitted once.

In:  a request
Out: for each variation what a training starts from; the floor that counts words
Knows nothing of the other trials, of time or of storage. Test rows are held and never looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from bertie.core.errors import UsageError
from bertie.core.runtime import choose_device, choose_dtype
from bertie.data.batches import Example
from bertie.data.catalogue import resolve
from bertie.data.rows import Rows
from bertie.data.sources import Splits
from bertie.evaluation.floors.base import Floor, Ground
from bertie.evaluation.floors.tfidf import TfidfFloor
from bertie.tasks.base import Task
from bertie.tasks.classification import Classification
from bertie.text.language import detect
from bertie.training.regularizing import announce
from bertie.trials.request import SearchRequest
from bertie.trials.space import SMOOTHING, Variation
from bertie.workflow.choose import candidates, choose_start, load_start
from bertie.workflow.preparation import (
    CHOOSING_SHARE,
    Floors,
    Notes,
    Prepared,
    bring_together,
    fitted_floors,
    judged,
    make_method,
    make_task,
    read_splits,
    studied,
)
from bertie.workflow.request import Recipe


@dataclass(frozen=True)
class Standing:
    """What is made once of an encoder that nobody has tuned."""

    examples: list[Example]
    floors: list[Floor]
    length: int
    """Tokens of a sequence."""
    learned: Rows
    """The training rows as the task has studied them with this encoder."""


@dataclass
class Field:
    """Everything that trials share."""

    request: SearchRequest
    recipe: Recipe
    splits: Splits
    notes: Notes
    dtype: torch.dtype
    models: list[str] = field(default_factory=list)
    """The first one is that of the default recipe."""
    allowed: list[str] = field(default_factory=list)
    """Those of them that answer fast enough."""
    _standings: dict[str, Standing] = field(default_factory=dict)

    @classmethod
    def of(cls, request: SearchRequest, notes: Notes) -> Field:
        """Reads the rows; chooses no model yet."""
        training = request.training()
        recipe = training.settings()
        splits = read_splits(training, recipe.training.seed, notes.say)
        task = make_task(request.task, splits.train, recipe)
        for note in announce(recipe.training, task, make_method(recipe.method, recipe.tuning)):
            notes.say(note)
        if recipe.augmentation.ways:
            raise UsageError(
                f"augmentation.ways is {', '.join(recipe.augmentation.ways)}: a search tries no copies of rows yet; "
                "leave it out, and train with it once the search has said which recipe is best"
            )
        dtype, _ = choose_dtype(choose_device(recipe.training.device), recipe.training.dtype)
        return cls(request, recipe, judged(splits, task, notes.say), notes, dtype)

    def settle(self, models: Sequence[str], allowed: Sequence[str], dtype: str) -> None:
        """The models and the number format as the search has decided them."""
        self.models, self.allowed = list(models), list(allowed)
        self.dtype = torch.bfloat16 if dtype == "bfloat16" else torch.float32
        self.recipe = replace(self.recipe, training=replace(self.recipe.training, dtype=dtype))  # type: ignore[arg-type]

    def choose_models(self) -> list[str]:
        """The model that a training would take, then the others at hand that know the language."""
        if self.request.model:
            return [resolve(self.request.model).name]
        task, train = self.task(), self.splits.train
        limit = self.request.budget_seconds * CHOOSING_SHARE
        first = choose_start(train, task, self.recipe, limit, self.notes.say).source.name
        if not isinstance(task, Classification):
            return [first]
        mix = detect([text for row in train for text in task.texts(row)])
        return [first, *(entry.name for entry in candidates(mix) if entry.name != first)]

    @property
    def identity(self) -> dict[str, Any]:
        """What must be the same for every worker and session of a search."""
        parts = {"train": self.splits.train, "dev": self.splits.dev, "test": self.splits.test}
        rows = {name: part.fingerprint() for name, part in parts.items() if part is not None}
        return {
            "rows": rows,
            "task": self.task().name,
            "seed": self.recipe.training.seed,
            "model": self.request.model,
            "settings": sorted(self.request.overrides),
            "recipe": "" if self.request.recipe is None else self.request.recipe.read_text(encoding="utf-8"),
        }

    @property
    def test(self) -> Rows:
        """What judges at the end."""
        return self.splits.judging

    @property
    def default(self) -> Variation:
        """The default recipe on its model."""
        return Variation(model=(self.allowed or self.models)[0])

    def task(self, recipe: Recipe | None = None) -> Task:
        """A new task for these rows, which knows what the dev rows expect."""
        task = make_task(self.request.task, self.splits.train, recipe or self.recipe)
        task.expect(self.splits.train, self.splits.dev)
        return task

    @property
    def varied(self) -> dict[str, Any]:
        """The task's settings that a variation may change, with their values: none that a person has named, and no
        smoothing of a loss that has none.
        """
        settings = self.task().description().get("settings", {})
        fixed = {*self.recipe.task, *([SMOOTHING] if settings.get("loss") == "focal" else [])}
        return {name: value for name, value in settings.items() if name not in fixed}

    @property
    def counts_words(self) -> bool:
        """Whether counting words is an answer to the task that a bundle can hold."""
        return isinstance(self.task(), Classification)

    def ground(self, model: str) -> Ground:
        """The task on an encoder that nobody has tuned; UsageError where that of the default recipe is too small for
        the tuning method.
        """
        task = self.task()
        start = load_start(model, han_isolated=task.han_isolated)
        if model == self.default.model:
            make_method(self.recipe.method, self.recipe.tuning).refuse(start.encoder.config)
        return Ground(task, start.encoder, start.tokenizer, bring_together(task, start, self.recipe), self.dtype)

    def stands(self, model: str) -> bool:
        """Whether `standing` costs no more time."""
        return model in self._standings

    def standing(self, model: str) -> Standing:
        """Rows as this encoder sees them, and the floors on it."""
        if model not in self._standings:
            ground = self.ground(model)
            learned = studied(self.splits.train, ground, self.notes.say)
            floors = self._floors(learned, ground)
            self._standings[model] = Standing(ground.encode(learned), floors, ground.max_length, learned)
        return self._standings[model]

    def _floors(self, learned: Rows, ground: Ground) -> list[Floor]:
        """Those that read no encoder are the same for each, and fitted once."""
        known = [floor for one in self._standings.values() for floor in one.floors if not floor.reads_encoder]
        if learned is not self.splits.train or not known:
            return fitted_floors(learned, ground)
        return [*known, *fitted_floors(learned, ground, reading=True)]

    def words(self) -> TfidfFloor:
        """The floor that counts words; of the first model's floors, which any encoder would have."""
        return next(floor for floor in self.standing(self.models[0]).floors if isinstance(floor, TfidfFloor))

    def prepared(self, variation: Variation) -> Prepared:
        """What the training of a variation starts from: a new encoder and a new task, all else shared."""
        recipe = variation.recipe(self.recipe)
        task, standing = self.task(recipe), self.standing(variation.model)
        start = load_start(variation.model, han_isolated=task.han_isolated)
        recipe = replace(recipe, max_length=bring_together(task, start, recipe))
        return Prepared(
            splits=self.splits,
            task=task,
            start=start,
            examples=standing.examples,
            rows=len(standing.learned),
            floors=Floors(standing.floors, {}),
            recipe=recipe,
            method=make_method(recipe.method, recipe.tuning),
            dtype=self.dtype,
            notes=self.notes.lines,
            augmenter=None,
        )
