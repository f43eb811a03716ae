"""What a person asks for: the request of a training, and the recipe with every setting.

In:  plain values from the command line or from Python
Out: typed, checked dataclasses
Knows nothing of how the work is done.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from bertie.core.config import load_toml, override
from bertie.core.errors import UsageError
from bertie.data.augmentation import Augmentation
from bertie.data.given_rows import GivenRows
from bertie.data.readers import Columns
from bertie.data.sources import By
from bertie.text.augmentation.base import Translate
from bertie.training.settings import Training

R = TypeVar("R")
Say = Callable[[str], None]
"""Where a line goes that says what was chosen."""
Combine = Literal["average", "stack", "soup", "greedy_soup", "refit"]
LONGEST_NAME = 200
"""Bytes of a folder's name that is made of one of data; 255 is what a disk takes, and more is put beside it."""
DEFAULT_BUDGET = 15 * 60.0
"""Seconds that a command may take when nothing is said."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How the files of a request are read."""

    text_column: str | None = None
    """Column that holds the text; `a,b` for pairs."""
    label_column: str | None = None
    """Column that holds the label."""
    encoding: str | None = None
    """Encoding of the files, where it is not recognised."""
    skip_bad_rows: bool = False
    """Leave malformed rows out and count them, instead of refusing the file."""
    group_column: str | None = None
    """Column whose rows of one value are never parted: the person, the document, the product that a text is of."""
    time_column: str | None = None
    """Column that says when a text was written, a number or a date: only the past is learned from."""

    def __post_init__(self) -> None:
        if self.group_column and self.time_column:
            raise UsageError("--group-column and --time-column: rows are divided by one of the two; leave one out")

    @property
    def by(self) -> By:
        """What the rows are divided by."""
        return "group" if self.group_column else "time" if self.time_column else "class"

    @property
    def columns(self) -> Columns:
        """The mapping as the readers take it."""
        names = [name.strip() for name in self.text_column.split(",")] if self.text_column else []
        if len(names) > 2:
            raise UsageError(
                f"--text-column {self.text_column!r}: found {len(names)} columns, expected one, or two for pairs"
            )
        if len(names) == 2:
            return Columns(text_a=names[0], text_b=names[1], label=self.label_column, beside=self._beside)
        return Columns(text=names[0] if names else None, label=self.label_column, beside=self._beside)

    @property
    def _beside(self) -> str | None:
        return self.group_column or self.time_column


@dataclass(frozen=True)
class Loading:
    """A trained model, and how it is to compute."""

    model: str | Path
    """A bundle; where vectors are wanted also an alias, a folder or a hub name."""
    dtype: str = "float32"
    """float32, bfloat16, or auto."""
    device: str = "auto"
    """auto, cpu, cuda, one of several as `cuda:1`, or mps."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Every setting of a training; `recipe.toml` in a bundle is one of these."""

    max_length: int = 0
    """Tokens a text, specials included; longer texts are cut there and counted. 0: the task chooses, most take 256."""
    linear_start: bool = True
    """Start the head from the frozen floor's solution instead of from random numbers (Kumar et al. 2022)."""
    attention_dropout: float = 0.0
    """Dropout on attention weights while training. 0 lets torch's fused kernel compute: 1.4 to 1.8 times as fast at 256
    tokens. Most checkpoints were pre-trained with 0.1."""
    dropout: float | None = None
    """Dropout on states and embeddings while training. None: the checkpoint's, mostly 0.1."""
    method: str = "full"
    """What of the encoder is trained: full, lora, top_layers, bitfit, ... (`bertie doctor --matrix` lists them)."""
    tuning: dict[str, Any] = field(default_factory=dict)
    """Settings of the method: rank, alpha, layers, ..."""
    task: dict[str, Any] = field(default_factory=dict)
    """Settings of the task: pooling, loss, class_weights, ..."""
    augmentation: Augmentation = field(default_factory=Augmentation)
    """Changed copies of training rows that are learned beside them."""
    training: Training = field(default_factory=Training)
    """Settings of the loop, its optimiser and its schedule."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.attention_dropout < 1.0:
            raise ValueError(f"attention_dropout is {self.attention_dropout}, expected 0 to below 1")
        if self.dropout is not None and not 0.0 <= self.dropout < 1.0:
            raise ValueError(f"dropout is {self.dropout}, expected 0 to below 1")


@dataclass(frozen=True, kw_only=True)
class RunRequest(ABC):
    """What every request says that ends with a bundle in a folder."""

    recipe: Path | None = None
    """TOML file of settings."""
    overrides: tuple[str, ...] = ()
    """Settings on top of the recipe, as NAME=VALUE."""
    out: Path | None = None
    """Folder of the bundle; otherwise runs/NAME."""
    budget: str | float | None = None
    """Time for the whole command, such as 10m, or a number of seconds."""
    resume: bool = False
    """Go on with the run in `out`."""
    overwrite: bool = False
    """Replace what is in `out`."""
    seed: int | None = None
    """Seed of all that is random, the splits too; otherwise the recipe's `training.seed`."""

    def __post_init__(self) -> None:
        if self.budget is not None:
            seconds(self.budget)

    @property
    @abstractmethod
    def name(self) -> str:
        """Of the folder, where `out` names none."""

    @property
    def folder(self) -> Path:
        """Where the bundle goes."""
        return self.out or Path("runs") / self.name

    @property
    def seconds(self) -> float:
        """The budget in seconds."""
        return self.seconds_or(DEFAULT_BUDGET)

    def seconds_or(self, usual: float) -> float:
        """The budget in seconds, `usual` where there is none."""
        return usual if self.budget is None else seconds(self.budget)

    def within(self, seconds: float, left: float) -> float:
        """Seconds of a training that would take so many: where a budget was given, no more than are left of it."""
        return seconds if self.budget is None else min(seconds, left)

    def settings_of(self, kind: type[R]) -> R:
        """The recipe file with the overrides on top."""
        recipe = load_toml(kind, self.recipe) if self.recipe else kind()
        seed = [] if self.seed is None else [f"training.seed={self.seed}"]
        return override(recipe, [*self.overrides, *seed])


@dataclass(frozen=True, kw_only=True)
class TrainRequest(RunRequest):
    """A training as a person asks for it."""

    data: str | GivenRows
    """File, folder with train/dev/test, or hub:name; in Python also rows or a data frame."""
    dev: str | GivenRows | None = None
    """Rows to choose the best model by; otherwise split off."""
    test: str | GivenRows | None = None
    """Rows to judge it by; otherwise split off where `data` is one file and `dev` is not given, else the dev rows,
    whose score is too good: they chose the model."""
    task: str | None = None
    """Name of the task; otherwise the columns tell."""
    model: str | None = None
    """Alias, folder or hub name; otherwise chosen by measuring."""
    method: str | None = None
    """Name of the tuning method; otherwise the recipe's, which is `full`."""
    folds: int = 0
    """Parts of the training rows of which each is judged by a model that learned from the others; 0: none."""
    seeds: int = 1
    """Trainings that differ in nothing but what is random in them."""
    combine: Combine | None = None
    """What becomes of several trainings; otherwise a soup of seeds, and after folds a training on all rows."""
    reading: Reading = field(default_factory=Reading)
    """How the files are read."""
    translate: tuple[Translate, Translate] | None = None
    """What `back_translation` asks: texts to their translations, and those back."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.folds < 0 or self.folds == 1:
            raise UsageError(f"--folds {self.folds}: expected at least 2")
        if self.seeds < 1:
            raise UsageError(f"--seeds {self.seeds}: expected at least 1")
        if self.combine is not None:
            self._check_combine(self.combine)

    @property
    def name(self) -> str:
        return folder_name(str(self.data), "model")

    @property
    def several(self) -> bool:
        """Whether one training is not all of it."""
        return self.folds > 0 or self.seeds > 1

    @property
    def combined(self) -> Combine:
        """What becomes of several trainings."""
        return self.combine or ("refit" if self.folds else "soup")

    def _check_combine(self, how: str) -> None:
        if how not in get_args(Combine):
            raise UsageError(f"--combine {how!r}: expected one of {', '.join(get_args(Combine))}")
        if not self.several:
            raise UsageError(f"--combine {how}: there is one training; give --seeds 3 or --folds 5 too")
        if how in ("refit", "stack") and not self.folds:
            why = "is learned from rows that the models did not learn from" if how == "stack" else "follows folds"
            raise UsageError(f"--combine {how}: {why}; give --folds 5 too, or take average, soup or greedy_soup")
        if how != "refit" and self.folds and self.reading.by == "time":
            raise UsageError(
                f"--combine {how}: the models of the first folds know only the oldest rows; with --time-column "
                "take refit, which learns from all of them"
            )

    def settings(self) -> Recipe:
        """The recipe file with the overrides on top."""
        recipe = self.settings_of(Recipe)
        return recipe if self.method is None else replace(recipe, method=self.method)


def folder_name(data: str, otherwise: str) -> str:
    """The name of a file or of a data set of the hub as one of a folder, cut where it is too long for one."""
    name = re.sub(r"[^\w.-]+", "-", Path(data.removeprefix("hub:")).stem) or otherwise
    return name if len(name.encode(errors="replace")) <= LONGEST_NAME else name[: LONGEST_NAME // 4]


def seconds(budget: str | float) -> float:
    """`90s`, `10m`, `1.5h` or a number of seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", str(budget).strip().lower())
    if not match or float(match[1]) == 0:
        raise UsageError(f"budget {budget!r}: expected a time such as 90s, 10m or 2h")
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]
