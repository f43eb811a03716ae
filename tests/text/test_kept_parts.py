"""Kept parts: the part is whole in every sequence, nothing else is lost in windows, and what is cut is said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertie.core.errors import UsageError
from bertie.text.kept_parts import Kept, encode_kept
from bertie.text.tokenizer import Encoded, Tokenizer
from tests.text.test_offsets import MANY, TEXT

LONG = 10_000
Piece = tuple[int, int | None, tuple[int, int]]


def pieces(*encoded: Encoded) -> set[Piece]:
    return {piece for one in encoded for piece in zip(one.ids, one.sequence, one.offsets, strict=True)}


def encoded(
    tokenizer: Tokenizer, question: str, choice: str, context: str | None, overlap: float | None = None, most: int = 24
) -> tuple[tuple[Encoded, ...], Encoded, set[Piece]]:
    """The sequences of a question with a choice behind it, or beside it where there is no context; the pair without
    any limit, and of its pieces those of the choice."""
    kept = Kept(1) if context is None else Kept(0, len(question))
    first, second = (question, choice) if context is None else (f"{question} {choice}", context)
    whole = tokenizer.encode(first, second, LONG)
    own = {one for one in pieces(whole) if one[1] == kept.side and one[2][0] >= kept.start}
    (found,) = encode_kept(tokenizer, [first], [second], [kept], most, overlap=overlap)
    return found, whole, own


@MANY
@given(TEXT, st.none() | TEXT, st.none() | st.floats(0.0, 0.9))
def test_the_part_is_whole_in_every_sequence(
    tokenizer: Tokenizer, question: str, context: str | None, overlap: float | None
) -> None:
    found, whole, own = encoded(tokenizer, question, "一 b", context, overlap)
    assert own and all(own <= pieces(one) for one in found)
    assert all(len(one) <= 24 for one in found) and pieces(*found) <= pieces(whole)
    assert pieces(*found) == pieces(whole) or found[-1].truncated
    if len(whole) <= 24:
        assert found == (whole,)
    elif overlap is None:
        assert len(found) == 1 and len(found[0]) == 24 and found[0].truncated


@MANY
@given(TEXT, TEXT)
def test_where_the_first_text_is_not_cut_the_ids_are_those_of_any_pair(
    tokenizer: Tokenizer, question: str, context: str
) -> None:
    first = f"{question} yes"
    usual, whole = (tokenizer.encode(first, context, most) for most in (24, LONG))
    (found,) = encode_kept(tokenizer, [first], [context], [Kept(0, len(question))], 24)
    if usual.sequence.count(0) == whole.sequence.count(0):
        assert found == (usual,)


def test_the_longer_one_of_the_others_goes_into_windows(tokenizer: Tokenizer) -> None:
    long, short = "food " * 60, "slow"
    for question, context in ((long, short), (short, long), (long, None)):
        found, whole, own = encoded(tokenizer, question, "yes", context, 0.25)
        assert len(found) > 2 and all(own <= pieces(one) for one in found)
        assert pieces(*found) == pieces(whole) and not any(one.truncated for one in found)
    found, whole, own = encoded(tokenizer, "slow " * 12, "yes", long, 0.25)
    assert [one.truncated for one in found] == [False] * (len(found) - 1) + [True], "it has at most half of the room"
    assert all(own <= pieces(one) and 8 <= one.sequence.count(0) <= 12 for one in found)
    assert {one for one in pieces(whole) if one[1] == 1} <= pieces(*found)


def test_a_part_without_room_is_cut_or_stands_in_windows_itself(tokenizer: Tokenizer) -> None:
    for context in ("slow film", None):
        (cut,), _, own = encoded(tokenizer, "food", "good " * 40, context)
        assert cut.truncated and len(cut) == 24 and len(own & pieces(cut)) >= 17
        found, whole, _ = encoded(tokenizer, "food", "good " * 40, context, 0.25)
        assert pieces(*found) == pieces(whole) and not any(one.truncated for one in found)
        assert all(one.ids[:2] == whole.ids[:2] for one in found), "the question stands in front of each"


def test_there_is_a_bound_and_a_least_room(tokenizer: Tokenizer) -> None:
    found, _, _ = encoded(tokenizer, "food", "yes", "好 " * 2000, 0.0)
    assert len(found) == 64 and found[-1].truncated
    with pytest.raises(UsageError, match="max_length 4 leaves no room"):
        encoded(tokenizer, "food", "yes", "good", most=4)
