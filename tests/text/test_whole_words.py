"""Whole words: nothing is cut where words have spaces, nothing but accents is added where they have none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertie.text.whole_words import Place, WholeWords, _goes_on


def walked(text: str, start: int, end: int) -> Place:
    """The same a character at a time, from the place to both sides."""
    inside = text[start:end]
    start, end = start + len(inside) - len(inside.lstrip()), end - len(inside) + len(inside.rstrip())
    if start >= end:
        return start, start
    while start > 0 and _goes_on(text, start):
        start -= 1
    while end < len(text) and _goes_on(text, end):
        end += 1
    return start, end


@pytest.mark.parametrize(
    ("text", "part", "expected"),
    [
        ("in Normandy, 1066", "rmand", "Normandy"),
        ("in Normandy, 1066", ", 10", ", 1066"),
        ("  good  ", "  good ", "good"),
        ("它是iPhone手机", "Phone手", "iPhone手"),
        ("很好", "好", "好"),
        ("ความรัก", "าม", "าม"),
        ("a b", " ", ""),
        ("Ünter Straße", "nter", "Ünter"),
        ("le cafe\u0301 noir", "cafe", "cafe\u0301"),
        ("in Zu\u0308rich", "rich", "Zu\u0308rich"),
        ("in Zu\u0308rich", "\u0308", "Zu\u0308rich"),
        ("\u0301a b", "a", "a"),
        ("很☀\ufe0f好", "☀", "☀\ufe0f"),
        ("好👩\u200d🚒快", "👩", "👩\u200d🚒"),
        ("好👩\u200d🚒快", "🚒快", "👩\u200d🚒快"),
        ("好\u200d 快", "好", "好\u200d"),
    ],
)
def test_borders(text: str, part: str, expected: str) -> None:
    start, end = WholeWords(text)(text.index(part), text.index(part) + len(part))
    assert text[start:end] == expected


@given(st.text(st.sampled_from("aZ9é 好。\n\ud800\u0301\u200d\ufe0f"), max_size=12), st.data())
def test_twice_changes_nothing_more(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    once = WholeWords(text)(start, end)
    assert 0 <= once[0] <= once[1] <= len(text) and WholeWords(text)(*once) == once
    assert text[start:end].strip() in text[slice(*once)]
    assert walked(text, start, end) == once


def test_a_word_as_long_as_the_text_is_looked_at_once() -> None:
    words = WholeWords("a" * 99_000)
    assert {words(place, place + 5) for place in range(0, 90_000, 10)} == {(0, 99_000)}
