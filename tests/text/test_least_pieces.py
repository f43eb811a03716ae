"""Pieces of a text, counted without a vocabulary."""

from __future__ import annotations

import pytest

from bertie.text.least_pieces import least_pieces

CASES = [("", 0), ("very good.", 2), ("很好", 2), ("用iPhone15拍照，不错", 6), ("😀", 0)]


@pytest.mark.parametrize(("text", "count"), CASES)
def test_han_characters_and_words(text: str, count: int) -> None:
    assert least_pieces(text) == count
