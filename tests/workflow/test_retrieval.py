"""A first search and a second look: the second counts as far as held-out queries allow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import bertie
from bertie.bundle.folder import Model
from bertie.core.errors import DataError, UsageError
from bertie.data.rows import Rows
from bertie.nn import checkpoint
from bertie.predict import Predictor
from bertie.tasks.reranking import Reranking
from bertie.text.tokenizer import Tokenizer
from bertie.workflow.retrieval import Found, Retriever, best_weight, standardised, weighed

TEXTS = ["the food was great", "the service was slow", "这手机很好", "房间很好", "the film was bad"]
QUERIES = ["great food", "slow service", "手机", "房间"]
ROWS = Rows([{"query": query, "positive": text} for query, text in zip(QUERIES, TEXTS, strict=False)])


@pytest.fixture
def second(tiny_model: Path) -> Predictor:
    task = Reranking.from_rows(ROWS, {})
    task.build_head(32)
    return Predictor(Model(checkpoint.load(tiny_model).encoder, task, Tokenizer.from_folder(tiny_model), 32), "second")


def test_without_a_second_look_the_cosine_orders(tiny_model: Path) -> None:
    made = Retriever.of(tiny_model, [*TEXTS, TEXTS[0]])
    assert made.texts == TEXTS
    for query, found in zip(TEXTS, made.search(TEXTS, 3), strict=True):
        assert found.texts[0] == query and found.cosines[0] == pytest.approx(1.0, abs=1e-5)
        assert found.cosines == sorted(found.cosines, reverse=True) and len(found.texts) == 3 and not found.scores


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_the_weight_says_how_much_the_second_look_counts(tiny_model: Path, second: Predictor, weight: float) -> None:
    made = replace(Retriever.of(tiny_model, TEXTS, second), weight=weight, depth=3)
    (found,) = made.search(["good food"], 5)
    assert sorted(found.texts) == sorted(TEXTS) and len(found.scores) == 3
    first = replace(made, second=None).search(["good food"], 5)[0]
    assert set(found.texts[:3]) == set(first.texts[:3]) and found.texts[3:] == first.texts[3:]
    if weight == 0.0:
        assert found.texts == first.texts
    if weight == 1.0:
        assert found.scores == sorted(found.scores, reverse=True)
        answer = second.predict([{"query": "good food", "candidates": found.texts[:3]}])[0]
        assert found.scores == pytest.approx(answer["scores"], abs=1e-4)


def test_the_weight_is_chosen_by_what_helps(tiny_model: Path, second: Predictor) -> None:
    looked = [Found(["a", "b", "c"], [0.9, 0.8, 0.1], [0.0, 1.0, 0.0]) for _ in range(3)]
    assert best_weight(looked, [["a"]] * 3) == 0.0
    assert best_weight(looked, [["b"]] * 3) == 0.2, "the smallest with which b is first"
    assert weighed(looked[0], 0.2).texts == ["b", "a", "c"]
    held_out = Retriever.of(tiny_model, TEXTS, second).weigh(QUERIES, [[text] for text in TEXTS[:4]])
    assert held_out.weight == best_weight(held_out.look(QUERIES, held_out.depth), [[text] for text in TEXTS[:4]])


def test_models_of_another_task_are_refused(tiny_model: Path, second: Predictor) -> None:
    with pytest.raises(UsageError, match="there are no texts"):
        Retriever.of(tiny_model, [])
    with pytest.raises(UsageError, match="is a model of embedding, expected one of reranking"):
        Retriever.of(tiny_model, TEXTS, Retriever.of(tiny_model, TEXTS).first)
    for wrong in (lambda: Retriever.of(second, TEXTS), lambda: bertie.embed(second, TEXTS)):
        with pytest.raises(UsageError, match="is a model of reranking, expected one of embedding"):
            wrong()
    with pytest.raises(DataError, match="found 4 queries and 3 lists of relevant texts, expected one each"):
        Retriever.of(tiny_model, TEXTS).weigh(QUERIES, [[text] for text in TEXTS[:3]])


def test_one_text_is_no_list_of_them(tiny_model: Path) -> None:
    with pytest.raises(DataError, match="found one text, expected a list of texts"):
        Retriever.of(tiny_model, "good food")
    made = Retriever.of(tiny_model, TEXTS)
    with pytest.raises(DataError, match="found one text, expected a list of texts"):
        made.search("好吃")
    with pytest.raises(DataError, match="found one text, expected a list of texts"):
        made.weigh("好吃", [[TEXTS[0]], [TEXTS[1]]])


def test_equal_scores_say_nothing() -> None:
    assert standardised([2.0, 2.0]).tolist() == [0.0, 0.0]
    assert standardised([1.0, 3.0]).tolist() == [-1.0, 1.0]
    assert Found(["a"], [1.0]).scores == []
