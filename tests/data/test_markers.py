"""Markers: taken out of a text, they leave the places of the two entities."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertie.data.cells import CellError
from bertie.data.markers import is_marked, unmarked


@pytest.mark.parametrize(
    ("text", "plain", "entities"),
    [
        ("<e1>Bob</e1> met <e2>Ann</e2>.", "Bob met Ann.", ("Bob", "Ann")),
        ("<e2>Ann</e2> met <e1>Bob</e1>", "Ann met Bob", ("Bob", "Ann")),
        ("[E1] Bob [/E1] met [E2] Ann [/E2] .", "Bob met Ann .", ("Bob", "Ann")),
        ("Then [E1] Bob [/E1] met [E2] Ann [/E2]", "Then Bob met Ann", ("Bob", "Ann")),
        ("[E1]鲍勃[/E1]住在[E2]北京[/E2]。", "鲍勃住在北京。", ("鲍勃", "北京")),
        ("😀<E1>鲍勃</E1>住在<E2>𠮷野</E2>", "😀鲍勃住在𠮷野", ("鲍勃", "𠮷野")),
        ("<e1>the <e2>Bank</e2> of China</e1>", "the Bank of China", ("the Bank of China", "Bank")),
        ("<e1>Bob</e1> wrote [E1] and <e2>[/E2]</e2>", "Bob wrote [E1] and [/E2]", ("Bob", "[/E2]")),
        ("<e1> Zoe\u0301 </e1>met<e2> Ann</e2>", "Zoe\u0301 met Ann", ("Zoe\u0301", "Ann")),
    ],
)
def test_known_sentences(text: str, plain: str, entities: tuple[str, str]) -> None:
    made, first, second = unmarked(text, "text")
    assert (made, (made[slice(*first)], made[slice(*second)])) == (plain, entities)
    assert is_marked(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Bob met Ann", "'text' has 0 markers <e1>, expected one each of <e1> </e1> <e2> </e2>; mark both entities or"),
        ("<e1>鲍勃</e1>住在北京", "'text' has 0 markers <e2>, expected"),
        ("[E1]鲍勃[/E1]住在[E2]北京", "'text' has 0 markers [/E2], expected one each of [E1] [/E1] [E2] [/E2]"),
        ("<e1>a</e1> <e1>b</e1> <e2>c</e2>", "'text' has 2 markers <e1>, expected"),
        ("<e1></e1> met <e2>Ann</e2>", "'text': nothing stands between two markers, expected the text of an entity"),
        ("</e1>Bob<e1> met <e2>Ann</e2>", "nothing stands between"),
    ],
)
def test_a_text_that_is_not_marked_right_is_named(text: str, expected: str) -> None:
    with pytest.raises(CellError) as caught:
        unmarked(text, "text")
    assert expected in str(caught.value)


WORDS = st.text("ab你 😀", min_size=1, max_size=5)


@given(WORDS, WORDS, WORDS, WORDS, WORDS)
def test_without_spaces_beside_markers_nothing_but_the_markers_goes(a: str, b: str, c: str, d: str, e: str) -> None:
    a, b, c, d, e = (f"x{part}x" for part in (a, b, c, d, e))
    text, first, second = unmarked(f"{a}<e1>{b}</e1>{c}<e2>{d}</e2>{e}", "text")
    assert text == a + b + c + d + e
    assert (text[slice(*first)], text[slice(*second)]) == (b, d)


@given(st.lists(st.sampled_from(["<e1>", "</e1>", "<e2>", "</e2>", "[E1]", " ", "a", "好"]), max_size=9).map("".join))
def test_any_text_has_two_places_or_a_cell_error(text: str) -> None:
    try:
        plain, *places = unmarked(text, "text")
    except CellError:
        return
    assert all(plain[start:end] == plain[start:end].strip() != "" for start, end in places)
