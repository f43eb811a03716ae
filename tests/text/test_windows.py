"""Windows: nothing of a long text is lost, neighbours overlap, and short texts stay as they were."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertie.text.tokenizer import Encoded, Tokenizer
from tests.text.test_offsets import MANY, TEXT


def spans(encoded: Encoded, part: int) -> set[tuple[int, int]]:
    return {span for span, side in zip(encoded.offsets, encoded.sequence, strict=True) if side == part}


@MANY
@given(TEXT, st.integers(8, 20))
def test_the_windows_hold_every_piece(tokenizer: Tokenizer, text: str, max_length: int) -> None:
    (windows,) = tokenizer.encode_windows([text], max_length=max_length)
    whole = tokenizer.encode(text, max_length=10_000)
    assert set().union(*(spans(window, 0) for window in windows)) == spans(whole, 0)
    assert all(len(window) <= max_length and not window.truncated for window in windows)
    if len(whole) <= max_length:
        assert windows == [whole]


@MANY
@given(TEXT, TEXT, st.integers(12, 24))
def test_each_window_of_a_pair_has_the_first_text(tokenizer: Tokenizer, text: str, pair: str, max_length: int) -> None:
    (windows,) = tokenizer.encode_windows([text], [pair], max_length)
    whole = tokenizer.encode(text, pair, 10_000)
    assert set().union(*(spans(window, 1) for window in windows)) == spans(whole, 1)
    assert all(spans(window, 0) == spans(windows[0], 0) for window in windows)
    assert all(len(window) <= max_length for window in windows)


def test_neighbours_overlap_and_there_is_a_bound(tokenizer: Tokenizer) -> None:
    text = " ".join(["好"] * 100)
    (windows,) = tokenizer.encode_windows([text], max_length=22, overlap=0.5)
    shared = spans(windows[0], 0) & spans(windows[1], 0)
    assert len(shared) == pytest.approx(10, abs=1)
    (bounded,) = tokenizer.encode_windows([text], max_length=22, most=3)
    assert len(bounded) == 3 and bounded[-1].truncated
