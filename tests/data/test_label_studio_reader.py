"""Label Studio: tasks become rows; offsets behind an emoji are read in the way that the stated texts show."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from bertie.data.cells import CellError
from bertie.data.label_studio_reader import (
    CONVERTED,
    OTHER_RESULTS,
    SEVERAL,
    UNDECIDED,
    UnfinishedError,
    label_studio_row,
)
from tests.data.records import records


def region(start: Any, end: Any, label: Any, text: Any = None, identity: str = "a") -> dict[str, Any]:
    value = {"start": start, "end": end, "labels": label if isinstance(label, list) else [label]}
    return {"id": identity, "type": "labels", "value": value | ({} if text is None else {"text": text})}


def task(text: Any, *results: Any, cancelled: Any = False) -> dict[str, Any]:
    return {"data": {"text": text}, "annotations": [{"was_cancelled": cancelled, "result": list(results)}]}


def entity(start: int, end: int, label: str) -> dict[str, Any]:
    return {"start": start, "end": end, "label": label}


def test_tasks_in_english_and_chinese() -> None:
    assert label_studio_row(task("Bob met Ann", region(8, 11, "PER", "Ann"), region(0, 3, "PER", "Bob"))) == (
        {"text": "Bob met Ann", "entities": [entity(0, 3, "PER"), entity(8, 11, "PER")]},
        [],
    )
    assert label_studio_row(task("鲍勃在北京", region(3, 5, ["地名", "城市"], "北京")))[0]["entities"] == [
        entity(3, 5, "地名"),
        entity(3, 5, "城市"),
    ]


@pytest.mark.parametrize(
    ("text", "results", "place", "remarks"),
    [
        ("😀 Bob 你好", [region(2, 5, "X", "Bob")], (2, 5), []),
        ("😀 Bob 你好", [region(3, 6, "X", "Bob")], (2, 5), [CONVERTED]),
        ("𠮷野家在北京", [region(5, 7, "X", "北京")], (4, 6), [CONVERTED]),
        ("😀 Bob 你好", [region(2, 5, "X")], (2, 5), [UNDECIDED]),
        ("Bob 😀", [region(0, 3, "X")], (0, 3), []),
        ("Zoe\u0301 met", [region(0, 4, "X", "Zoe\u0301")], (0, 4), []),
        ("😀哈哈哈", [region(2, 3, "X", "哈")], (2, 3), []),  # both ways fit: what versions since 1.4 mean
    ],
)
def test_offsets_behind_characters_of_two_units(
    text: str, results: list[Any], place: tuple[int, int], remarks: list[str]
) -> None:
    row, said = label_studio_row(task(text, *results))
    assert (row["entities"], said) == ([entity(*place, "X")], remarks)


def test_one_region_decides_for_the_whole_task() -> None:
    row, said = label_studio_row(task("😀 Bob 😀 Ann", region(3, 6, "X", "Bob"), region(10, 13, "X")))
    assert [row["text"][part["start"] : part["end"]] for part in row["entities"]] == ["Bob", "Ann"]
    assert said == [CONVERTED]


def test_a_region_that_fits_neither_way_is_named_in_characters() -> None:
    with pytest.raises(
        CellError, match=r"'annotations\[0\].result\[0\].value.text' is 'Bob', but at \[4, 7\) stands 'b 你'"
    ):
        label_studio_row(task("😀 Bob 你好", region(4, 7, "X", "Bob")))


@pytest.mark.parametrize(
    ("text", "stated"),
    [("a\nb", "a\\nb"), ("a\r\nb", "a\\n\\nb"), ("a\r\nb", "a\r\nb"), (r"C:\new", r"C:\new"), ("a\nb", "a\nb")],
)
def test_ends_of_lines_in_a_stated_text(text: str, stated: str) -> None:
    assert label_studio_row(task(text, region(0, len(text), "X", stated)))[0]["entities"] == [entity(0, len(text), "X")]


def test_the_first_annotation_that_is_not_cancelled_is_taken() -> None:
    record = task("Bob", region(0, 1, "WRONG"), cancelled=True)
    record["annotations"] += [{"result": [region(0, 3, "PER")]}, {"was_cancelled": False, "result": []}]
    assert label_studio_row(record) == ({"text": "Bob", "entities": [entity(0, 3, "PER")]}, [SEVERAL])
    assert label_studio_row(task("Bob"))[0] == {"text": "Bob", "entities": []}


@pytest.mark.parametrize("annotations", [[], [{"was_cancelled": True, "result": []}]])
def test_a_task_that_nobody_finished_is_no_row(annotations: list[Any]) -> None:
    with pytest.raises(UnfinishedError, match="expected one; annotate the task"):
        label_studio_row({"data": {"text": "Bob"}, "annotations": annotations})


def relation(head: str, tail: str, direction: str, *labels: str) -> dict[str, Any]:
    return {"type": "relation", "from_id": head, "to_id": tail, "direction": direction, "labels": list(labels)}


def test_relations_go_in_their_direction() -> None:
    regions = [region(8, 11, "PER", identity="b"), region(0, 3, "PER", identity="a")]
    for direction, ways in [("right", [(0, 1)]), ("left", [(1, 0)]), ("bi", [(0, 1), (1, 0)])]:
        row, _ = label_studio_row(task("Bob met Ann", *regions, relation("a", "b", direction, "met")))
        assert row["relations"] == [{"head": head, "tail": tail, "label": "met"} for head, tail in ways]


def test_other_results_are_left_out_with_a_remark() -> None:
    choice = {"id": "c", "type": "choices", "value": {"choices": ["good"]}}
    assert label_studio_row(task("Bob", region(0, 3, "PER"), choice))[1] == [OTHER_RESULTS]


def choice(*labels: Any, question: str = "mood", **place: int) -> dict[str, Any]:
    return {"from_name": question, "type": "choices", "value": {"choices": list(labels), **place}}


def test_choices_for_a_text_without_regions_are_its_label() -> None:
    assert label_studio_row(task("很好", choice("正面"))) == ({"text": "很好", "entities": [], "label": "正面"}, [])
    several = {"text": "Bob", "entities": [], "label": ["good", "fast"]}
    assert label_studio_row(task("Bob", choice("good", "fast"))) == (several, [])
    rating = {"type": "rating", "value": {"rating": 3}}
    assert label_studio_row(task("Bob", choice("good"), rating)) == ({**several, "label": "good"}, [OTHER_RESULTS])
    none = {"text": "Bob", "entities": []}
    for results in ([choice("good"), choice("sport", question="topic")], [choice("good", start=0, end=3)], [rating]):
        assert label_studio_row(task("Bob", *results)) == (none, [OTHER_RESULTS])


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (task("Bob", {"type": "choices"}), "'annotations[0].result[0].value' is null, expected an object"),
        (task("Bob", choice(None)), "value.choices[0]' is empty, expected a label"),
        ({}, "there is no 'data', expected one"),
        ({"data": {"text": "a"}}, "there is no 'annotations'"),
        ({"data": "a", "annotations": []}, "'data' is the text 'a', expected an object"),
        (task(None), "'text' is null, expected a text"),
        (task("Bob", cancelled="no"), "'annotations[0].was_cancelled' is the text 'no', expected true or false"),
        (task("Bob", 7), "'annotations[0].result[0]' is the int 7, expected an object"),
        (task("Bob", region(0, 4, "a")), "'annotations[0].result[0].value' is [0, 4), expected 0 <= start < end <= 3"),
        (task("Bob", region(2, 1, "a")), "is [2, 1), expected"),
        (task("Bob", region("0", 1, "a")), "'annotations[0].result[0].value.start' is the text '0', expected a whole"),
        (task("Bob", region(False, 1, "a")), "value.start' is the bool False"),
        (task("Bob", region(0, 1, [])), "value.labels' is empty, expected a label; choose one or delete the region"),
        (task("Bob", region(0, 1, [None])), "value.labels[0]' is empty"),
        (task("鲍勃", region(0, 1, "人名", "勃")), "value.text' is '勃', but at [0, 1) stands '鲍', expected the same"),
        (task("Bob", region(0, 1, "a", 3)), "value.text' is the int 3"),
        (task("Bob", region(0, 1, "a"), relation("a", "z", "right", "x")), ".to_id' is the text 'z', expected the id"),
        (task("Bob", region(0, 1, "a"), {"type": "relation", "from_id": "a"}), "has no 'to_id'"),
        (task("Bob", region(0, 1, "a"), relation("a", "a", "up", "x")), ".direction' is the text 'up', expected right"),
        (task("Bob", region(0, 1, "a"), relation("a", "a", "right")), ".labels' is empty, expected what the first is"),
    ],
)
def test_what_is_no_task_is_named(record: dict[str, Any], expected: str) -> None:
    with pytest.raises(CellError) as caught:
        label_studio_row(record)
    assert expected in str(caught.value)


@given(records("data", "annotations"))
@settings(max_examples=60, deadline=None)
def test_any_record_is_a_row_or_a_cell_error(record: dict[str, Any]) -> None:
    result = {"id": "a", "type": "labels", "value": record}
    for candidate in (record, task("😀Bob", record), task("😀Bob", result), task("😀Bob", result, record)):
        try:
            row, _ = label_studio_row(candidate)
        except CellError as error:
            str(error).encode()
        else:
            assert all(0 <= part["start"] < part["end"] <= len(row["text"]) for part in row["entities"])
