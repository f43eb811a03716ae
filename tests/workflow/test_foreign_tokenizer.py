"""A tokenizer with more pieces than the encoder has word vectors is refused wherever the two first come together."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bertie.bundle import folder as bundle
from bertie.core.errors import ModelError
from bertie.text.tokenizer import Tokenizer
from bertie.workflow.augmentation import fill_of
from bertie.workflow.choose import load_start
from bertie.workflow.pretrain_request import PretrainRecipe, PretrainRequest
from bertie.workflow.pretrain_start import first_weights, read_teacher
from tests.bundle.making import ROWS, tiny_model_of


@pytest.fixture
def grown(tiny_model: Path, tmp_path: Path) -> Path:
    """The tiny model, to whose vocabulary somebody added a piece."""
    folder = tmp_path / "grown"
    shutil.copytree(tiny_model, folder)
    with (folder / "vocab.txt").open("a", encoding="utf-8") as vocabulary:
        vocabulary.write("added\n")
    return folder


def start(folder: Path) -> None:
    load_start(str(folder))


def fill(folder: Path) -> None:
    fill_of(str(folder))


def go_on(folder: Path) -> None:
    request = PretrainRequest(corpus=("none.txt",), model=str(folder))
    first_weights(request, PretrainRecipe(), folder, lambda line: None)


def learn_from(folder: Path) -> None:
    read_teacher(str(folder), Tokenizer.from_folder(folder), 32)


def read_bundle(folder: Path) -> None:
    bundle.save(tiny_model_of(ROWS, folder), folder / "bundle", {})
    bundle.load(folder / "bundle")


@pytest.mark.parametrize("use", [start, fill, go_on, learn_from, read_bundle])
def test_it_is_refused(use: Callable[[Path], None], grown: Path) -> None:
    with pytest.raises(ModelError, match=r"tokenizer has .* pieces, its encoder word vectors for"):
        use(grown)
