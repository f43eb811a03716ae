"""SQuAD: questions of every version become rows; one that cannot is named by its id, what was mended is counted."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given, settings

from bertie.core.errors import DataError
from bertie.data import squad_reader
from bertie.data.squad_reader import looks_like_squad, read_squad
from bertie.data.table import Table
from tests.data.records import JSON

PASSAGE = "Bob met Ann in 1990. Ann met Bob."


def read(value: Any, for_prediction: bool = False) -> tuple[Table, list[str]]:
    table = Table("a.json")
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    notes = read_squad(io.StringIO(text), table, for_prediction)
    return table, notes


def squad(*questions: Any, context: Any = PASSAGE) -> dict[str, Any]:
    return {"version": "1", "data": [{"title": "t", "paragraphs": [{"context": context, "qas": list(questions)}]}]}


def question(*answers: Any, identity: Any = "q1", **more: Any) -> dict[str, Any]:
    return {"id": identity, "question": "Who?", "answers": list(answers), **more}


def test_squad_1_and_2() -> None:
    table, notes = read(
        squad(
            question({"text": "Ann", "answer_start": 8}, {"text": "Ann", "answer_start": 21}),
            question(identity="q2", is_impossible=True, plausible_answers=[{"text": "Bob", "answer_start": 0}]),
            question({"text": "Bob", "answer_start": 0}, identity=3, is_impossible=False),
        )
    )
    assert table.records == [
        {
            "context": PASSAGE,
            "question": "Who?",
            "answers": [{"text": "Ann", "start": 8}, {"text": "Ann", "start": 21}],
            "id": "q1",
        },
        {"context": PASSAGE, "question": "Who?", "answers": [], "id": "q2"},
        {"context": PASSAGE, "question": "Who?", "answers": [{"text": "Bob", "start": 0}], "id": "3"},
    ]
    assert (table.lines, table.problems, notes) == ([1, 2, 3], [], [])
    assert table.header == ["context", "question", "answers", "id"]


def test_questions_that_bring_their_passages() -> None:
    """As the question-answering example of transformers reads a file, and `datasets` has SQuAD."""
    answers = {"text": ["Ann"], "answer_start": [8]}
    table, notes = read(
        {"version": "1", "data": [{"id": "a", "context": PASSAGE, "question": "Who?", "answers": answers}]}
    )
    row = {"context": PASSAGE, "question": "Who?", "answers": [{"text": "Ann", "start": 8}], "id": "a"}
    assert (table.records, table.problems, notes) == ([row], [], [])


def test_cmrc_nested_and_flat() -> None:
    passage = "《战国无双3》由光荣开发😀，玩家很多。"
    nested = squad(question({"text": "光荣", "answer_start": 8}, identity="DEV_0"), context=passage)
    flat = [
        {
            "context_id": "DEV_0",
            "context_text": passage,
            "title": "战国无双3",
            "qas": [{"query_id": "DEV_0", "query_text": "Who?", "answers": ["光荣"]}],
        }
    ]
    wanted = {"context": passage, "question": "Who?", "answers": [{"text": "光荣", "start": 8}], "id": "DEV_0"}
    assert passage[8:10] == "光荣"
    for value in (nested, nested["data"], flat, "\ufeff" + json.dumps(flat).replace("\n", "\r\n")):
        assert read(value) == (read(nested)[0], [])
        assert read(value)[0].records == [wanted]


def test_a_place_that_is_wrong_is_mended_and_counted() -> None:
    table, notes = read(
        squad(
            question({"text": "Ann", "answer_start": 10}),
            question({"text": "Ann", "answer_start": 19}, {"text": "Bob", "answer_start": 0}),
            question({"text": "Bob", "answer_start": 99}),
        )
    )
    assert [record["answers"][0]["start"] for record in table.records] == [8, 21, 29]
    assert notes == [
        "a.json: 3 answers do not stand at their answer_start; the nearest place with the same text was taken"
    ]


def test_answers_without_a_place_that_stand_there_several_times_are_counted() -> None:
    table, notes = read(squad({"query_text": "Who?", "answers": ["Ann", "in 1990"]}))
    assert table.records == [
        {
            "context": PASSAGE,
            "question": "Who?",
            "answers": [{"text": "Ann", "start": 8}, {"text": "in 1990", "start": 12}],
        }
    ]
    assert notes == [
        "a.json: 1 answers come without a place and stand in the passage several times; the first place was taken"
    ]


def test_a_question_that_is_impossible_has_no_answers_whatever_it_lists() -> None:
    table, notes = read(
        squad(
            question({"text": "", "answer_start": -1}, is_impossible=True),
            question({"text": "Ann", "answer_start": 8}, is_impossible=True),
            {"question": "Who?", "is_impossible": True},
        )
    )
    assert [record["answers"] for record in table.records] == [[], [], []]
    assert notes == ["a.json: 1 questions are is_impossible and yet have answers; they were read as having none"]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (question({"text": "Eve", "answer_start": 0}), "question 'q1': 'answers[0]' is 'Eve', which does not stand in"),
        (
            question("上海", identity="问一"),
            "question '问一': 'answers[0]' is '上海', which does not stand in the passage",
        ),
        ({"id": "q1", "question": "Who?"}, "question 'q1': there is no 'answers', expected one"),
        ({"question": "Who?"}, "data[0].paragraphs[0].qas[0]: there is no 'answers'"),
        (question(is_impossible="true"), "question 'q1': 'is_impossible' is the text 'true', expected true or false"),
        ({"id": "q1", "question": " ", "answers": []}, "question 'q1': 'question' is empty, expected a text"),
        ({"id": "q1", "answers": []}, "question 'q1': there is no 'question'"),
        (question({"text": "Ann", "answer_start": 8.0}), "question 'q1': 'answers[0].start' is the float 8.0"),
        (question({"text": "", "answer_start": 0}), "question 'q1': 'answers[0].text' is empty"),
        (7, "data[0].paragraphs[0].qas[0]: 'data[0].paragraphs[0].qas[0]' is the int 7, expected an object"),
    ],
)
def test_a_question_that_cannot_be_read_is_named_and_costs_itself(asked: Any, expected: str) -> None:
    table, _ = read(squad(question({"text": "Ann", "answer_start": 8}), asked, question(identity="q3")))
    expected = expected.replace("qas[0]", "qas[1]")
    assert [record["id"] for record in table.records] == ["q1", "q3"]
    assert [(line, what[: len(expected)]) for line, what in table.problems] == [(2, expected)]


@pytest.mark.parametrize(
    ("article", "expected"),
    [
        (5, "data[0]: 'data[0]' is the int 5, expected an object"),
        ({}, "data[0]: 'data[0]' has no 'paragraphs'"),
        ({"paragraphs": [5]}, "data[0].paragraphs[0]: 'data[0].paragraphs[0]' is the int 5"),
        ({"paragraphs": [{"context": "a"}]}, "data[0].paragraphs[0]: 'data[0].paragraphs[0]' has no 'qas'"),
        ({"paragraphs": [{"context": " ", "qas": [question()]}]}, "question 'q1': 'context' is empty"),
        ({"paragraphs": [{"qas": [question()]}]}, "question 'q1': there is no 'context'"),
        ({"paragraphs": [{"context": 3, "qas": [question()]}]}, "question 'q1': 'context' is the int 3"),
    ],
)
def test_what_is_wrong_above_the_questions_is_one_problem(article: Any, expected: str) -> None:
    table, _ = read({"data": [article, *squad(question(identity="fine"))["data"]]})
    assert [record["id"] for record in table.records] == ["fine"]
    assert [what[: len(expected)] for _, what in table.problems] == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '{"data": [\n{"paragraphs": }]}',
            r"a.json:2: this is not valid JSON \(Expecting value at character 16\); repair",
        ),
        ("", "a.json:1: this is not valid JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("5", "found the int 5, expected .* as in SQuAD"),
        ('{"data": 5}', "found an object whose 'data' is no list"),
    ],
)
def test_a_file_that_is_no_squad_is_refused(text: str, expected: str) -> None:
    with pytest.raises(DataError, match=expected):
        read(text)


def test_a_file_past_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(squad_reader, "FILE_LIMIT", 100)
    with pytest.raises(DataError, match=r"a.json: more than 100 characters, expected at most that; split the file"):
        read(squad(question()))


def test_for_prediction_answers_are_not_read() -> None:
    table, _ = read(squad({"id": "q1", "question": "Who?"}, question("nonsense", is_impossible=3)), for_prediction=True)
    assert table.problems == []
    assert table.records[0] == {"context": PASSAGE, "question": "Who?", "id": "q1"}


@pytest.mark.parametrize(
    ("text", "looks"),
    [
        (json.dumps(squad(question())), True),
        ("\ufeff" + json.dumps(squad(question()), indent=2), True),
        ('{"data": []}', True),
        ('[{"context_id": "a", "context_text": "文", "qas": []}]', True),
        ('[{"title": "a", "paragraphs": []}]', True),
        ('{"text": "a", "label": "b"}\n', False),
        ('{"text": "say \\"data\\": [{", "label": "b"}\n', False),
        ('[{"data": {"text": "a"}, "annotations": []}]', False),
        ('[{"context": "a", "question": "b", "answers": []}]', False),
        ("", False),
    ],
)
def test_what_looks_like_squad(text: str, looks: bool) -> None:
    stream = io.StringIO(text)
    assert looks_like_squad(stream) is looks
    assert stream.tell() == 0


@given(JSON)
@settings(max_examples=80, deadline=None)
def test_any_json_is_rows_or_problems(value: Any) -> None:
    for candidate in (value, {"data": [value]}, squad(value), squad(question(value)), squad(question(), context=value)):
        try:
            table, _ = read(json.dumps(candidate))
        except DataError:
            continue
        assert len(table.records) == len(table.lines)
        for record in table.records:
            assert all(record["context"].startswith(part["text"], part["start"]) for part in record["answers"])
        str(table.problems).encode()
