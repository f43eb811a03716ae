"""The tables of docs/en/settings.md from the settings themselves; `python -m tests.house.settings_page` writes them.

In:  the dataclasses of settings, with the text under each field
Out: the page, everything behind its mark made anew; the names with their defaults, for the test of the Chinese page
Knows nothing of what the settings mean.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

from bertie.bundle.folder import METHODS, TASKS
from bertie.core.config import field_docs
from bertie.learning.request import FewShotRecipe
from bertie.objectives.pretraining import PretrainingSettings
from bertie.training.regularizing import AVERAGES, REGULARIZERS
from bertie.workflow.pretrain_request import PretrainRecipe
from bertie.workflow.request import Recipe
from tests.house.source import ROOT

ENGLISH, CHINESE = (ROOT / "docs" / language / "settings.md" for language in ("en", "zh"))
MARK = "<!-- What follows is made from the code: python -m tests.house.settings_page -->"
HEAD = ("| setting | default | what it does |", "|---|---|---|")


def lines(settings: Any, prefix: str = "") -> Iterator[str]:
    """A line of a table for each setting, by its full name; `settings` has its defaults."""
    docs = field_docs(type(settings))
    for field in fields(settings):
        name, value = prefix + field.name, getattr(settings, field.name)
        if is_dataclass(value):
            yield from lines(value, f"{name}.")
        else:
            yield f"| `{name}` | {shown(value)} | {' '.join(docs[field.name].split()).replace('|', chr(92) + '|')} |"


def shown(value: Any) -> str:
    """A default as `--set` takes it; nothing where it is left open."""
    return "" if value in (None, "", (), {}) else f"`{json.dumps(value, ensure_ascii=False)}`"


def table(title: str, rows: Iterable[str]) -> list[str]:
    """A heading with a table under it; neither where there are no rows."""
    found = list(rows)
    return ["", title, "", *HEAD, *found] if found else []


def settings_of(task: type[Any]) -> Any:
    """The defaults of a task's settings."""
    return get_type_hints(task.__init__)["settings"]()


def tables() -> str:
    """Every setting that a recipe may hold."""
    usual = list(lines(Recipe()))
    page = table("## In every training", usual)
    page += ["", "## Of a tuning method"]
    for name, kind in METHODS.classes().items():
        page += table(f"### `method={name}`", lines(kind(), "tuning."))
    page += ["", "## Of a method against over-fitting"]
    for field, registry in (("regularization", REGULARIZERS), ("average", AVERAGES)):
        for name, kind in registry.classes().items():
            page += table(f"### `training.{field}.name={name}`", lines(kind(), f"training.{field}."))
    page += ["", "## Of a task"]
    for name, kind in TASKS.classes().items():
        page += table(f"### `{name}`", lines(settings_of(kind), "task."))
    few = (line for line in lines(FewShotRecipe()) if line not in usual)
    page += table("## Of `bertie fewshot`, beside those of every training", few)
    pretraining = [*lines(PretrainRecipe()), *lines(PretrainingSettings(), "task.")]
    own = (line for line in pretraining if line not in usual)
    page += table("## Of `bertie pretrain`, where they are not those of every training", own)
    return "\n".join(page) + "\n"


def renewed(page: str) -> str:
    """The English page with its tables made anew."""
    return page.partition(MARK)[0] + MARK + "\n" + tables()


def main(page: Path = ENGLISH) -> None:
    """Writes them into the page."""
    page.write_text(renewed(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
