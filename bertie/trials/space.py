"""What is varied: tuning method x model x recipe, around the default recipe.

In:  a trial that suggests values; the recipe, the models, the task's settings
Out: `Variation`: plain values, and the recipe that they make; words for a person
Knows nothing of how a trial is run or judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from optuna.trial import Trial

from bertie.evaluation.phrases import Language
from bertie.evaluation.search_phrases import search_phrases
from bertie.training.settings import Training
from bertie.workflow.request import Recipe

Kind = Literal["words", "frozen", "tuned"]
METHODS = ("full", "layerwise", "top_layers", "lora", "bitfit")
"""Those that merge: whatever wins is a plain encoder, as fast as the untuned one."""
LANGUAGES: tuple[Language, Language] = ("en", "zh")
SMOOTHING = "label_smoothing"
DROPOUT = "dropout"
VARIED = ("model", "method", "rate", "epochs", "rows", DROPOUT, SMOOTHING)
"""What Optuna knows of a variation."""


@dataclass(frozen=True, kw_only=True)
class Variation:
    """One point of the space; the defaults are the default recipe."""

    kind: Kind = "tuned"
    """Counting words, a linear head on a frozen encoder, or a tuned encoder."""
    model: str = ""
    method: str = ""
    """Empty: the recipe's."""
    rate: float = 1.0
    """Times the learning rate that the workflow chooses."""
    epochs: float = 1.0
    """Times its epochs."""
    rows: float = 1.0
    """Times its rows a batch."""
    dropout: float | None = None
    smoothing: float | None = None

    @property
    def plain(self) -> bool:
        """Whether it is the default recipe, whatever the model."""
        return replace(self, model="") == Variation()

    def recipe(self, recipe: Recipe) -> Recipe:
        """The recipe with what the variation says about method and task; times and rates follow in `scaled`."""
        if self.kind == "frozen":
            return replace(recipe, method="frozen", tuning={}, training=replace(recipe.training, epochs=1))
        task = dict(recipe.task)
        task |= {
            name: value for name, value in ((DROPOUT, self.dropout), (SMOOTHING, self.smoothing)) if value is not None
        }
        other = self.method and self.method != recipe.method
        return replace(recipe, method=self.method, tuning={}, task=task) if other else replace(recipe, task=task)

    def scaled(self, training: Training) -> Training:
        """Settings that the workflow has filled in, times the factors."""
        optimizer = replace(training.optimizer, rate=training.optimizer.rate * self.rate)
        return replace(
            training,
            optimizer=optimizer,
            epochs=max(1, round(training.epochs * self.epochs)),
            rows_per_batch=max(1, round(training.rows_per_batch * self.rows)),
        )

    @property
    def names(self) -> tuple[str, str]:
        """What a person calls it, in English and in Chinese."""
        english, chinese = (self._name(language) for language in LANGUAGES)
        return english, chinese

    def __str__(self) -> str:
        return self.names[0]

    def _name(self, language: Language) -> str:
        words = search_phrases(language)
        model = Path(self.model).name if Path(self.model).is_absolute() else self.model
        if self.kind == "words":
            return words["words"]
        if self.kind == "frozen" or self.plain:
            return words["frozen" if self.kind == "frozen" else "recipe"].format(model=model)
        factors = {"rate": self.rate, "epochs": self.epochs, "batch": self.rows}
        said = {name: value for name, value in factors.items() if value != 1.0}
        said |= {name: value for name, value in ((DROPOUT, self.dropout), ("smoothing", self.smoothing)) if value}
        parts = [words[name].format(value=f"{value:.2g}") for name, value in said.items()]
        return words["comma"].join([words["tuned"].format(model=model, method=self.method), *parts])

    def as_json(self) -> dict[str, Any]:
        """What is written down; `Variation(**...)` makes the same."""
        return asdict(self)


def suggest(trial: Trial, models: Sequence[str], settings: Mapping[str, Any]) -> Variation:
    """A point of the space. `settings` are the task's: what it does not have is not varied."""
    return Variation(
        model=str(trial.suggest_categorical("model", list(models))),
        method=str(trial.suggest_categorical("method", METHODS)),
        rate=trial.suggest_float("rate", 0.5, 2.0, log=True),
        epochs=trial.suggest_float("epochs", 0.5, 1.5, step=0.25),
        rows=float(trial.suggest_categorical("rows", (0.5, 1.0, 2.0))),
        dropout=trial.suggest_float(DROPOUT, 0.0, 0.3, step=0.1) if DROPOUT in settings else None,
        smoothing=trial.suggest_float(SMOOTHING, 0.0, 0.2, step=0.1) if SMOOTHING in settings else None,
    )


def first_trials(models: Sequence[str], counts_words: bool) -> list[Variation]:
    """What every search begins with: the floors and the default recipe on the first model, if there are models; then
    the floors on the other models, whose time the default recipe must not lack.
    """
    words = [Variation(kind="words")] if counts_words else []
    frozen = [Variation(kind="frozen", model=model) for model in models]
    return [*words, *frozen[:1], *(Variation(model=model) for model in models[:1]), *frozen[1:]]
