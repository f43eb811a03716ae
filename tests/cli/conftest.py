"""A bundle for the commands that need one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bundle.making import ROWS, save_tiny


@pytest.fixture
def tiny_bundle(tiny_model: Path, tmp_path: Path) -> Path:
    save_tiny(ROWS, tiny_model, tmp_path / "bundle")
    return tmp_path / "bundle"
