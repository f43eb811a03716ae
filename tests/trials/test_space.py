"""The space: the default recipe is a point of it, and every point is a recipe that training accepts."""

from __future__ import annotations

import optuna
from hypothesis import given, settings
from hypothesis import strategies as st

from bertie.core.config import to_dict
from bertie.tasks.classification import ClassificationSettings
from bertie.training.settings import Optimizer, Training
from bertie.trials.space import METHODS, Variation, first_trials, suggest
from bertie.workflow.preparation import make_method
from bertie.workflow.request import Recipe

FILLED = Training(epochs=4, rows_per_batch=16, optimizer=Optimizer(rate=5e-5))


def test_the_default_recipe_is_left_as_it_is() -> None:
    recipe = Recipe(method="lora", tuning={"rank": 4}, task={"dropout": 0.2})
    default = Variation(model="minilm")
    assert default.plain and default.recipe(recipe) == recipe and default.scaled(FILLED) == FILLED
    assert str(default) == "minilm, default recipe"
    assert not Variation(model="minilm", rate=1.5).plain and not Variation(kind="frozen", model="minilm").plain


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_every_suggestion_is_a_recipe(seed: int) -> None:
    sampler = optuna.samplers.RandomSampler(seed=seed)
    trial = optuna.create_study(sampler=sampler).ask()
    options = to_dict(ClassificationSettings())
    made = suggest(trial, ["minilm", "e5-small"], options)
    assert Variation(**made.as_json()) == made
    assert made.method in METHODS and made.model in ("minilm", "e5-small")
    recipe = made.recipe(Recipe(method="lora", tuning={"rank": 4}))
    make_method(recipe.method, recipe.tuning)
    assert ClassificationSettings(**recipe.task).dropout == made.dropout
    scaled = made.scaled(FILLED)
    assert scaled.epochs >= 2 and scaled.rows_per_batch in (8, 16, 32) and 2e-5 < scaled.optimizer.rate < 1.1e-4
    assert all(made.model in name and made.method in name for name in made.names)


def test_what_a_task_has_not_is_not_varied() -> None:
    made = suggest(optuna.create_study().ask(), ["minilm"], {})
    assert made.dropout is None and made.smoothing is None and made.recipe(Recipe()).task == {}


def test_a_search_begins_with_the_floors_and_the_default() -> None:
    first = first_trials(["minilm", "e5-small"], counts_words=True)
    assert [(one.kind, one.model) for one in first] == [
        ("words", ""), ("frozen", "minilm"), ("tuned", "minilm"), ("frozen", "e5-small"),
    ]  # fmt: skip
    assert first[2].plain and first[1].recipe(Recipe()).method == "frozen"
    assert [one.kind for one in first_trials([], counts_words=True)] == ["words"]
    assert [one.kind for one in first_trials(["m"], counts_words=False)] == ["frozen", "tuned"]
