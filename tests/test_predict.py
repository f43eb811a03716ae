"""The Predictor: order, notes, batches, streams."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bertie.bundle.folder import Model
from bertie.core.errors import DataError, UsageError
from bertie.data.rows import Rows
from bertie.nn import checkpoint
from bertie.predict import Predictor, load
from bertie.tasks.classification import Classification
from bertie.tasks.relation import Relation
from bertie.text.tokenizer import Tokenizer
from tests.bundle.making import PAIRS, ROWS, SEVERAL, save_tiny, tiny_model_of


@pytest.fixture(scope="module")
def predictor(tiny_model: Path) -> Predictor:
    return Predictor(tiny_model_of(ROWS, tiny_model))


def test_answers_are_equal_alone_in_a_batch_and_in_any_order(predictor: Predictor) -> None:
    texts = ["good", "a very bad film " * 5, "服务很好", "", "slow", "food " * 20]
    together = predictor.predict(texts)
    for text, answer in zip(texts, together, strict=True):
        alone = predictor.predict([text])[0]
        assert alone["label"] == answer["label"]
        assert alone["score"] == pytest.approx(answer["score"], abs=1e-5)
        assert alone.get("note") == answer.get("note")
    assert [answer["label"] for answer in predictor.predict(texts[::-1])] == [a["label"] for a in together[::-1]]


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("", "the text is empty"),
        (" \n\t ", "the text is empty"),
        ("🙂🙃🎉", "no part of the text is in the model's vocabulary"),
        ("ᚠᚢᚦ ꀀꀁ", "no part of the text is in the model's vocabulary"),
        ("good " * 200, "the text was cut at 64 tokens"),
    ],
)
def test_strange_texts_get_an_answer_and_a_note(predictor: Predictor, text: str, note: str) -> None:
    answer = predictor.predict([text])[0]
    assert answer["label"] in ("positive", "negative")
    assert answer["note"] == note


def test_of_a_text_of_more_windows_than_are_read_it_is_said_how_far(tiny_model: Path) -> None:
    task = Classification.from_rows(ROWS, {"long_texts": "windows"})
    task.build_head(32)
    predictor = Predictor(Model(checkpoint.load(tiny_model).encoder, task, Tokenizer.from_folder(tiny_model), 32))
    long, short = predictor.predict(["good food " * 1000, "good food " * 30])
    pieces = 30 + 63 * 23  # 64 windows, each of which shows 23 new ones
    assert long["note"] == f"only the first {5 * pieces - 1:,} characters were read" and "note" not in short


def test_plain_texts_have_no_note(predictor: Predictor) -> None:
    assert "note" not in predictor.predict(["good food"])[0]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(), max_size=80), min_size=1, max_size=6))
def test_no_text_of_unicode_breaks_it(predictor: Predictor, texts: list[str]) -> None:
    answers = predictor.predict(texts)
    assert len(answers) == len(texts)
    assert all(sum(answer["scores"].values()) == pytest.approx(1.0, abs=1e-4) for answer in answers)


@pytest.mark.parametrize("rows", [ROWS, SEVERAL], ids=["one label", "several"])
def test_bfloat16_gives_the_same_labels(rows: Rows, tiny_model: Path) -> None:
    """An untrained model is unsure of nearly everything: what rounding could change is computed again."""
    model = tiny_model_of(rows, tiny_model)
    texts = [f"{word} food {n} 服务" for n in range(20) for word in ("good", "bad", "slow", "很慢")]
    exact, rounded = (Predictor(model, dtype=dtype).predict(texts) for dtype in (torch.float32, torch.bfloat16))
    name = "labels" if rows is SEVERAL else "label"
    assert [answer[name] for answer in rounded] == [answer[name] for answer in exact]


def test_only_unsure_rows_are_computed_again(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = Predictor(tiny_model_of(ROWS, tiny_model), dtype=torch.bfloat16)
    texts = ["good", "bad", "slow food"]
    exact = Predictor(predictor.model).predict(texts)
    monkeypatch.setattr(predictor.task, "unsure", lambda answer: False)
    rounded = predictor.predict(texts)
    monkeypatch.setattr(predictor.task, "unsure", lambda answer: answer == rounded[1])
    again = predictor.predict(texts)
    assert again[0] == rounded[0] != exact[0]
    assert again[1]["score"] == pytest.approx(exact[1]["score"], abs=1e-6)


def test_a_bundle_may_be_loaded_in_bfloat16(tiny_model: Path, tmp_path: Path) -> None:
    save_tiny(ROWS, tiny_model, tmp_path / "bundle")
    assert load(tmp_path / "bundle", "bfloat16").dtype is torch.bfloat16
    assert load(tmp_path / "bundle").dtype is torch.float32
    with pytest.raises(UsageError, match="dtype 'int8' is not one of"):
        load(tmp_path / "bundle", "int8")


def test_a_stream_is_not_read_ahead_of_a_chunk(predictor: Predictor) -> None:
    def endless() -> Iterator[str]:
        yield from itertools.repeat("good")

    first = list(itertools.islice(predictor.stream(endless()), 3))
    assert len(first) == 3


class Frame:
    """What a loop over a data frame of pandas gives: the names of its columns."""

    ndim = 2

    def __iter__(self) -> Iterator[str]:
        return iter(["text"])


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("服务很好", r"found one text, expected a list of texts; put it into one: \[text\]"),
        ("", "found one text"),
        ({"text": "good"}, r"found one row, expected a list of rows; put it into one: \[row\]"),
        (Frame(), r"found a Frame of 2 dimensions, expected a list of texts or of rows; .*to_dict\('records'\)"),
        (["good", ("good", "bad")], "row 2: found a tuple, expected a text, or a mapping with the columns text"),
        ([None], "row 1: found a NoneType, expected a text"),
    ],
)
def test_what_is_no_list_of_rows_is_refused(rows: Any, words: str, predictor: Predictor) -> None:
    with pytest.raises(DataError, match=words):
        predictor.predict(rows)
    with pytest.raises(DataError, match=words):
        next(predictor.stream(rows))


def test_rows_that_lack_a_column_are_named(tiny_model: Path, predictor: Predictor) -> None:
    with pytest.raises(DataError, match="row 2: column 'text' is missing or no text"):
        predictor.predict([{"text": "good"}, {"txt": "bad"}])
    pairs = Predictor(tiny_model_of(PAIRS, tiny_model))
    assert pairs.predict([{"text_a": "good", "text_b": "bad"}])[0]["label"] in ("same", "other")
    with pytest.raises(DataError, match="found one text, expected the columns text_a, text_b"):
        pairs.predict(["good"])
    with pytest.raises(DataError, match="row 1: found a tuple, expected a mapping with the columns text_a, text_b"):
        pairs.predict([("good", "bad")])  # type: ignore[list-item]


def test_a_bare_text_may_say_what_several_columns_would(tiny_model: Path) -> None:
    text, places = "Bob sold it to Ann", {"head": {"start": 0, "end": 3}, "tail": {"start": 15, "end": 18}}
    rows = Rows([{"text": text, **places, "label": label} for label in ("sold to", "none")], kind="relation")
    relations = Predictor(tiny_model_of(rows, tiny_model, Relation))
    marked = "<e1>Bob</e1> sold it to <e2>Ann</e2>"
    expected = relations.predict([{"text": text, **places}])
    assert relations.predict([marked]) == relations.predict([{"text": marked}]) == expected
    assert relations.predict([{"text": text, "head": "Bob", "tail": "Ann"}]) == expected
    words = "row 2: found one text, expected the columns text, head, tail; 'text' has 0 markers <e1>, expected one each"
    with pytest.raises(DataError, match=words):
        relations.predict([marked, text])
