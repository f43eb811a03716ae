"""Phrases: whatever stands in a report by its name has one in both languages."""

from __future__ import annotations

import re

import pytest

from bertie.bundle.folder import LANGUAGE_TASKS, TASKS
from bertie.evaluation.floor_files import FLOORS
from bertie.evaluation.phrases import METRICS, NAMES, PHRASES

NAMED = METRICS | NAMES | PHRASES
SAME = {"bm25"}
"""Called alike in both."""


@pytest.mark.parametrize("name", [*TASKS.classes(), *LANGUAGE_TASKS, *FLOORS.classes()])
def test_every_task_and_floor_has_a_name_in_both_languages(name: str) -> None:
    english, chinese = NAMED[name]
    assert english and not re.search(r"[\u4e00-\u9fff]", english)
    assert name in SAME or re.search(r"[\u4e00-\u9fff]", chinese)
