"""Answers: every form that files have them in becomes pieces of the passage; what is no piece of it is named."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertie.data.answers import as_answers, nearest, wording
from bertie.data.cells import CellError
from tests.data.records import JSON

PASSAGE = "Bob met Ann in 1990. Ann met Bob."
CHINESE = "😀鲍勃1990年在北京，北京很大。"


@pytest.mark.parametrize(
    "value",
    [
        [{"text": "Ann", "start": 8}],
        [{"text": "Ann", "answer_start": 8}],
        {"text": ["Ann"], "answer_start": [8]},
        {"text": ["Ann"], "start": [8]},
        {"text": "Ann", "answer_start": 8},
        {"text": "Ann"},
        ["Ann"],
        "Ann",
        '["Ann"]',
        '{"text": ["Ann"], "answer_start": [8]}',
        '[{"text": "Ann", "start": 8}]',
    ],
)
def test_every_form_is_the_same_answer(value: Any) -> None:
    assert as_answers(value, PASSAGE, "answers") == [{"text": "Ann", "start": 8}]


@pytest.mark.parametrize("value", [[], None, "", "[]", {"text": [], "answer_start": []}])
def test_no_answer(value: Any) -> None:
    assert as_answers(value, PASSAGE, "answers") == []


def test_places_count_code_points() -> None:
    assert as_answers([{"text": "北京", "start": 9}, "北京"], CHINESE, "answers") == [
        {"text": "北京", "start": 9},
        {"text": "北京", "start": 9},
    ]
    assert as_answers([{"text": "北京", "start": 12}], CHINESE, "answers") == [{"text": "北京", "start": 12}]


def test_a_text_that_only_looks_like_json_is_the_answer() -> None:
    for text in ("[1990]", "{x}", "[", '[1, "a"]'):
        assert as_answers(text, f"see {text}.", "answers") == [{"text": text, "start": 4}]


@pytest.mark.parametrize(
    ("passage", "value", "expected"),
    [
        (
            PASSAGE,
            ["Eve"],
            "'answers[0]' is 'Eve', which does not stand in the passage, expected a piece of it, letter",
        ),
        (CHINESE, ["上海"], "'answers[0]' is '上海', which does not stand in the passage"),
        (PASSAGE, [{"text": "Eve", "start": 0}], "'answers[0]' is 'Eve', which does not stand in the passage"),
        (
            PASSAGE,
            [{"text": "Ann", "start": 9}],
            "'answers[0]' is 'Ann' at 9, but it stands at 8, expected its place in characters from 0; correct the",
        ),
        (CHINESE, {"text": ["北京"], "answer_start": [10]}, "'answers[0]' is '北京' at 10, but it stands at 9"),
        (PASSAGE, [{"text": "Ann", "start": -1}], "'answers[0]' is 'Ann' at -1, but it stands at 8"),
        (PASSAGE, [{"text": "Ann", "start": True}], "'answers[0].start' is the bool True, expected a whole number"),
        (PASSAGE, [{"text": "Ann", "start": "8"}], "'answers[0].start' is the text '8'"),
        (PASSAGE, [{"start": 8}], "'answers[0]' has no 'text'"),
        (PASSAGE, [{"text": " ", "start": 3}], "'answers[0].text' is empty, expected a piece of the passage; for no"),
        (PASSAGE, [""], "'answers[0]' is empty"),
        (PASSAGE, [5], "'answers[0]' is the int 5, expected a list such as"),
        (PASSAGE, 5, "'answers' is the int 5, expected a list such as"),
        (PASSAGE, {"text": ["Ann"]}, "'answers' has no 'answer_start'"),
        (
            PASSAGE,
            {"text": ["Ann"], "answer_start": []},
            "'answers' has 1 texts and 0 starts, expected one start a text",
        ),
        (PASSAGE, {"text": ["Ann"], "answer_start": 8}, "'answers.answer_start' is the int 8, expected a list"),
    ],
)
def test_what_is_no_answer_is_named(passage: str, value: Any, expected: str) -> None:
    with pytest.raises(CellError) as caught:
        as_answers(value, passage, "answers")
    assert expected in str(caught.value)


@given(st.text("ab", max_size=12), st.text("ab", min_size=1, max_size=3), st.one_of(st.none(), st.integers(-3, 15)))
def test_the_nearest_place_is_the_nearest_of_all(passage: str, text: str, start: int | None) -> None:
    places = [i for i in range(len(passage)) if passage.startswith(text, i)]
    found = nearest(passage, text, start)
    if not places:
        assert found == -1
    else:
        near = 0 if start is None else min(max(start, 0), len(passage))
        assert found in places
        assert abs(found - near) == min(abs(place - near) for place in places)


def test_a_question_is_not_empty() -> None:
    assert wording({"question": " Who? "}, "question") == " Who? "
    for value in ("", "\u3000", None):
        with pytest.raises(CellError, match=r"'question' is (empty|null), expected a text"):
            wording({"question": value}, "question")


@given(JSON, st.text(max_size=12))
@settings(max_examples=80, deadline=None)
def test_any_json_is_pieces_of_the_passage_or_a_cell_error(value: Any, passage: str) -> None:
    try:
        answers = as_answers(value, passage, "answers")
    except CellError as error:
        str(error).encode()
    else:
        assert all(passage.startswith(answer["text"], answer["start"]) for answer in answers)
