"""Kinds: columns tell what rows are, in English and Chinese, and one kind is never taken for another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bertie.core.errors import DataError, UsageError
from bertie.data.columns import Columns
from bertie.data.readers import read_rows
from bertie.data.sources import ReadOptions
from bertie.data.unlabelled import unlabelled_rows
from tests.data.records import unlabelled

LINES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "labels": ({"text": "good", "label": "a"}, {"text": "good", "label": "a"}),
    "tagging": (
        {"tokens": ["我", "在", "北", "京"], "tags": ["O", "O", "B-LOC", "I-LOC"]},
        {"text": "我在北京", "entities": [{"start": 2, "end": 4, "label": "LOC"}]},
    ),
    "intent_slots": (
        {"tokens": ["订", "北", "京"], "tags": ["O", "B-city", "I-city"], "意图": "订票"},
        {"text": "订北京", "entities": [{"start": 1, "end": 3, "label": "city"}], "label": "订票"},
    ),
    "relation": (
        {"句子": "<e1>甲公司</e1>收购<e2>乙公司</e2>", "关系": "收购"},
        {"text": "甲公司收购乙公司", "head": {"start": 0, "end": 3}, "tail": {"start": 5, "end": 8}, "label": "收购"},
    ),
    "extraction": (
        {
            "text": "A owns B",
            "entities": [{"start": 0, "end": 1, "label": "ORG"}, {"start": 7, "end": 8, "label": "ORG"}],
            "relations": [{"head": 0, "tail": 1, "label": "owns"}],
        },
        {
            "text": "A owns B",
            "entities": [{"start": 0, "end": 1, "label": "ORG"}, {"start": 7, "end": 8, "label": "ORG"}],
            "relations": [{"head": 0, "tail": 1, "label": "owns"}],
        },
    ),
    "question_answering": (
        {"passage": "It is red.", "question": "Which?", "answer": "red"},
        {"context": "It is red.", "question": "Which?", "answers": [{"text": "red", "start": 6}]},
    ),
    "multiple_choice": (
        {"question": "2 + 2", "A": "3", "B": "4", "answer": "B"},
        {"question": "2 + 2", "choices": ["3", "4"], "answer": 1},
    ),
    "target_sentiment": (
        {"句子": "甲公司涨，乙公司跌", "实体": "乙公司", "情感": "负面"},
        {"text": "甲公司涨，乙公司跌", "target": "乙公司", "label": "负面"},
    ),
    "embedding": ({"query": "q", "positive": "p"}, {"query": "q", "positive": "p"}),
    "reranking": (
        {"query": "问", "candidates": '["甲", "乙"]', "positives": ["甲", "甲"]},
        {"query": "问", "candidates": ["甲", "乙"], "positives": ["甲"]},
    ),
}


def write(path: Path, *records: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", sorted(LINES))
def test_the_columns_tell(kind: str, tmp_path: Path) -> None:
    record, row = LINES[kind]
    rows = read_rows(write(tmp_path / "rows.jsonl", record, record))
    assert (rows.kind, rows[0], rows.where(1)) == (kind, row, f"{tmp_path / 'rows.jsonl'}:2")


@pytest.mark.parametrize("kind", sorted(set(LINES) - {"labels"}))
def test_nothing_that_is_to_be_predicted_is_needed(kind: str, tmp_path: Path) -> None:
    record, row = LINES[kind]
    gold = {"tags", "entities", "relations", "关系", "意图", "情感", "answer", "positive", "positives"}
    asked = {name: value for name, value in record.items() if name not in gold}
    rows = unlabelled(write(tmp_path / "rows.jsonl", asked), kind=kind)
    assert rows[0].items() <= {**row, "text": row.get("text", "")}.items()


@pytest.mark.parametrize("label", ["label", "intent", "意图"])
def test_entities_beside_a_label_are_slots(label: str, tmp_path: Path) -> None:
    """In a file of spans too, which the reader of annotations has in its hands; and as doccano writes them."""
    spans = {"text": "book Rome", "entities": [{"start": 5, "end": 9, "label": "city"}], label: "book"}
    expected = {"text": "book Rome", "entities": [{"start": 5, "end": 9, "label": "city"}], "label": "book"}
    for number, record in enumerate((spans, {**spans, "entities": [[5, 9, "city"]]})):
        rows = read_rows(write(tmp_path / f"rows{number}.jsonl", record, {**record, "entities": []}))
        assert (rows.kind, list(rows)) == ("intent_slots", [expected, {**expected, "entities": []}])
    path = write(tmp_path / "slots.jsonl", spans, {**spans, label: ["a", "b"]}, {"text": "", "entities": []})
    with pytest.raises(DataError, match=rf"slots.jsonl:2: there is no '{label}'.*\n.*slots.jsonl:3: there is no"):
        read_rows(path)
    assert read_rows(path, kind="tagging").kind == "tagging"


def test_a_bad_row_is_named_with_its_line(tmp_path: Path) -> None:
    good, bad = LINES["tagging"][0], {"tokens": ["我"], "tags": ["B-LOC", "O"]}
    path = write(tmp_path / "标注.jsonl", good, bad)
    with pytest.raises(DataError, match=r"标注.jsonl:2: there are 1 tokens and 2 tags"):
        read_rows(path)
    kept = read_rows(path, skip_bad_rows=True)
    assert len(kept) == 1 and "1 bad rows skipped" in kept.notes[-1]


def test_missing_columns_are_said(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", {"text": "a", "label": "b"})
    with pytest.raises(DataError, match=r"found 'text', 'label', expected tokens,tags or text,entities for tagging"):
        read_rows(path, kind="tagging")
    with pytest.raises(UsageError, match="rows of kind 'poem' do not exist; there are labels, "):
        read_rows(path, kind="poem")


def test_a_column_that_is_named_is_the_text_of_any_kind(tmp_path: Path) -> None:
    """Beside one that has the usual name; of a file to predict the label is not looked for."""
    path = write(tmp_path / "posts.jsonl", {"id": 1, "text": "title", "query": "q", "positive": "p", "Body": "right"})
    for kind in ("embedding", "tagging"):
        options = ReadOptions(columns=Columns(text="body", label="id"), kind=kind)
        assert list(unlabelled_rows(path, options)) == [{"text": "right"}]
    assert list(read_rows(path, Columns(text="body"), kind="embedding")) == [{"text": "right"}]
    reviews = write(
        tmp_path / "reviews.jsonl", {"text": "no", "body": "good", "target": "good", "label": "no", "y": "1"}
    )
    judged = read_rows(reviews, Columns(text="body", label="y"), kind="target_sentiment")
    assert list(judged) == [{"text": "good", "target": "good", "label": "1"}]
    assert "read 'body' as text, 'y' as label" in judged.notes[-1]


def test_a_column_that_a_kind_does_not_have_cannot_be_named(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", {"context": "It is red.", "question": "Which?", "answer": "red"})
    with pytest.raises(UsageError, match="named for text, but question_answering is read from context,question,answ"):
        read_rows(path, Columns(text="context"), kind="question_answering")
    with pytest.raises(UsageError, match="named for text_a and text_b, but tagging is read from tokens or text; "):
        unlabelled_rows(path, ReadOptions(columns=Columns(text_a="context", text_b="question"), kind="tagging"))
    with pytest.raises(DataError, match=r"there is no column 'body'; found 'context', .*; give one to --text-column"):
        unlabelled_rows(path, ReadOptions(columns=Columns(text="body"), kind="embedding"))


def test_files_of_their_own_format(tmp_path: Path) -> None:
    (tmp_path / "train.conll").write_text("EU B-ORG\nrejects O\n\nBonn B-LOC\n", encoding="utf-8")
    tagged = read_rows(tmp_path / "train.conll")
    assert (tagged.kind, tagged[1]["entities"]) == ("tagging", [{"start": 0, "end": 4, "label": "LOC"}])
    question = {"id": "q1", "question": "颜色？", "answers": [{"text": "红色", "answer_start": 3}]}
    squad = {"version": "1", "data": [{"paragraphs": [{"context": "它是深红色。", "qas": [question]}]}]}
    (tmp_path / "train.json").write_text(json.dumps(squad, ensure_ascii=False), encoding="utf-8")
    asked = read_rows(tmp_path / "train.json")
    assert (asked.kind, asked[0]["answers"]) == ("question_answering", [{"text": "红色", "start": 3}])
    doccano = {"text": "张三在京", "label": [[0, 2, "PER"]]}
    assert read_rows(write(tmp_path / "doccano.jsonl", doccano)).kind == "tagging"


def test_embeddings_are_learned_from_three_forms_and_reranking_from_two(tmp_path: Path) -> None:
    scored = write(tmp_path / "scored.jsonl", {"sentence1": "a", "sentence2": "b", "score": 4.5})
    assert read_rows(scored, kind="embedding")[0] == {"text_a": "a", "text_b": "b", "label": "4.5"}
    alone = write(tmp_path / "alone.jsonl", {"文本": "好", "n": 1})
    assert read_rows(alone, kind="embedding")[0] == {"text": "好"}
    pairs = write(tmp_path / "pairs.jsonl", {"question": "q", "answer": "p"})
    assert read_rows(pairs, kind="reranking")[0] == {"query": "q", "positive": "p"}
    assert unlabelled(pairs, kind="reranking")[0] == {"query": "q", "text": "p"}


@pytest.mark.parametrize(
    ("candidates", "message"),
    [([], "'candidates' is empty, expected a list"), (["a", " "], r"candidates\[1\] is empty"), ("a", "JSON")],
)
def test_candidates_are_a_list_of_texts(candidates: object, message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", {"query": "q", "candidates": candidates, "positives": ["a"]})
    with pytest.raises(DataError, match=message):
        read_rows(path)


def test_choices_with_a_context_are_no_passage_with_an_answer(tmp_path: Path) -> None:
    first = {"context": "甲在京", "question": "在哪？", "choices": ["京", "沪"], "answer": 0}
    rows = read_rows(write(tmp_path / "rows.jsonl", first, {"question": "2 + 2", "choices": ["3", "4"], "answer": 1}))
    assert (rows.kind, rows[0], "context" in rows[1]) == ("multiple_choice", first, False)
