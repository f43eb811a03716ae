"""The pages of settings hold what the code has: every setting, its default and its text; in Chinese no other ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bertie.workflow.request import Recipe
from tests.house.settings_page import CHINESE, ENGLISH, lines, renewed, shown, tables

ROW = re.compile(r"^\| `([\w.]+)` \| (.*?) \|", re.MULTILINE)
NAMED = re.compile(r"\b(?:training|task|tuning|augmentation)\.(?!md\b)[a-z][a-z_.]*[a-z]")


def test_the_english_page_has_every_setting() -> None:
    page = ENGLISH.read_text(encoding="utf-8")
    assert renewed(page) == page, "python -m tests.house.settings_page makes it anew"


def test_the_chinese_page_has_those_of_every_training() -> None:
    expected = [(name, default) for row in lines(Recipe()) for name, default in ROW.findall(row)]
    table = CHINESE.read_text(encoding="utf-8").partition("| 设置 | 默认 | 作用 |")[2].partition("\n## ")[0]
    assert ROW.findall(table) == expected


@pytest.mark.parametrize("page", [ENGLISH, CHINESE], ids=["en", "zh"])
def test_settings_that_are_named_exist(page: Path) -> None:
    known = {name for name, _ in ROW.findall(tables())} | {"training.regularization.name", "training.average.name"}
    named = set(NAMED.findall(page.read_text(encoding="utf-8")))
    groups = {"training.optimizer", "training.schedule"}
    assert named - known - groups == set()


def test_a_default_is_shown_as_it_is_set() -> None:
    assert [shown(value) for value in (None, "", {}, (), 0, False, 1e-8, (0.9, 0.999), "adamw")] == [
        *("", "", "", ""),
        *("`0`", "`false`", "`1e-08`", "`[0.9, 0.999]`", '`"adamw"`'),
    ]
