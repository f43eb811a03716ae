"""Which pieces stay: the list is what its script makes of public vocabularies, and English hardly notices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bertie.core.errors import ModelError
from bertie.data import e5_pieces
from bertie.data.e5_file import E5File
from bertie.data.e5_pieces import fingerprint, kept_pieces
from tools.english_pieces import english


def test_the_list_is_what_the_script_makes(e5_file: Path, minilm_folder: Path) -> None:
    made = english(E5File(e5_file), minilm_folder / "vocab.txt")
    assert np.array_equal(made, e5_pieces._english())


def test_what_is_in_the_list(e5_file: Path) -> None:
    file = E5File(e5_file)
    listed = {file.pieces[i] for i in np.flatnonzero(e5_pieces._english())}
    assert {"▁password", "▁Password", "ation", "▁NASA", "▁WhatsApp"} <= listed
    assert not {"▁Geschwindigkeit", "▁пароль", "密码"} & listed
    assert all(piece.removeprefix("▁").isascii() for piece in listed)


def test_the_fingerprint_is_that_of_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint()
    assert len(before) == 8
    monkeypatch.setattr(e5_pieces, "_list", lambda: b"another")
    assert fingerprint() != before


def test_another_vocabulary_is_refused() -> None:
    with pytest.raises(ModelError, match="2 pieces, expected the 250002"):
        kept_pieces(["<s>", "</s>"])
