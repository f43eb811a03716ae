"""Targets: the places of a name are those that a pattern finds, in a time that no text can stretch."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bertie.data.cells import CellError
from bertie.data.targets import places_of

LETTER = r"[A-Za-z0-9\u00c0-\u024f]"
TEXT = st.text("aA-中é ", max_size=30)


def by_pattern(target: str, text: str) -> list[tuple[int, int]]:
    plain = re.escape(target)
    for pattern in (rf"(?<!{LETTER}){plain}(?!{LETTER})", plain):
        if places := [match.span() for match in re.finditer(pattern, text)]:
            return places
    return []


@given(TEXT, st.text("aA-中é ", min_size=1, max_size=5))
@example("ba-a-a", "a-a")  # what does not stand alone hides none that does
@example("-----", "--")
@example("aaAaaab", "aaab")
def test_the_places_are_those_that_a_pattern_finds(text: str, target: str) -> None:
    expected = by_pattern(target, text) if target.strip() else []
    if expected:
        assert places_of(target, text) == expected
        return
    with pytest.raises(CellError, match="does not stand in the text" if target.strip() else "is empty"):
        places_of(target, text)


@pytest.mark.parametrize(
    ("text", "target"),
    [("-" * 400_000 + "b", "-" * 200_000 + "b"), ("a" * 400_000, "a" * 200_000), ("a-" * 200_000, "a-" * 100_000)],
)
def test_no_text_takes_long(text: str, target: str) -> None:
    began = time.monotonic()
    assert places_of(target, text)
    assert time.monotonic() - began < 3.0
