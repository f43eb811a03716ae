"""Choices: a list or a column each; an answer as number, letter or text, never a guess between two readings."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertie.data.cells import CellError
from bertie.data.choices import as_answer, as_choices, choice_columns, first_number, numbered
from tests.data.records import JSON

CHOICES = ["London", "Paris", "北京"]
NAMES = {"choices": "options"}


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        (["question", "choice0", "choice1", "choice2", "answer"], ["choice0", "choice1", "choice2"]),
        (["question", "Choice 1", "Choice 2", "answer"], ["Choice 1", "Choice 2"]),
        (["A", "B", "C", "D", "answer"], ["A", "B", "C", "D"]),
        (["optionB", "optionA", "question"], ["optionA", "optionB"]),
        (["context", "ending0", "ending1", "label"], ["ending0", "ending1"]),
        (["sol1", "sol2", "label"], ["sol1", "sol2"]),
        (["问题", "选项A", "选项B", "选项Ｃ", "答案"], ["选项A", "选项B", "选项Ｃ"]),
        (["choice0", "choice2"], []),
        (["A", "text"], []),
        (["1", "2"], []),
        (["question", "answer"], []),
        ([f"choice{i}" for i in range(12)], [f"choice{i}" for i in range(12)]),
    ],
)
def test_columns_of_choices_are_found(header: list[str], columns: list[str]) -> None:
    assert choice_columns(header) == {f"choice{i}": name for i, name in enumerate(columns)}


def test_a_list_an_object_with_labels_and_columns() -> None:
    assert as_choices({"options": CHOICES}, NAMES) == (CHOICES, None)
    assert as_choices({"options": '["是", "否"]'}, NAMES) == (["是", "否"], None)
    assert as_choices({"options": {"text": CHOICES, "label": ["1", "2", "3"]}}, NAMES) == (CHOICES, ["1", "2", "3"])
    columns = {f"choice{i}": name for i, name in enumerate("ABCDEFGHIJKL")}
    record = dict(zip("ABCDEFGHIJKL", ["x", "y", *"cdefghij", "", None], strict=True))
    assert as_choices(record, columns) == (["x", "y", *"cdefghij"], None)


@pytest.mark.parametrize(
    ("record", "names", "expected"),
    [
        ({}, NAMES, "there is no 'options', expected one"),
        ({"options": ["a"]}, NAMES, "there are 1 choices, expected two or more; add them or delete the row"),
        ({"options": []}, NAMES, "there are 0 choices"),
        ({"options": "是, 否"}, NAMES, "'options' is the text '是, 否', expected a list"),
        ({"options": ["a", " "]}, NAMES, "'options[1]' is empty, expected a choice; fill it in or remove it"),
        ({"options": ["a", 2]}, NAMES, "'options[1]' is the int 2, expected a text"),
        ({"options": {"text": ["a", "b"]}}, NAMES, "'options' has no 'label'"),
        ({"options": {"text": ["a", "b"], "label": ["A"]}}, NAMES, "'options' has 2 texts and 1 labels, expected one"),
        ({"options": {"text": ["a", "b"], "label": ["A", ""]}}, NAMES, "'options.label[1]' is empty"),
        ({"A": "", "B": "b", "C": "c"}, choice_columns(["A", "B", "C"]), "'A' is empty, expected a choice"),
    ],
)
def test_what_are_no_choices_is_named(record: dict[str, Any], names: dict[str, str], expected: str) -> None:
    with pytest.raises(CellError) as caught:
        as_choices(record, names)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("value", "index"),
    [(0, 0), (2, 2), ("B", 1), ("b", 1), (" Ｃ ", 2), ("1", 1), ("１", 1), ("Paris", 1), ("北京", 2), (" 北京", 2)],
)
def test_an_answer_as_number_letter_or_text(value: Any, index: int) -> None:
    assert as_answer(value, CHOICES, "answer", None) == index


def test_numbers_from_one_and_marks_of_the_file() -> None:
    assert [as_answer(value, CHOICES, "answer", None, first=1) for value in (1, "3", "A")] == [0, 2, 0]
    assert [as_answer(value, CHOICES, "answer", ["1", "2", "3"]) for value in ("1", "3", "Paris")] == [0, 2, 1]


@pytest.mark.parametrize(
    ("value", "choices", "expected"),
    [
        (
            3,
            CHOICES,
            "'answer' is 3, which is none of them; expected 0 to 2, A to C or the text of one of the 3 choices",
        ),
        (-1, CHOICES, "'answer' is -1, which is none of them"),
        (True, CHOICES, "'answer' is the bool True, expected a whole number"),
        (1.0, CHOICES, "'answer' is the float 1.0"),
        (None, CHOICES, "'answer' is null"),
        ("上海", CHOICES, "'answer' is '上海', which fits none of them; expected 0 to 2, A to C or the text"),
        ("", CHOICES, "'answer' is '', which fits none of them"),
        ("D", CHOICES, "'answer' is 'D', which fits none"),
        ("3", CHOICES, "'answer' is '3', which fits none"),
        ("A", ["B", "A"], "'answer' is 'A', which fits choices 0, 1 from 0"),
        ("1", ["1", "2", "3"], "'answer' is '1', which fits choices 0, 1 from 0"),
        ("是", ["是", "是"], "'answer' is '是', which fits choices 0, 1 from 0"),
    ],
)
def test_an_answer_that_is_none_or_could_be_two_is_named(value: Any, choices: list[str], expected: str) -> None:
    with pytest.raises(CellError) as caught:
        as_answer(value, choices, "answer", None)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("answers", "first"),
    [
        ([(1, 2), (2, 2)], 1),
        ([("1", 4), ("4", 4)], 1),
        ([(0, 2), (2, 2)], 0),
        ([(1, 4), ("4", 3), (2, 2)], 1),
        ([(1, 4), (3, 4)], None),
        ([("A", 4), (True, 1), (None, 2)], None),
        ([], None),
    ],
)
def test_from_where_a_file_counts(answers: list[tuple[Any, int]], first: int | None) -> None:
    assert first_number(numbered(answers)) == first


@given(JSON, JSON, st.integers(0, 1))
@settings(max_examples=80, deadline=None)
def test_any_json_is_a_choice_or_a_cell_error(value: Any, answer: Any, first: int) -> None:
    first_number(numbered([(answer, 3)]))
    for record in (
        {"options": value},
        {"options": [value, "b", "0"]},
        {"options": {"text": ["a", "b"], "label": value}},
    ):
        try:
            choices, marks = as_choices(record, NAMES)
            assert 0 <= as_answer(answer, choices, "answer", marks, first) < len(choices)
        except CellError as error:
            str(error).encode()


def test_an_answer_may_be_the_name_of_its_column() -> None:
    names = ["choice1", "Choice 2"]
    for value, index in (("choice1", 0), ("choice_2", 1), ("0", 0), ("B", 1), ("late", 1)):
        assert as_answer(value, ["soon", "late"], "label", None, columns=names) == index
    with pytest.raises(CellError, match="'label' is 'choice1', which fits choices 0, 1 from 0"):
        as_answer("choice1", ["a", "choice1"], "label", None, columns=names)
