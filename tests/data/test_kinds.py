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
    assert "read 'body' as text, 'y' as label" in judged.notes[-2]
    assert judged.notes[-1] == f"{reviews}: not used: 'text', 'label'"


def test_a_column_that_a_kind_does_not_have_cannot_be_named(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", {"context": "It is red.", "question": "Which?", "answer": "red"})
    with pytest.raises(UsageError, match="named for text, but question_answering is read from context,question,answ"):
        read_rows(path, Columns(text="context"), kind="question_answering")
    with pytest.raises(UsageError, match="named for text_a and text_b, but tagging is read from text or tokens; "):
        unlabelled_rows(path, ReadOptions(columns=Columns(text_a="context", text_b="question"), kind="tagging"))
    with pytest.raises(DataError, match=r"there is no column 'body'; found 'context', .*; give one to --text-column"):
        unlabelled_rows(path, ReadOptions(columns=Columns(text="body"), kind="embedding"))


@pytest.mark.parametrize("kind", ["tagging", "intent_slots"])
def test_to_predict_a_text_goes_before_its_tokens(kind: str, tmp_path: Path) -> None:
    """Joined tokens are another text, into which the places of the answer would point."""
    both = write(tmp_path / "both.jsonl", {"text": "Ann moved.", "tokens": ["Ann", "moved", "."], "entities": []})
    assert list(unlabelled(both, kind=kind)) == [{"text": "Ann moved."}]
    counted = write(tmp_path / "counted.jsonl", {"id": 1, "text": "Ann moved.", "words": 2})
    assert list(unlabelled(counted, kind=kind)) == [{"text": "Ann moved."}]
    alone = write(tmp_path / "alone.jsonl", {"tokens": ["Ann", "moved", "."]})
    assert list(unlabelled(alone, kind=kind)) == [{"text": "Ann moved ."}]


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


ARC = {"text": ["京", "沪"], "label": ["A", "B"]}


@pytest.mark.parametrize(
    ("record", "row"),
    [
        ({"premise": "a", "choice1": "b", "choice2": "c", "question": "cause", "label": "choice2"}, ("a", "cause", 1)),
        ({"premise": "a", "choice1": "b", "choice2": "c", "question": "cause", "label": 0}, ("a", "cause", 0)),
        ({"id": 1, "question": "q", "question_concept": "x", "choices": ARC, "answerKey": "B"}, (None, "q", 1)),
        ({"question_stem": "q", "choices": ARC, "answerKey": "A"}, (None, "q", 0)),
        ({"sent1": "a", "sent2": "she", "ending0": "b", "ending1": "c", "label": 1}, ("a", "she", 1)),
        ({"ind": 4, "ctx": "a", "endings": ["b", "c"], "label": "1"}, (None, "a", 1)),
        ({"goal": "q", "sol1": "b", "sol2": "c", "label": 0}, (None, "q", 0)),
    ],
    ids=["COPA of the hub", "COPA", "CommonsenseQA", "OpenBookQA", "SWAG", "HellaSwag", "PIQA"],
)
def test_the_known_sets_of_choices_are_read(
    record: dict[str, Any], row: tuple[str | None, str, int], tmp_path: Path
) -> None:
    rows = read_rows(write(tmp_path / "rows.jsonl", record, {**record, "label" if "label" in record else "n": 0}))
    assert rows.kind == "multiple_choice" and len(rows[0]["choices"]) == 2
    assert (rows[0].get("context"), rows[0]["question"], rows[0]["answer"]) == row


@pytest.mark.parametrize("kind", sorted(set(LINES) - {"labels", "extraction"}))
def test_columns_that_are_not_read_are_told(kind: str, tmp_path: Path) -> None:
    """Those beside annotations are not: such programs write many of their own."""
    record = LINES[kind][0]
    path = write(tmp_path / "rows.jsonl", {**record, "source": "a"})
    assert f"{path}: not used: 'source'" in read_rows(path).notes
    assert not any("not used" in note for note in read_rows(path, Columns(beside="source")).notes)
    assert not any("not used" in note for note in unlabelled(path, kind=kind).notes)
    bare = write(tmp_path / "bare.jsonl", record)
    assert not any("not used" in note for note in read_rows(bare).notes)


def test_choices_with_a_context_are_no_passage_with_an_answer(tmp_path: Path) -> None:
    first = {"context": "甲在京", "question": "在哪？", "choices": ["京", "沪"], "answer": 0}
    rows = read_rows(write(tmp_path / "rows.jsonl", first, {"question": "2 + 2", "choices": ["3", "4"], "answer": 1}))
    assert (rows.kind, rows[0], "context" in rows[1]) == ("multiple_choice", first, False)


@pytest.mark.parametrize("kind", sorted(LINES))
def test_the_columns_that_were_read_are_remembered(kind: str, tmp_path: Path) -> None:
    record, _ = LINES[kind]
    names = read_rows(write(tmp_path / "rows.jsonl", record, record)).names
    assert names and set(names.values()) <= set(record)


def test_columns_that_a_model_learned_from_go_before_common_names(tmp_path: Path) -> None:
    """Where a file has them, and a person names no other ones."""
    places = [{"start": 3, "end": 7, "label": "city"}]
    path = write(tmp_path / "posts.jsonl", {"text": "raw", "Clean": "go Rome", "tokens": ["x"], "entities": places})
    learned = {"text": "Clean", "entities": "entities"}
    for columns, expected in (
        (Columns(learned=learned), "go Rome"),
        (Columns(learned=learned, text="text"), "raw"),
        (Columns(learned={"text": "body", "entities": "entities"}), "raw"),
        (Columns(), "raw"),
    ):
        assert list(unlabelled_rows(path, ReadOptions(columns=columns, kind="tagging"))) == [{"text": expected}]
    for columns in (Columns(learned=learned), Columns(text="clean")):
        judged = read_rows(path, columns, kind="tagging")
        assert (list(judged), judged.names) == ([{"text": "go Rome", "entities": places}], learned)
    pairs = write(tmp_path / "pairs.jsonl", {"text": "t", "q": "asked", "positive": "p"})
    options = ReadOptions(columns=Columns(learned={"query": "q", "positive": "positive"}), kind="embedding")
    assert list(unlabelled_rows(pairs, options)) == [{"query": "asked"}]
    judged = read_rows(pairs, options.columns, kind="embedding")
    assert list(judged) == [{"query": "asked", "positive": "p"}]


ARC = {"text": ["leaf", "root"], "label": ["A", "B"]}


@pytest.mark.parametrize(
    ("record", "row"),
    [
        (
            {"premise": "It rained.", "choice1": "wet", "choice2": "dry", "question": "effect", "label": "choice1"},
            {"question": "effect", "choices": ["wet", "dry"], "answer": 0, "context": "It rained."},
        ),
        (
            {"premise": "下雨了", "choice1": "地湿了", "choice2": "地干了", "question": "effect", "idx": 0, "label": 0},
            {"question": "effect", "choices": ["地湿了", "地干了"], "answer": 0, "context": "下雨了"},
        ),
        (
            {"id": "1", "question": "Which?", "choices": ARC, "answerKey": "B"},
            {"question": "Which?", "choices": ["leaf", "root"], "answer": 1},
        ),
        (
            {"question_stem": "It drinks by its", "choices": ARC, "answerKey": "B"},
            {"question": "It drinks by its", "choices": ["leaf", "root"], "answer": 1},
        ),
        (
            {"sent1": "He sits.", "sent2": "He", "ending0": "reads.", "ending1": "flies.", "label": "0"},
            {"question": "He", "choices": ["reads.", "flies."], "answer": 0, "context": "He sits."},
        ),
        (
            {"ctx_a": "He sits.", "ctx_b": "he", "ctx": "He sits. he", "endings": ["reads.", "flies."], "label": "0"},
            {"question": "He sits. he", "choices": ["reads.", "flies."], "answer": 0},
        ),
        (
            {"goal": "Dry it.", "sol1": "Wash it.", "sol2": "Hang it up.", "label": 1},
            {"question": "Dry it.", "choices": ["Wash it.", "Hang it up."], "answer": 1},
        ),
    ],
)
def test_the_known_sets_of_multiple_choice_are_read_as_they_are(
    record: dict[str, Any], row: dict[str, Any], tmp_path: Path
) -> None:
    """COPA as CSV and from the hub, ARC, OpenBookQA, SWAG, HellaSwag and PIQA."""
    rows = read_rows(write(tmp_path / "rows.jsonl", record, record))
    assert (rows.kind, list(rows)) == ("multiple_choice", [row, row])


def test_columns_that_nobody_reads_are_told_of_every_kind(tmp_path: Path) -> None:
    for kind in sorted(set(LINES) - {"labels"}):
        record = LINES[kind][0]
        path = write(tmp_path / f"{kind}.jsonl", {**record, "mood": 1, "doc": "a"}, {**record, "doc": "b"})
        assert f"{path}: not used: 'mood', 'doc'" in read_rows(path, kind=kind).notes
        assert f"{path}: not used: 'mood'" in read_rows(path, Columns(beside="doc"), kind=kind).notes
        assert not any("not used" in note for note in unlabelled(path, kind=kind).notes)
