"""Real models for the tests of bertie.text."""

from __future__ import annotations

from pathlib import Path

import pytest

from bertie.text.tokenizer import Tokenizer
from tests.data.models import e5_file, e5_folder, minilm_folder

__all__ = ["e5_file", "e5_folder", "minilm_folder"]


@pytest.fixture(scope="module", params=["minilm", "e5", "e5-han"])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    name, _, han = request.param.partition("-")
    folder: Path = request.getfixturevalue(f"{name}_folder")
    return Tokenizer.from_folder(folder, han_isolated=bool(han))
