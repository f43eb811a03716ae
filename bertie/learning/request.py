"""What a person asks of a learning from few examples, with every setting of it.

In:  plain values from the command line or from Python
Out: typed, checked dataclasses
Knows nothing of how the work is done.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from bertie.core.errors import UsageError
from bertie.workflow.request import Recipe, TrainRequest

By = Literal["contrastive", "pattern", "descriptions"]
WAYS: tuple[By, ...] = ("contrastive", "pattern", "descriptions")
HOLE, MASK = "{text}", "{mask}"
UNUSED: dict[str, object] = {
    "task": "classification",
    "dev": None,
    "folds": 0,
    "seeds": 1,
    "combine": None,
    "budget": None,
    "translate": None,
    "group_column": None,
    "time_column": None,
}
"""What may be asked of a training but not of a learning from few examples, with the value of who does not ask."""


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """How an encoder is tuned by pairs (Tunstall et al. 2022)."""

    loss: Literal["supervised", "cosine", "order"] = "supervised"
    """`supervised` compares all texts of a batch (Khosla et al. 2020), `cosine` brings the cosine of each pair to 1 or
    0 (SetFit), `order` wants pairs of one class above all others (Su 2022)."""
    temperature: float = 0.1
    """Cosines are divided by this; small: only the nearest texts count. For `supervised` and `order`."""
    pairs: int = 0
    """Pairs of a pass, half of them of one class. 0: 20 for each text, or what a minute or two on two cores allow."""
    length: int = 128
    """Tokens of a text while the encoder is tuned; what is answered is read as far as `max_length` says."""
    describe: bool = True
    """Learn from the descriptions of the labels too, as further examples and as a part of the head that is as large as
    the rows bear out; names that are numbers are left out."""

    def __post_init__(self) -> None:
        if not self.temperature > 0.0:
            raise ValueError(f"temperature is {self.temperature}, expected more than 0")
        if self.pairs < 0 or self.length < 8:
            raise ValueError(f"pairs is {self.pairs} and length {self.length}, expected 0 or more and 8 or more")


@dataclass(frozen=True, kw_only=True)
class PatternSettings:
    """How a text becomes a gap to be filled, and by which words (Schick and Schuetze 2021)."""

    text: str = "auto"
    """The text as `{text}` and the gap as `{mask}`, such as `{text} It was {mask}.`, which `auto` takes for English;
    for Chinese `{text}总之很{mask}。`."""
    words: dict[str, str] = field(default_factory=dict)
    """The word that fills the gap for each label; otherwise the label's name. Each is one piece of the vocabulary."""

    def __post_init__(self) -> None:
        if self.text != "auto" and not (self.text.count(HOLE) == 1 and self.text.count(MASK) == 1):
            raise ValueError(f"text is {self.text!r}, expected {HOLE} once and {MASK} once in it")


@dataclass(frozen=True, kw_only=True)
class ZeroShot:
    """How texts are compared with descriptions."""

    template: str = "{description}"
    """What a description stands in, such as `This text is about {description}.`"""
    temperature: float = 0.05
    """Cosines are divided by this before the softmax: how sure the answers are, not which."""

    def __post_init__(self) -> None:
        if "{description}" not in self.template:
            raise ValueError(f"template is {self.template!r}, expected {{description}} in it")
        if not self.temperature > 0.0:
            raise ValueError(f"temperature is {self.temperature}, expected more than 0")


@dataclass(frozen=True, kw_only=True)
class FewShotRecipe(Recipe):
    """Every setting of a learning from few examples; `recipe.toml` in its bundle is one of these."""

    by: By = "contrastive"
    """`contrastive`: pairs, then a linear head. `pattern`: a gap in the text is filled, by an encoder with a masked-LM
    head. `descriptions`: what labels mean alone, no examples."""
    examples: int = 8
    """Rows of each class to learn from, drawn by the seed; the other rows of the file judge, where it comes without
    test rows. 0: all of them."""
    contrast: Contrast = field(default_factory=Contrast)
    """Settings of `contrastive`."""
    pattern: PatternSettings = field(default_factory=PatternSettings)
    """Settings of `pattern`."""
    zero_shot: ZeroShot = field(default_factory=ZeroShot)
    """Settings of `descriptions`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.examples < 0:
            raise ValueError(f"examples is {self.examples}, expected 1 or more, or 0 for all rows")


@dataclass(frozen=True, kw_only=True)
class FewShotRequest(TrainRequest):
    """A learning from few examples as a person asks for it."""

    task: str | None = "classification"
    """The one task that is learned so."""
    by: str | None = None
    """Way to learn: contrastive, pattern or descriptions; otherwise the recipe's."""
    examples: int | None = None
    """Rows of each class; otherwise the recipe's."""
    descriptions: Path | None = None
    """File with `text,label`: what each label means, a line or more; otherwise its name."""

    def __post_init__(self) -> None:
        asked = {**vars(self), **vars(self.reading)}
        for name, usual in UNUSED.items():
            if asked[name] != usual:
                raise UsageError(
                    f"{name} is {asked[name]!r}, which `bertie fewshot` does not learn with; leave it out, or take "
                    "`bertie train`"
                )
        super().__post_init__()

    def seconds_or(self, usual: float) -> float:
        """No time is planned: floors learn from all of the rows."""
        return math.inf

    @property
    def name(self) -> str:
        return f"fewshot-{super().name}"

    def settings(self) -> FewShotRecipe:
        """The recipe file with the overrides on top."""
        recipe = self.settings_of(FewShotRecipe)
        if self.by is not None and self.by not in WAYS:
            raise UsageError(f"--by {self.by!r}: expected one of {', '.join(WAYS)}")
        if self.examples is not None and self.examples < 0:
            raise UsageError(f"--examples {self.examples}: expected 1 or more, or 0 for all rows")
        given = {"by": self.by, "examples": self.examples, "method": self.method}
        return replace(recipe, **{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
