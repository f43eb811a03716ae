"""Row checks: records of JSON lines and of CSV become the same canonical rows; what cannot is named."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings

from bertie.data.cells import CellError
from bertie.data.row_checks import extraction, multiple_choice, question_answering, relation, tagging
from bertie.data.rows import Row
from tests.data.records import records


def names(*columns: str, **renamed: str) -> dict[str, str]:
    return {column: column for column in columns} | renamed


TOKENS = names("tokens", "tags")
SPANS = names("text", "entities")
PAIR = names("text", "head", "tail", "label")
MARKED = names("text", "label")
ALL = names("text", "entities", "relations")
QUESTION = names("context", "question", "answers", "id")
CHOICE = names("question", "choices", "answer", "context")


@pytest.mark.parametrize(
    ("record", "columns"),
    [
        ({"tokens": ["鲍", "勃", "met", "Ann"], "tags": ["B-人名", "I-人名", "O", "B-PER"]}, TOKENS),
        ({"tokens": "鲍 勃 met Ann", "tags": "B-人名 I-人名 O B-PER"}, TOKENS),
        ({"tokens": '["鲍", "勃", "met", "Ann"]', "tags": '["B-人名", "E-人名", "O", "S-PER"]'}, TOKENS),
        ({"词": ["鲍勃", "met", "Ann"], "标注": ["S-人名", "O", "S-PER"]}, names(tokens="词", tags="标注")),
        ({"text": "鲍勃 met Ann", "entities": [[7, 10, "PER"], [0, 2, "人名"]]}, SPANS),
        ({"text": "鲍勃 met Ann", "entities": '[[0, 2, "人名"], {"start": 7, "end": 10, "label": "PER"}]'}, SPANS),
    ],
)
def test_tagging(record: dict[str, Any], columns: Mapping[str, str]) -> None:
    entities = [{"start": 0, "end": 2, "label": "人名"}, {"start": 7, "end": 10, "label": "PER"}]
    assert tagging(record, columns) == {"text": "鲍勃 met Ann", "entities": entities}


def test_tags_of_a_file_need_its_scheme() -> None:
    record = {"tokens": ["Bob", "Ann"], "tags": ["I-PER", "B-PER"]}
    assert len(tagging(record, TOKENS, "IOB1")["entities"]) == 2
    with pytest.raises(CellError, match="tag 1 is 'I-PER' after the beginning of the sentence"):
        tagging(record, TOKENS)


@pytest.mark.parametrize(
    ("record", "columns"),
    [
        ({"text": "鲍勃住在北京", "head": {"start": 0, "end": 2}, "tail": {"start": 4, "end": 6}, "label": "住"}, PAIR),
        ({"text": "鲍勃住在北京", "head": [0, 2], "tail": [4, 6], "label": "住"}, PAIR),
        ({"text": "鲍勃住在北京", "head": "[0, 2]", "tail": '{"start": 4, "end": 6}', "label": " 住 "}, PAIR),
        ({"text": "鲍勃住在北京", "head": "鲍勃", "tail": "北京", "label": "住"}, PAIR),
        ({"text": "鲍勃住在北京", "head": {"start": 0, "end": 2, "text": "鲍勃"}, "tail": [4, 6], "label": "住"}, PAIR),
        ({"text": "<e1>鲍勃</e1>住在<e2>北京</e2>", "label": "住"}, MARKED),
        ({"句子": "[E1]鲍勃[/E1]住在[E2]北京[/E2]", "关系": "住"}, names(text="句子", label="关系")),
    ],
)
def test_relation(record: dict[str, Any], columns: Mapping[str, str]) -> None:
    row = {"text": "鲍勃住在北京", "head": {"start": 0, "end": 2}, "tail": {"start": 4, "end": 6}}
    assert relation(record, columns) == row | {"label": "住"}
    assert relation(record, columns, for_prediction=True) == row


def test_all_relations_of_a_text() -> None:
    record = {
        "text": "Bob met Ann",
        "entities": [[8, 11, "PER"], [0, 3, "PER"]],
        "relations": '[{"head": 1, "tail": 0, "label": "met"}]',
    }
    row = {
        "text": "Bob met Ann",
        "entities": [{"start": 0, "end": 3, "label": "PER"}, {"start": 8, "end": 11, "label": "PER"}],
        "relations": [{"head": 0, "tail": 1, "label": "met"}],
    }
    assert extraction(record, ALL) == relation(record, ALL) == row
    assert extraction({"text": "Bob met Ann"}, names("text"), for_prediction=True) == {"text": "Bob met Ann"}
    assert relation(record, ALL, for_prediction=True) == {"text": "Bob met Ann"}


def test_question_answering() -> None:
    record = {"context": "鲍勃1990年在北京", "question": "谁?", "answers": ["鲍勃"], "id": 7}
    row = {"context": "鲍勃1990年在北京", "question": "谁?", "answers": [{"text": "鲍勃", "start": 0}], "id": "7"}
    assert question_answering(record, QUESTION) == row
    assert question_answering(record | {"answers": {"text": ["北京"], "answer_start": [8]}}, QUESTION)["answers"] == [
        {"text": "北京", "start": 8}
    ]
    assert question_answering(record | {"answers": "", "id": ""}, QUESTION) == {
        "context": "鲍勃1990年在北京",
        "question": "谁?",
        "answers": [],
    }
    assert question_answering(record, QUESTION, for_prediction=True) == {k: v for k, v in row.items() if k != "answers"}


@pytest.mark.parametrize(
    ("record", "columns"),
    [
        ({"question": "首都?", "choices": ["上海", "北京"], "answer": 1, "context": "中国"}, CHOICE),
        ({"question": "首都?", "choices": '["上海", "北京"]', "answer": "B", "context": "中国"}, CHOICE),
        (
            {"question": "首都?", "A": "上海", "B": "北京", "C": "", "answer": "北京", "context": "中国"},
            names("question", "answer", "context", choice0="A", choice1="B", choice2="C"),
        ),
    ],
)
def test_multiple_choice(record: dict[str, Any], columns: Mapping[str, str]) -> None:
    row = {"question": "首都?", "choices": ["上海", "北京"], "answer": 1, "context": "中国"}
    assert multiple_choice(record, columns) == row
    assert multiple_choice(record, columns, for_prediction=True) == {k: v for k, v in row.items() if k != "answer"}


def test_choices_that_are_counted_from_one_and_no_context() -> None:
    record = {"question": "Capital?", "choices": ["Paris", "London"], "answer": "1", "context": " "}
    row = multiple_choice(record, CHOICE, first=1)
    assert row == {"question": "Capital?", "choices": ["Paris", "London"], "answer": 0}


@pytest.mark.parametrize(
    ("check", "columns", "record", "expected"),
    [
        (tagging, SPANS, {"text": "Bob"}, "there is no 'entities', expected one; add it or delete the row"),
        (tagging, SPANS, {"text": "Bob", "entities": "Bob"}, "'entities' is 'Bob', which is not valid JSON (Expecting"),
        (
            tagging,
            SPANS,
            {"text": "鲍勃", "entities": [[0, 3, "人名"]]},
            "'entities[0]' is [0, 3), expected 0 <= start",
        ),
        (
            tagging,
            names(tokens="词", tags="标注"),
            {"词": ["好", ""], "标注": []},
            "'词[1]' is empty, expected a token",
        ),
        (tagging, names(tokens="词", tags="标注"), {"词": ["好"], "标注": 5}, "'标注' is the int 5, expected a list"),
        (tagging, TOKENS, {"tokens": "a  b", "tags": "O O"}, "'tokens[1]' is empty"),
        (tagging, TOKENS, {"tokens": ["a"]}, "there is no 'tags'"),
        (relation, PAIR, {"text": "Bob", "head": [0, 3], "label": "a"}, "there is no 'tail', expected one"),
        (
            relation,
            PAIR,
            {"text": "Ann", "head": "Bob", "tail": [0, 1]},
            "'head' is 'Bob', which does not stand in the",
        ),
        (
            relation,
            PAIR,
            {"text": "Bob", "head": "[0, 1", "tail": [0, 1]},
            "'head' is '[0, 1', which is not valid JSON",
        ),
        (
            relation,
            PAIR,
            {"text": "Bob", "head": "", "tail": [0, 1]},
            "'head' is empty, expected a name that stands in",
        ),
        (
            relation,
            PAIR,
            {"text": "Bob and Bob", "head": [0, 3], "tail": "Bob"},
            "'tail' is 'Bob', which stands in the text 2 times, expected once; write its place as {\"start\": 0",
        ),
        (relation, PAIR, {"text": "Bob", "head": [0], "tail": [0, 1]}, "'head' is a list, expected {\"start\": 0,"),
        (relation, PAIR, {"text": "Bob", "head": [0, 4], "tail": [0, 1]}, "'head' is [0, 4), expected 0 <= start"),
        (relation, PAIR, {"text": "鲍勃", "head": {"start": 0}, "tail": [0, 1]}, "'head' has no 'end', expected one"),
        (
            relation,
            PAIR,
            {"text": "鲍勃", "head": {"start": 0, "end": 1, "text": "勃"}, "tail": [0, 1], "label": "住"},
            "'head.text' is '勃', but at [0, 1) stands '鲍', expected the same",
        ),
        (
            relation,
            PAIR,
            {"text": "Bob", "head": [0, 3], "tail": [0, 1], "label": ""},
            "'label' is empty, expected a la",
        ),
        (
            relation,
            PAIR,
            {"text": "Bob", "head": [0, 3], "tail": [0, 1], "label": ["a"]},
            "'label' is a list, expected",
        ),
        (relation, MARKED, {"text": "<e1>鲍勃</e1>住", "label": "住"}, "'text' has 0 markers <e2>, expected one each"),
        (extraction, ALL, {"text": "Bob", "entities": [], "relations": 5}, "'relations' is the int 5, expected a list"),
        (question_answering, QUESTION, {"question": "a", "answers": []}, "there is no 'context'"),
        (question_answering, QUESTION, {"context": "a", "question": "a"}, "there is no 'answers'"),
        (
            question_answering,
            QUESTION,
            {"context": "鲍勃", "question": "谁?", "answers": ["北京"]},
            "'answers[0]' is '北京', which does not stand in the passage",
        ),
        (
            question_answering,
            QUESTION,
            {"context": "a", "question": "a", "answers": [], "id": [1]},
            "'id' is a list, expected a text or a number",
        ),
        (multiple_choice, CHOICE, {"question": "a", "choices": ["a"]}, "there are 1 choices, expected two or more"),
        (multiple_choice, CHOICE, {"question": "", "choices": ["a", "b"]}, "'question' is empty"),
        (multiple_choice, CHOICE, {"question": "a", "choices": ["a", "b"]}, "there is no 'answer'"),
        (
            multiple_choice,
            CHOICE,
            {"question": "首都?", "choices": ["上海", "北京"], "answer": "广州"},
            "'answer' is '广州', which fits none of them; expected 0 to 1, A to B or the text",
        ),
    ],
)
def test_what_is_no_row_is_named(
    check: Callable[..., Row], columns: Mapping[str, str], record: dict[str, Any], expected: str
) -> None:
    with pytest.raises(CellError) as caught:
        check(record, columns)
    assert expected in str(caught.value)


CHECKS: list[tuple[Callable[..., Row], Mapping[str, str]]] = [
    *((tagging, TOKENS), (tagging, SPANS), (relation, PAIR), (relation, MARKED), (extraction, ALL)),
    *((question_answering, QUESTION), (multiple_choice, CHOICE)),
    (multiple_choice, names("question", "choice0", "choice1", "answer", "context")),
]


@pytest.mark.parametrize(("check", "columns"), CHECKS)
@given(
    records("text", "entities", "relations", "tokens", "tags", "head", "tail", "label", "answers", "choices", "answer")
)
@settings(max_examples=15, deadline=None)
def test_any_record_is_a_row_or_a_cell_error(
    check: Callable[..., Row], columns: Mapping[str, str], record: dict[str, Any]
) -> None:
    filled = {"text": "Bob met", "context": "Bob", "question": "a", "choices": ["a", "b"], **record}
    for for_prediction in (False, True):
        for candidate in (record, filled, {**filled, "head": [0, 3], "tail": [4, 7], "tokens": ["a"], "entities": []}):
            try:
                row = check(candidate, columns, for_prediction=for_prediction)
            except CellError as error:
                str(error).encode()
            else:
                json.dumps(row, ensure_ascii=False).encode()
