"""Re-ranking: query and text read together, candidates in their order, from pairs or from lists."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bertie.bundle.folder import Model
from bertie.core.errors import ConfigError, DataError
from bertie.data.rows import Rows
from bertie.evaluation.floors.base import Ground
from bertie.evaluation.floors.search import Bm25, UntunedEncoder
from bertie.nn import checkpoint, sequence_parts
from bertie.predict import Predictor
from bertie.tasks.reranking import Reranking
from bertie.text.tokenizer import Tokenizer

PAIRS = Rows(
    [
        {"query": "good food", "positive": "the food was great"},
        {"query": "slow service", "positive": "the service was slow", "negative": "the film was slow"},
        {"query": "手机好", "positive": "这手机很好"},
        {"query": "房间", "positive": "房间很好"},
    ],
    "faq.jsonl",
)
LISTS = Rows(
    [
        {"query": "食", "candidates": ["好", "坏", "快"], "positives": ["快"]},
        {"query": "b", "candidates": ["x", "y", "z"], "positives": ["x", "z"]},
        {"query": "c", "candidates": ["x", "y"], "positives": ["w"]},
    ],
    "列表.jsonl",
)


def predictor(tiny_model: Path, rows: Rows = PAIRS, **settings: object) -> Predictor:
    task = Reranking.from_rows(rows, dict(settings))
    task.build_head(32)
    return Predictor(Model(checkpoint.load(tiny_model).encoder, task, Tokenizer.from_folder(tiny_model), 32))


def test_one_text_has_a_score_and_a_list_has_the_same_ones_in_its_order(tiny_model: Path) -> None:
    made = predictor(tiny_model)
    texts = ["the food was great", "房间很好", "a"]
    (several,) = made.predict([{"query": "good food", "candidates": texts}])
    single = [made.predict([{"query": "good food", "text": text}])[0]["score"] for text in texts]
    assert several["scores"] == pytest.approx(single, abs=1e-5)
    assert len(set(single)) == 3


def test_at_the_start_what_is_alike_stands_above(tiny_model: Path) -> None:
    made = predictor(tiny_model)
    same, other = made.predict([{"query": "the film", "candidates": ["the film", "快快"]}])[0]["scores"]
    assert same > other


@pytest.mark.parametrize("row", [{}, {"query": "a"}, {"query": "a", "candidates": []}, {"query": 1, "text": "b"}])
def test_what_is_no_question_is_refused(row: dict[str, object], tiny_model: Path) -> None:
    with pytest.raises(DataError, match=r"^row 1: column '(query|text|candidates)'"):
        predictor(tiny_model).predict([row])


def test_training_rows_get_negatives_their_own_first(tiny_model: Path) -> None:
    made = predictor(tiny_model, negatives=2)
    model = made.model
    studied = made.task.study(PAIRS, Ground(made.task, model.encoder, model.tokenizer, 32).vectors)
    assert [row["candidates"][0] for row in studied] == PAIRS.column("positive")
    assert studied[1]["candidates"][1] == "the film was slow"
    for row in studied:
        assert len(row["candidates"]) == 3 and not set(row["positives"]) & set(row["candidates"][1:])


def test_of_lists_the_wrong_ones_are_the_negatives(tiny_model: Path) -> None:
    task = predictor(tiny_model, LISTS, negatives=1).task
    studied = task.study(LISTS, alike)
    assert studied.column("candidates") == [["快", "好"], ["x", "y"], ["z", "y"], ["w", "x"]]
    assert studied.column("positives") == [["快"], ["x"], ["z"], ["w"]] and studied.notes == []


def test_a_row_with_many_positives_is_learned_in_parts() -> None:
    many = [{"query": "q", "candidates": [*"abcde", *"xyz"], "positives": [*"abcde", "f"]}, LISTS[0]]
    rows = Rows(many, "列表.jsonl", [3, 7])
    studied = Reranking.from_rows(rows, {"negatives": 2}).study(rows, alike)
    assert studied.column("candidates") == [[*"abxy"], [*"cdz"], [*"efxy"], ["快", "好", "坏"]]
    assert studied.column("positives") == [[*"ab"], [*"cd"], [*"ef"], ["快"]]
    assert [studied.where(i) for i in (2, 3)] == ["列表.jsonl:3", "列表.jsonl:7"]


def test_what_cannot_be_told_apart_is_left_out_or_refused() -> None:
    task = Reranking.from_rows(PAIRS, {})
    studied = task.study(PAIRS, alike)
    assert studied.column("candidates") == [["the service was slow", "the film was slow"]]
    assert studied.notes == ["3 of 4 training rows are left out: in them there is nothing to tell apart"]
    with pytest.raises(DataError, match=r"faq.jsonl: no row has a wrong text .* task.negative_margin, which is 0.05"):
        task.study(PAIRS.take([0, 2, 3]), alike)
    with pytest.raises(DataError, match=r"列表.jsonl: in every row all candidates are positives, expected wrong"):
        Reranking.from_rows(LISTS.take([0]).with_column("positives", [["好", "坏", "快"]]), {})


def alike(texts: Sequence[str]) -> NDArray[np.float32]:
    """Vectors of an encoder to which all texts say the same."""
    return np.ones((len(texts), 1), dtype=np.float32)


def test_rows_that_judge_get_the_best_by_words() -> None:
    task = Reranking.from_rows(PAIRS, {"candidates": 2})
    judged = task.accept(PAIRS)
    assert [len(row["candidates"]) for row in judged] == [2, 2, 2, 2]
    assert [row["positives"][0] for row in judged] == PAIRS.column("positive")
    assert judged[3]["candidates"][0] == "房间很好" and judged.where(1) == "faq.jsonl:2"
    assert task.accept(LISTS) == LISTS


def test_all_positives_of_a_query_are_right_among_its_candidates() -> None:
    more = [{"query": "Good food!", "positive": "the good food"}, {"query": "这手机很好", "positive": "手机"}]
    rows = Rows([*PAIRS, *more])
    judged = Reranking.from_rows(rows, {}).accept(rows)
    assert len(judged) == 5, "a query with two right texts is asked once"
    assert judged[0]["positives"] == ["the food was great", "the good food"]
    assert {"the food was great", "the good food"} <= set(judged[0]["candidates"])
    assert "这手机很好" not in judged[4]["candidates"] and "这手机很好" in judged[2]["candidates"]


def test_a_right_text_that_is_no_candidate_is_missed() -> None:
    task = Reranking.from_rows(LISTS, {})
    scores = task.score([{"scores": [1.0, 2.0, 3.0]}, {"scores": [2.0, 3.0, 1.0]}, {"scores": [1.0, 0.0]}], LISTS)
    assert scores.primary == "mrr_at_10"
    assert scores.per_row["mrr_at_10"] == [1.0, 0.5, 0.0]
    assert scores.per_row["recall_at_1"] == [1.0, 0.0, 0.0]
    assert scores.per_row["in_candidates"] == [1.0, 1.0, 0.0]
    assert 0.0 < scores.metrics["ndcg_at_10"] < 1.0


def test_the_loss_falls_where_the_right_ones_rise(tiny_model: Path) -> None:
    made = predictor(tiny_model, LISTS)
    rows = LISTS.take([0, 1])
    batch = made.task.collate(made.encode(list(rows)), made.model.tokenizer.pad_id)
    right, wrong = torch.tensor([0.0, 0, 9, 9, 0, 9]), torch.tensor([9.0, 0, 0, 0, 9, 0])
    assert made.task.loss(right, batch).item() == pytest.approx(np.log(2) / 2, abs=1e-3)
    assert made.task.loss(wrong, batch).item() > 4


def test_the_best_window_counts(tiny_model: Path) -> None:
    made = predictor(tiny_model, long_texts="windows", overlap=0.0)
    front, answer = "bad " * 40, "good food"
    long, short = made.predict([{"query": "good food", "candidates": [front + answer, front]}])[0]["scores"]
    assert long > short


def test_mistakes_name_what_stands_above() -> None:
    task = Reranking.from_rows(LISTS, {})
    mistake = task.mistake(LISTS[0], {"scores": [3.0, 1.0, 2.0]})
    assert mistake is not None and (mistake.gold, mistake.predicted) == ("快", "好") and mistake.confidence > 0.7
    assert task.mistake(LISTS[0], {"scores": [1.0, 1.0, 2.0]}) is None


def test_rows_of_another_form_are_named() -> None:
    with pytest.raises(DataError, match=r"faq.jsonl:2: found query, text, expected query and positive, or"):
        Reranking.from_rows(Rows([PAIRS[0], {"query": "a", "text": "b"}], "faq.jsonl"), {})
    with pytest.raises(DataError, match="the same positive"):
        Reranking.from_rows(PAIRS.take([0, 0]), {})
    with pytest.raises(ConfigError, match="negatives is 0"):
        Reranking.from_rows(PAIRS, {"negatives": 0})


@pytest.mark.parametrize("floor", [Bm25, UntunedEncoder])
def test_floors_order_the_same_candidates(floor: type[Bm25 | UntunedEncoder], tiny_model: Path) -> None:
    made = predictor(tiny_model, candidates=3)
    ground = Ground(made.task, made.model.encoder, made.model.tokenizer, 32)
    judged = replace(made.task.accept(PAIRS))
    fitted = floor.fit(judged, ground)
    assert fitted is not None
    answers = fitted.predict(judged, ground)
    assert [len(answer["scores"]) for answer in answers] == [3, 3, 3, 3]
    if floor is Bm25:
        assert made.task.score(answers, judged).value > 0.95
        assert all(answer["scores"] == sorted(answer["scores"], reverse=True) for answer in answers)


def test_a_row_of_many_candidates_needs_the_memory_of_some_of_them(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = predictor(tiny_model, long_texts="windows", overlap=0.0)
    texts = [f"{word} food " * (1 + 5 * i) for i, word in enumerate(["good", "bad", "slow", "fast"])]
    row = {"query": "good food", "candidates": texts}
    (whole,) = made.predict([row])
    seen: list[int] = []
    made.model.encoder.layers[0].register_forward_pre_hook(lambda _, given: seen.append(given[0][..., 0].numel()))
    monkeypatch.setattr(sequence_parts, "TOKENS", 64)
    (divided,) = made.predict([row])
    assert divided["scores"] == pytest.approx(whole["scores"], abs=1e-5)
    assert len(seen) > 1 and max(seen) <= 64


def test_a_first_search_that_misses_most_of_what_is_right_is_told() -> None:
    pairs = [{"query": f"问题{i}", "positive": f"answer {'ab'[i % 2]}"} for i in range(2)]
    across = Rows(pairs, "faq.jsonl", notes=["x"])
    assert Reranking.from_rows(across, {}).accept(across).notes == ["x"], "all texts are candidates"
    many = Rows([{"query": f"问题{chr(0x4E00 + i)}", "positive": f"answer {i}"} for i in range(60)], "faq.jsonl")
    (note,) = Reranking.from_rows(many, {"candidates": 5}).accept(many).notes
    assert re.fullmatch(r"faq\.jsonl: \d+% of the right texts are among the candidates that BM25 finds, .*", note)
    assert "raise task.candidates, or give columns query, candidates and positives" in note
