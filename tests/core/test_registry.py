"""The folder is the list: a file that is dropped in is found by its name."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from bertie.core.errors import UsageError
from bertie.core.registry import Registry


class Base:
    """What the classes of the folder hold to."""


def test_a_dropped_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "dropped_things"
    package.mkdir()
    (package / "__init__.py").write_text("")
    source = (
        "from tests.core.test_registry import Base\nclass One(Base):\n    name = 'one'\nclass Part(Base):\n    pass\n"
    )
    (package / "one.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    registry = Registry(importlib.import_module("dropped_things"), sys.modules[__name__].Base, "thing")
    found = registry.classes()
    assert list(found) == ["one"]
    with pytest.raises(UsageError, match="thing 'two' does not exist; choose one of one"):
        registry.get("two")
