"""Offsets over all of Unicode: what a piece says it came from is what it came from."""

from __future__ import annotations

import unicodedata

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bertie.text.tokenizer import Tokenizer

ANY = st.characters(exclude_categories=())  # with lone surrogates, controls, unassigned
USUAL = [
    "怎么修改",
    " hello",
    "World",
    "１２",
    "ﬁ",
    "\x00",
    "\x01",
    "\u200b",
    "😀",
    "👨‍👩‍👧",
    "①",
    "\r\n",
    "ｶﾞ",
    "㎏",
    "½",
]
USUAL += ["…", "～", "\u3000", "İ", "ß", "한", "각", "é", "e\u0301", "</s>", "[SEP]", "▁"]
TEXT = st.lists(st.one_of(st.sampled_from(USUAL), st.text(ANY, max_size=4)), max_size=12).map("".join)
MANY = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def letters(tokenizer: Tokenizer, text: str) -> str:
    """The text as the tokenizer sees it, without spaces."""
    readable = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode())
    normal: str = tokenizer._rust.normalizer.normalize_str(readable)
    return normal.replace(" ", "")


@MANY
@given(TEXT)
def test_spans_lie_in_the_text_and_climb(tokenizer: Tokenizer, text: str) -> None:
    encoded = tokenizer.encode(text)
    parts = (encoded.ids, encoded.type_ids, encoded.offsets, encoded.sequence)
    assert len({len(part) for part in parts}) == 1
    start_before = end_before = 0
    for piece, (start, end), part in zip(encoded.ids, encoded.offsets, encoded.sequence, strict=True):
        if part is None:
            assert (start, end) == (0, 0)
            continue
        assert 0 <= start <= end <= len(text)
        assert start >= start_before
        assert end >= end_before
        assert start < end or tokenizer.token(piece) == "▁"
        start_before, end_before = start, end


@MANY
@given(TEXT)
def test_a_piece_is_what_its_span_reads(tokenizer: Tokenizer, text: str) -> None:
    encoded = tokenizer.encode(text)
    for piece, (start, end), part in zip(encoded.ids, encoded.offsets, encoded.sequence, strict=True):
        token = tokenizer.token(piece)
        if part is None or start == end or piece == tokenizer.unk_id or token in tokenizer.specials.values():
            continue
        bare = token.replace("##", "").replace("▁", "")
        source = letters(tokenizer, text[start:end])
        # One character may become several pieces (½), and an accent of its own is read together with its letter.
        same = bare in source or source in bare
        assert same or unicodedata.combining(text[end : end + 1] or " ") or unicodedata.combining(text[start]), token


@MANY
@given(st.lists(TEXT, max_size=4), st.integers(6, 40))
def test_batch_equals_single(tokenizer: Tokenizer, texts: list[str], max_length: int) -> None:
    batch = tokenizer.encode_batch(texts, texts[::-1], max_length)
    assert batch == [tokenizer.encode(*pair, max_length) for pair in zip(texts, texts[::-1], strict=True)]
    assert all(len(encoded) <= max_length for encoded in batch)


@MANY
@given(st.text(st.characters(codec="ascii", categories=("Lu", "Ll", "Nd", "Zs")), max_size=60))
def test_plain_text_is_covered_without_gap(tokenizer: Tokenizer, text: str) -> None:
    encoded = tokenizer.encode(text)
    assert "".join(text[start:end] for start, end in encoded.offsets) == "".join(text.split())
