"""Spans: places that fit their text become entities in order; every other is named with what was expected."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertie.data.cells import CellError
from bertie.data.spans import (
    Entity,
    Relation,
    as_code_point,
    as_entities,
    as_relations,
    first_wide,
    in_order,
    needed_text,
    shown,
    utf16_places,
)
from tests.data.records import JSON

TEXT = "Bob met Ann."


def test_objects_lists_and_offsets_of_other_programs_are_the_same_entities() -> None:
    wanted = [Entity(start=0, end=3, label="PER")]
    for part in (
        {"start": 0, "end": 3, "label": "PER"},
        {"start_offset": 0, "end_offset": 3, "label": " PER ", "id": 7},
        [0, 3, "PER"],
        {"start": 0, "end": 3, "label": "PER", "text": "Bob"},
    ):
        assert as_entities([part], TEXT, "entities") == wanted
    assert as_entities([[4, 6, "地名"]], "鲍勃住在北京", "entities") == [Entity(start=4, end=6, label="地名")]


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        (TEXT, 5, "'entities' is the int 5, expected a list; write it in [ ]"),
        (TEXT, None, "'entities' is null, expected a list"),
        (TEXT, [3], '\'entities[0]\' is the int 3, expected {"start", "end", "label"} or'),
        (TEXT, [[0, 3]], "'entities[0]' has 2 parts, expected [start, end, label]"),
        (TEXT, [[0, 3, "a"], {"start": 0, "label": "a"}], "'entities[1]' has no 'end', expected one"),
        (
            TEXT,
            [["0", 3, "a"]],
            "'entities[0].start' is the text '0', expected a whole number; write it without quotes",
        ),
        (TEXT, [[0, True, "a"]], "'entities[0].end' is the bool True, expected a whole number"),
        (TEXT, [[0, 3.0, "a"]], "'entities[0].end' is the float 3.0, expected a whole number"),
        (TEXT, [[0, 10**400, "a"]], "'entities[0].end' is a number past 2^53"),
        (TEXT, [[0, 13, "a"]], "'entities[0]' is [0, 13), expected 0 <= start < end <= 12, the text's length; count"),
        (TEXT, [[3, 3, "a"]], "'entities[0]' is [3, 3), expected 0 <= start < end"),
        (TEXT, [[-1, 3, "a"]], "'entities[0]' is [-1, 3), expected"),
        (TEXT, [[0, 3, None]], "'entities[0].label' is empty, expected a label; fill it in"),
        (TEXT, [{"start": 0, "end": 3}], "'entities[0].label' is empty"),
        (TEXT, [[0, 3, ["a"]]], "'entities[0].label' is a list, expected one label"),
        (
            TEXT,
            [{"start": 1, "end": 4, "label": "a", "text": "Bob"}],
            "'entities[0].text' is 'Bob', but at [1, 4) stands 'ob ', expected the same; correct the numbers",
        ),
        (
            "鲍勃住在北京",
            [{"start": 3, "end": 5, "label": "地名", "text": "北京"}],
            "'entities[0].text' is '北京', but at [3, 5) stands '在北', expected the same",
        ),
        (TEXT, [{"start": 0, "end": 3, "label": "a", "text": 3}], "'entities[0].text' is the int 3, expected the text"),
        ("鲍勃", [[0, 3, "人名"]], "'entities[0]' is [0, 3), expected 0 <= start < end <= 2"),
    ],
)
def test_what_is_no_entity_is_named(text: str, value: Any, expected: str) -> None:
    with pytest.raises(CellError) as caught:
        as_entities(value, text, "entities")
    assert expected in str(caught.value)


def test_offsets_are_code_points_and_utf16_units_can_be_converted() -> None:
    text = "😀 Bob 住在𠮷野"
    assert as_entities([[2, 5, "PER"]], text, "e") == [Entity(start=2, end=5, label="PER")]
    places = utf16_places(text)
    assert [as_code_point(unit, places, "e") for unit in (3, 6, 9, 12)] == [2, 5, 8, 10]
    for bad in (1, 13, -1):
        with pytest.raises(CellError, match=f"'e' is {bad}, expected the border of a character, 0 to 12"):
            as_code_point(bad, places, "e")


def test_a_combining_character_counts_as_one() -> None:
    assert as_entities([[0, 5, "a"]], "Zoe\u0301!", "e") == [Entity(start=0, end=5, label="a")]
    with pytest.raises(CellError, match="<= 5"):
        as_entities([[0, 6, "a"]], "Zoe\u0301!", "e")


@given(st.text(max_size=12))
def test_utf16_places_are_those_of_the_encoding(text: str) -> None:
    places = utf16_places(text)
    for i in range(len(text) + 1):
        assert as_code_point(len(text[:i].encode("utf-16-le", "surrogatepass")) // 2, places, "x") == i
    assert all(character <= "\uffff" for character in text[: first_wide(text)])
    assert first_wide(text) == len(text) or text[first_wide(text)] > "\uffff"


def test_relations_follow_their_entities_when_these_are_sorted() -> None:
    entities = as_entities([[8, 11, "PER"], [0, 3, "PER"], [8, 11, "PER"]], TEXT, "entities")
    relations = as_relations([{"head": 1, "tail": 2, "label": "met"}, {"head": 1, "tail": 0, "label": "met"}], 3, "r")
    ordered, links = in_order(entities, relations)
    assert ordered == [Entity(start=0, end=3, label="PER"), Entity(start=8, end=11, label="PER")]
    assert links == [Relation(head=0, tail=1, label="met")]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([{"head": 0, "label": "a"}], "'r[0]' has no 'tail', expected one"),
        ([{"head": 0, "tail": 2, "label": "a"}], "'r[0].tail' is 2, expected the index of one of the 2 entities"),
        ([{"head": True, "tail": 1, "label": "a"}], "'r[0].head' is the bool True"),
        ([{"head": 0, "tail": 1}], "'r[0].label' is empty"),
        (["a"], "'r[0]' is the text 'a', expected an object"),
    ],
)
def test_a_relation_with_a_missing_or_wrong_side_is_named(value: Any, expected: str) -> None:
    with pytest.raises(CellError) as caught:
        as_relations(value, 2, "r")
    assert expected in str(caught.value)


def test_a_text_must_be_there_and_long_ones_are_quoted_short() -> None:
    assert needed_text({"text": ""}, "text") == ""
    for record, expected in [({}, "there is no 'text'"), ({"text": None}, "is null"), ({"text": 1}, "is the int 1")]:
        with pytest.raises(CellError, match=expected):
            needed_text(record, "text")
    assert len(shown("长" * 1000)) < 60


@given(JSON, st.text(max_size=12))
@settings(max_examples=80, deadline=None)
def test_any_json_is_entities_within_the_text_or_a_cell_error(value: Any, text: str) -> None:
    try:
        entities = as_entities(value, text, "entities")
    except CellError as error:
        str(error).encode()
    else:
        assert all(0 <= entity["start"] < entity["end"] <= len(text) for entity in entities)
