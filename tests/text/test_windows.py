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
@given(TEXT, TEXT, st.integers(12, 24), st.booleans())
def test_each_window_of_a_pair_has_the_shorter_or_the_first_text(
    tokenizer: Tokenizer, text: str, pair: str, max_length: int, second: bool
) -> None:
    (windows,) = tokenizer.encode_windows([text], [pair], max_length, windowed="second" if second else "longer")
    whole = tokenizer.encode(text, pair, 10_000)
    long = 1 if second or whole.sequence.count(1) >= whole.sequence.count(0) else 0
    assert set().union(*(spans(window, long) for window in windows)) == spans(whole, long)
    assert all(spans(window, 1 - long) == spans(windows[0], 1 - long) for window in windows)
    assert all(len(window) <= max_length for window in windows)
    lost = windows[0].sequence.count(1 - long) < whole.sequence.count(1 - long)
    assert [window.truncated for window in windows] == [False] * (len(windows) - 1) + [lost]


def test_a_long_first_text_is_read_whole_and_what_is_cut_of_the_other_is_said(tokenizer: Tokenizer) -> None:
    document, claim = "food " * 100, "slow " * 3
    (windows,) = tokenizer.encode_windows([document], [claim], 24)
    whole = tokenizer.encode(document, claim, 10_000)
    assert len(windows) > 5 and set().union(*(spans(window, 0) for window in windows)) == spans(whole, 0)
    assert not any(window.truncated for window in windows)
    cut = tokenizer.encode(document, claim, 24)
    assert cut.sequence.count(1) == whole.sequence.count(1) and spans(cut, 0) < spans(whole, 0), "each knows its side"
    assert spans(cut, 0) > {(0, 4)}
    (halved,) = tokenizer.encode_windows([document], ["slow " * 50], 24)
    assert halved[-1].truncated and {window.sequence.count(1) for window in halved} == {halved[0].sequence.count(1)}


def test_neighbours_overlap_and_there_is_a_bound(tokenizer: Tokenizer) -> None:
    text = " ".join(["好"] * 100)
    (windows,) = tokenizer.encode_windows([text], max_length=22, overlap=0.5)
    shared = spans(windows[0], 0) & spans(windows[1], 0)
    assert len(shared) == pytest.approx(10, abs=1)
    (bounded,) = tokenizer.encode_windows([text], max_length=22, most=3)
    assert len(bounded) == 3 and bounded[-1].truncated
