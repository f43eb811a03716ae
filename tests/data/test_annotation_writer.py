"""Annotation writer: what is written is read back as the same rows, and what a format cannot hold is named."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertie.core.errors import DataError
from bertie.data.annotation_reader import Program, program_of, read_annotations
from bertie.data.annotation_writer import Written, to_conll, to_doccano, to_label_studio, to_spans
from bertie.data.conll_reader import read_conll
from bertie.data.json_reader import json_records
from bertie.data.rows import Row, Rows
from bertie.data.spans import Entity, in_order
from bertie.data.table import Table
from bertie.data.tags import SCHEMES, Scheme, tags_of_token_spans
from bertie.data.tokens import join

WRITERS: dict[Program, Callable[[Rows], Written]] = {
    "doccano": to_doccano,
    "spans": to_spans,
    "label_studio": to_label_studio,
}
LABELS = st.sampled_from(["PER", "地名", "my label"])
TOKENS = st.sampled_from(["Bob", "U.S.", ",", "，", "你", "北京", "5G", "#", "#a", "😀", "e\u0301", "𠮷", "\u3000"])


def conll(written: Written) -> list[Row]:
    table = Table("a.conll")
    read_conll(io.StringIO(written.content, newline=None), table)
    assert table.problems == []
    return table.records


def program(written: Written, wanted: Program) -> list[Row]:
    table = Table("a.jsonl")
    table.fill(json_records(io.StringIO(written.content, newline=None), table))
    assert program_of(table.records) in (wanted, None, "spans")
    made, _ = read_annotations(table, wanted)
    assert made.problems == []
    names = ("text", "entities", "relations")
    return [{name: record[name] for name in names if name in record} for record in made.records]


@st.composite
def token_rows(draw: st.DrawFn) -> Row:
    """Rows as they come out of tokens: no entity shares a token with another."""
    tokens, entities, first = draw(st.lists(TOKENS, min_size=1, max_size=7)), list[Entity](), 0
    offsets = join(tokens).offsets
    while first < len(tokens):
        last = draw(st.integers(first, len(tokens) - 1))
        if draw(st.booleans()):
            entities.append(Entity(start=offsets[first][0], end=offsets[last][1], label=draw(LABELS)))
        first = last + 1
    return {"text": join(tokens).text, "entities": entities}


@st.composite
def span_rows(draw: st.DrawFn) -> Row:
    """Rows as people annotate them: any text, nested entities."""
    text = draw(st.text(st.sampled_from("aB ,.\n\r\t你好。😀𠮷\u0301\u200d\\n\ufeff"), max_size=12))
    entities = []
    for _ in range(draw(st.integers(0, 3)) if text else 0):
        start = draw(st.integers(0, len(text) - 1))
        entities.append(Entity(start=start, end=draw(st.integers(start + 1, len(text))), label=draw(LABELS)))
    return {"text": text, "entities": in_order(entities)[0]}


@given(st.lists(token_rows(), min_size=1, max_size=4), st.sampled_from(SCHEMES))
@settings(max_examples=80, deadline=None)
def test_rows_of_tokens_through_conll_and_back_are_the_same(rows: list[Row], scheme: Scheme) -> None:
    rows = [*rows, {"text": "Bob met 你", "entities": []}]  # a word, so that not all tokens are characters
    written = to_conll(Rows(rows), scheme)
    assert written.notes == []
    table = Table("a.conll")
    read_conll(io.StringIO(written.content, newline=None), table, scheme)
    assert (table.records, table.problems) == (rows, [])


@given(st.lists(span_rows(), min_size=1, max_size=4))
@settings(max_examples=80, deadline=None)
def test_any_rows_through_the_other_formats_and_back_are_the_same(rows: list[Row]) -> None:
    assert program(to_doccano(Rows(rows)), "doccano") == rows
    assert program(to_spans(Rows(rows)), "spans") == rows
    assert program(to_label_studio(Rows(rows)), "label_studio") == rows


@given(st.lists(span_rows(), min_size=1, max_size=3))
@settings(max_examples=80, deadline=None)
def test_any_rows_to_conll_keep_every_entity_or_are_named(rows: list[Row]) -> None:
    try:
        made = conll(to_conll(Rows(rows)))
    except DataError as error:
        assert "rows:" in str(error)
        return
    for row, back in zip(rows, made, strict=True):
        assert _bare(row) == _bare(back)


def _bare(row: Row) -> list[tuple[str, str]]:
    """The entities without what is around them and without their spaces."""
    texts = ((row["text"][part["start"] : part["end"]], part["label"]) for part in row["entities"])
    return [("".join(text.replace("\ufeff", "").split()), label) for text, label in texts]


def test_conll_of_english_and_chinese() -> None:
    rows = Rows(
        [
            {"text": "Peter Blackburn left .", "entities": [{"start": 0, "end": 15, "label": "PER"}]},
            {"text": "彭小军住北京", "entities": [{"start": 4, "end": 6, "label": "地名"}]},
        ]
    )
    bio = "Peter\tB-PER\nBlackburn\tI-PER\nleft\tO\n.\tO\n\n彭\tO\n小\tO\n军\tO\n住\tO\n北\tB-地名\n京\tI-地名\n\n"
    assert to_conll(rows) == Written(bio)
    bioes = bio.replace("I-PER", "E-PER").replace("I-地名", "E-地名")
    assert to_conll(rows, "BIOES").content == bioes
    assert conll(to_conll(rows, "BIOES")) == list(rows)


def test_a_text_as_it_was_written_is_cut_at_marks_in_the_whole_file() -> None:
    rows = Rows(
        [
            {"text": "However, U.S. sales rose.", "entities": []},
            {"text": "我在Berlin，很好。", "entities": [{"start": 2, "end": 8, "label": "地名"}]},
        ],
        "a.jsonl",
        [1, 2],
    )
    written = to_conll(rows)
    assert [record["text"] for record in conll(written)] == ["However , U . S . sales rose .", "我在 Berlin ， 很好 。"]
    assert written.notes == [
        "a.jsonl:2: the text is not a join of whole tokens, as CoNLL needs it; all rows were cut into words, Han "
        "characters and marks, so offsets into them are others"
    ]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (
            {
                "text": "中国 银行",
                "entities": [{"start": 0, "end": 5, "label": "机构"}, {"start": 0, "end": 2, "label": "国"}],
            },
            "a.jsonl:7: two entities, '国' and '机构', share token 1, expected one tag a token; keep one of them",
        ),
        (
            {"text": "Berlin", "entities": [{"start": 0, "end": 3, "label": "X"}]},
            "a.jsonl:7: the entity 'Ber' (X) at [0, 3) cuts token 1, 'Berlin' at [0, 6), expected whole tokens",
        ),
        (
            {"text": " ", "entities": []},
            "a.jsonl:7: the text ' ' has no token, expected one at least for CoNLL; delete",
        ),
        ({"text": "-DOCSTART-", "entities": []}, "a.jsonl:7: -DOCSTART- is a token, which begins a document in CoNLL"),
        (
            {"text": "好", "entities": [{"start": 0, "end": 1, "label": "a\tb"}]},
            "a.jsonl:7: the label 'a\\tb' holds a tab, a line end or the like; rename it",
        ),
        ({"text": "Bob", "label": "good"}, "a.jsonl:7: the row has no 'entities', expected a tagging row"),
    ],
)
def test_a_row_that_conll_cannot_hold_is_named(row: Row, expected: str) -> None:
    with pytest.raises(DataError) as caught:
        to_conll(Rows([{"text": "fine", "entities": []}, row], "a.jsonl", [3, 7]))
    assert [problem[: len(expected)] for problem in caught.value.problems] == [expected]


def test_every_format_names_a_row_without_entities() -> None:
    for write in (to_conll, *WRITERS.values()):
        with pytest.raises(DataError, match="rows:1: the row has no 'entities'"):
            write(Rows([{"text": "好"}]))
        assert write(Rows([])).notes == []


def test_relations_are_kept_where_the_format_has_them() -> None:
    row: dict[str, Any] = {
        "text": "鲍勃住在北京",
        "entities": [{"start": 0, "end": 2, "label": "人名"}, {"start": 4, "end": 6, "label": "地名"}],
        "relations": [{"head": 0, "tail": 1, "label": "住"}],
    }
    rows = [row, {"text": "好", "entities": [], "relations": []}]
    for name, write in WRITERS.items():
        assert program(write(Rows(rows)), name) == rows


def test_what_other_programs_need_is_there() -> None:
    rows = Rows([{"text": "😀 鲍勃", "entities": [{"start": 2, "end": 4, "label": "人名"}]}])
    assert to_doccano(rows).content == '{"text": "😀 鲍勃", "label": [[2, 4, "人名"]]}\n'
    task = json.loads(to_label_studio(rows).content)[0]
    assert task["data"] == {"text": "😀 鲍勃"}
    assert task["annotations"][0]["result"] == [
        {
            "id": "e0",
            "from_name": "label",
            "to_name": "text",
            "type": "labels",
            "value": {"start": 2, "end": 4, "text": "鲍勃", "labels": ["人名"]},
        }
    ]


CHARACTERS = st.sampled_from([*"你好北京人民大学", "，", "2", "A", "b", "#", "😀", "\u3000"])


@given(st.data(), st.sampled_from(SCHEMES))
@settings(max_examples=80, deadline=None)
def test_chinese_files_of_characters_come_back_as_they_were(data: st.DataObject, scheme: Scheme) -> None:
    """Their rows have no spaces but where an entity would cut a word; the file has the same lines again."""
    sentences, first = [], list("在北京和人民大学")
    for _ in range(data.draw(st.integers(1, 4))):
        tokens = data.draw(st.lists(CHARACTERS, min_size=1, max_size=7))
        start = data.draw(st.integers(0, len(tokens) - 1))
        spans = [(start, data.draw(st.integers(start + 1, len(tokens))), data.draw(LABELS))]
        sentences.append((tokens, tags_of_token_spans(spans, len(tokens), scheme)))
    sentences.append((first * 4, ["O"] * 4 * len(first)))
    lines = [[f"{token}\t{tag}\n" for token, tag in zip(*sentence, strict=True)] for sentence in sentences]
    content = "".join("".join(sentence) + "\n" for sentence in lines)
    table = Table("a.conll")
    read_conll(io.StringIO(content, newline=None), table, scheme)
    assert table.problems == [] and table.records[-1]["text"] == "".join(first) * 4
    assert to_conll(Rows(table.records), scheme) == Written(content)


def test_chinese_texts_are_written_as_characters() -> None:
    rows = Rows(
        [
            {"text": "在北京的NBA，2019年开始", "entities": [{"start": 4, "end": 7, "label": "机构"}]},
            {"text": "很好", "entities": []},
        ]
    )
    written = to_conll(rows)
    assert written.content.startswith("在\tO\n北\tO\n京\tO\n的\tO\nN\tB-机构\nB\tI-机构\nA\tI-机构\n，\tO\n2\tO\n")
    assert conll(written) == list(rows) and written.notes == []
    spaced = to_conll(Rows([*rows, {"text": "很 好", "entities": []}], "a.jsonl", [1, 2, 3]))
    assert spaced.notes[0].startswith("a.jsonl:1: the text is not a join of whole tokens")
