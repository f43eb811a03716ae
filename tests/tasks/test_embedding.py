"""Embeddings: vectors of length one that find what belongs to them, whatever stands beside them in the batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bertie.bundle.folder import Model
from bertie.core.errors import ConfigError, DataError, ModelError
from bertie.data import rows as rows_module
from bertie.data.rows import Rows
from bertie.evaluation.floors.base import Ground, State
from bertie.evaluation.floors.search import Bm25, UntunedEncoder
from bertie.nn import checkpoint
from bertie.predict import Predictor
from bertie.tasks.embedding import Embedding
from bertie.text.tokenizer import Tokenizer

ROWS = Rows(
    [
        {"query": "good food", "positive": "the food was great"},
        {"query": "slow service", "positive": "the service was slow", "negative": "the food was great"},
        {"query": "手机好", "positive": "这手机很好"},
        {"query": "房间", "positive": "房间很好"},
    ],
    "faq.jsonl",
)


def predictor(tiny_model: Path, **settings: object) -> Predictor:
    task = Embedding.from_rows(ROWS, dict(settings))
    task.build_head(32)
    return Predictor(Model(checkpoint.load(tiny_model).encoder, task, Tokenizer.from_folder(tiny_model), 32))


def test_a_vector_has_length_one_and_texts_are_asked_by_either_name(tiny_model: Path) -> None:
    made = predictor(tiny_model)
    (first,) = made.predict(["good food"])
    assert np.linalg.norm(first["vector"]) == pytest.approx(1.0) and len(first["vector"]) == 32
    assert made.predict([{"query": "good food"}])[0]["vector"] == pytest.approx(first["vector"])


def test_an_empty_text_has_its_own_vector_whatever_stands_beside_it(tiny_model: Path) -> None:
    made = predictor(tiny_model)
    empty, beside = made.predict(["", {"query": "", "positive": "good food"}])
    assert beside["vector"] == pytest.approx(empty["vector"], abs=1e-6)
    assert beside["positive"] == pytest.approx(made.predict(["good food"])[0]["vector"], abs=1e-6)
    assert made.task.texts({"query": "", "negative": "good food"}) == [""]


def test_the_prefix_of_the_model_is_kept(tiny_model: Path) -> None:
    made = predictor(tiny_model)
    made.task.settle("query: ")
    again = Embedding.from_description(made.task.description())
    assert again.prefix == "query: "
    own = Embedding.from_rows(ROWS, {"prefix": "问："})
    own.settle("query: ")
    assert own.prefix == "问："


def test_the_pooling_of_the_model_is_kept_and_that_of_the_untuned_encoder_too(tiny_model: Path) -> None:
    task = Embedding.from_rows(ROWS, {})
    task.settle("", "first")
    assert Embedding.from_description(task.description()).pooling_name == "first"
    own = Embedding.from_rows(ROWS, {"pooling": "mean"})
    own.settle("", "first")
    assert own.pooling_name == "mean"
    texts, found = ["good food", "服务很好很满意"], dict[str, NDArray[np.float32]]()
    for pooling in ("mean", "first"):
        made = predictor(tiny_model, pooling=pooling)
        found[pooling] = Ground(made.task, made.model.encoder, made.model.tokenizer, 32).vectors(texts)
        assert found[pooling] == pytest.approx(np.array([one["vector"] for one in made.predict(texts)]), abs=1e-5)
    assert np.abs(found["mean"] - found["first"]).max() > 0.01


def test_the_loss_counts_negatives_but_nothing_that_is_right(tiny_model: Path) -> None:
    made = predictor(tiny_model, matryoshka=[8])
    made.model.encoder.eval()
    twins = Rows([{"query": "good", "positive": "great"}, {"query": "food", "positive": "great"}])

    def loss(rows: Rows) -> float:
        batch = made.task.collate(made.encode(list(rows)), made.model.tokenizer.pad_id)
        return made.task.loss(made.task(made.model.encoder, batch), batch).item()

    assert loss(twins) == pytest.approx(0.0, abs=1e-6)
    assert loss(Rows([{**row, "negative": "food service"} for row in twins])) > 0.01
    assert loss(Rows([{**row, "negative": "Great!"} for row in twins])) == pytest.approx(0.0, abs=1e-6)
    several = Rows([{"query": "good", "positive": "great"}, {"query": "Good?", "positive": "bad"}])
    both_ways = Rows([{"query": "good", "positive": "great"}, {"query": "great", "positive": "good"}])
    assert loss(several) == loss(both_ways) == pytest.approx(0.0, abs=1e-6)
    assert loss(ROWS) > 0.01


def test_perfect_vectors_score_perfectly() -> None:
    task = Embedding.from_rows(ROWS, {})
    one = np.eye(4).tolist()
    scores = task.score([{"vector": row, "positive": row} for row in one], ROWS)
    assert scores.metrics == {"ndcg_at_10": 1.0, "mrr_at_10": 1.0, "recall_at_1": 1.0, "recall_at_10": 1.0}
    worst = task.score([{"vector": one[i], "positive": one[i - 1]} for i in range(4)], ROWS)
    assert worst.metrics["recall_at_1"] == 0.0 and 0.0 < worst.value < 1.0


def test_all_positives_of_a_query_are_right_and_the_query_itself_is_nothing() -> None:
    rows = Rows(
        [
            {"query": "怎么退款", "positive": "在订单里申请"},
            {"query": "怎么退款？", "positive": "联系客服"},
            {"query": "联系客服", "positive": "怎么退款"},
        ]
    )
    task, (one, two, three) = Embedding.from_rows(rows, {}), np.eye(3).tolist()
    refund, service = [1.0, 0.5, 2.0], [0.0, 2.0, 1.0]  # each nearest to its own text
    scores = task.score(
        [
            {"vector": refund, "positive": one},
            {"vector": refund, "positive": two},
            {"vector": service, "positive": three},
        ],
        rows,
    )
    # Right for the first query, asked in two rows, are the first two texts, in either order: at 1 there is one of two.
    assert scores.per_row["recall_at_1"] == [0.5, 1.0] and scores.metrics["recall_at_10"] == 1.0
    assert scores.metrics["mrr_at_10"] == scores.metrics["ndcg_at_10"] == 1.0
    everything = ["怎么退款", "联系客服", "在订单里申请"]
    ranked = [{"ranked": everything}, {"ranked": everything}, {"ranked": ["联系客服", "怎么退款", "在订单里申请"]}]
    assert task.score(ranked, rows).metrics["ndcg_at_10"] == 1.0


def test_rows_of_another_form_are_named() -> None:
    rows = Rows([{"query": "a", "positive": "b"}, {"text": "只有文本"}], "问答.jsonl")
    with pytest.raises(DataError, match=r"问答.jsonl:2: found text, expected query and positive"):
        Embedding.from_rows(rows, {})
    with pytest.raises(ConfigError, match=r"temperature is 0"):
        Embedding.from_rows(ROWS, {"temperature": 0.0})


SCORED = Rows(
    [
        {"text_a": "good food", "text_b": "great food", "label": "4.5"},
        {"text_a": "手机好", "text_b": "房间", "label": "0"},
        {"text_a": "bad", "text_b": "a film", "label": "1"},
    ],
    "sts.jsonl",
)


def test_pairs_with_a_number_are_learned_by_their_order(tiny_model: Path) -> None:
    made = predictor(tiny_model)
    batch = made.task.collate(made.encode(list(SCORED)), made.model.tokenizer.pad_id)
    one, other = torch.eye(32)[:2]
    good = made.task.loss(torch.stack([one, one, one, other, one, one + other]), batch)
    bad = made.task.loss(torch.stack([one, other, one, one, one, one]), batch)
    assert good < bad
    answers = made.predict(list(SCORED))
    assert set(answers[0]) == {"vector", "vector_b"}
    scores = made.task.score(answers, SCORED)
    assert scores.primary == "spearman" and scores.sample is not None
    ground = Ground(made.task, made.model.encoder, made.model.tokenizer, 32)
    assert Bm25.fit(SCORED, ground) is None
    untuned = made.task.score(UntunedEncoder.fit(SCORED, ground).predict(SCORED, ground), SCORED)
    assert untuned.metrics["spearman"] == pytest.approx(scores.metrics["spearman"])
    with pytest.raises(DataError, match=r"sts.jsonl:1: the label is '很像', expected how alike"):
        Embedding.from_rows(SCORED.with_column("label", ["很像", "1", "2"]), {})


def test_labels_are_looked_at_before_anything_is_learned() -> None:
    task = Embedding.from_rows(SCORED, {})
    assert task.accept(SCORED).column("label") == [4.5, 0.0, 1.0]
    with pytest.raises(DataError, match=r"sts.jsonl:2: the label is 'n/a', expected how alike"):
        task.accept(SCORED.with_column("label", ["1", "n/a", "2"]))
    with pytest.raises(DataError, match=r"sts.jsonl: every label is 1; expected pairs that are more and less alike"):
        Embedding.from_rows(SCORED.with_column("label", ["1", "1.0", 1]), {})
    assert task.accept(ROWS) == ROWS


def test_rows_that_judge_say_by_which_metrics() -> None:
    task = Embedding.from_rows(ROWS, {})
    eye = np.eye(4).tolist()
    found = task.score([{"vector": row, "positive": row} for row in eye], ROWS)
    ordered = task.score([{"vector": eye[0], "vector_b": eye[i]} for i in range(3)], SCORED)
    assert task.metrics_on(ROWS) == tuple(found.metrics) and task.metrics_on(SCORED) == tuple(ordered.metrics)
    assert task.metrics_on(task.accept(Rows([{"text": "good food"}]))) == task.metrics_on(ROWS)
    assert not task.names_mistakes, "a low cosine to the right text says nothing of which one stands first"


def test_texts_alone_are_their_own_positives_and_judged_by_their_halves(tiny_model: Path) -> None:
    alone = Rows([{"text": text} for text in ("the food was very good", "房间很好服务不好", "a")])
    task = Embedding.from_rows(alone, {})
    assert task.study(alone, no_vectors)[1] == {"query": "房间很好服务不好", "positive": "房间很好服务不好"}
    judged = task.accept(alone)
    assert list(judged) == [
        {"query": "the food was", "positive": "very good"},
        {"query": "房间很好", "positive": "服务不好"},
    ]
    made = predictor(tiny_model)
    torch.manual_seed(0)
    made.model.encoder.train()
    batch = task.collate(made.encode(list(task.study(alone, no_vectors))), made.model.tokenizer.pad_id)
    vectors = made.task(made.model.encoder, batch)
    assert not torch.allclose(vectors[0], vectors[1]), "dropout is all that tells the two apart"


def test_mined_negatives_are_sides_of_a_row(tiny_model: Path) -> None:
    made = predictor(tiny_model, mined_negatives=2)
    ground = Ground(made.task, made.model.encoder, made.model.tokenizer, 32)
    studied = made.task.study(ROWS, ground.vectors)
    assert [len(example.sequences) for example in made.encode(list(studied))] == [4, 5, 4, 4]
    batch = made.task.collate(made.encode(list(studied)), made.model.tokenizer.pad_id)
    assert made.task.loss(made.task(made.model.encoder, batch), batch) > 0
    with pytest.raises(DataError, match="mined_negatives needs query and positive, found text_a, text_b, label"):
        Embedding.from_rows(SCORED, {"mined_negatives": 1})


def no_vectors(texts: Sequence[str]) -> NDArray[np.float32]:
    raise AssertionError("nothing is to be mined")


@pytest.mark.parametrize("floor", [Bm25, UntunedEncoder])
def test_floors_rank_all_that_can_be_found(
    floor: type[Bm25 | UntunedEncoder], tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = predictor(tiny_model)
    model = made.model
    ground = Ground(made.task, model.encoder, model.tokenizer, 32)
    fitted = floor.fit(ROWS, ground)
    assert fitted is not None
    answers = floor.from_state(fitted.state()).predict(ROWS, ground)
    assert all(sorted(answer["ranked"]) == sorted(ROWS.column("positive")) for answer in answers)
    assert made.task.score(answers, ROWS).value > (0.95 if floor is Bm25 else 0.4)
    monkeypatch.setattr(rows_module, "ROWS_PER_BLOCK", 2)
    assert list(fitted.stream(ROWS, ground)) == answers  # what is searched are the texts of all rows


def test_the_untuned_encoder_is_the_one_that_was_there_when_the_model_was_trained(tiny_model: Path) -> None:
    made = predictor(tiny_model)
    ground = Ground(made.task, made.model.encoder, made.model.tokenizer, 32)
    state = UntunedEncoder.fit(ROWS, ground).state()
    other = checkpoint.load(tiny_model).encoder
    with torch.no_grad():
        next(other.parameters()).mul_(1.1)
    for kept, encoder in ((state, other), (State({}, {}), made.model.encoder)):
        with pytest.raises(ModelError, match="has other weights than the encoder that the floor was fitted on"):
            UntunedEncoder.from_state(kept).predict(ROWS, replace(ground, encoder=encoder))


def test_bm25_prefers_rare_words_and_short_texts(tiny_model: Path) -> None:
    rows = Rows(
        [
            {"query": "cheap flights", "positive": text}
            for text in ("flights are long", "cheap", "cheap cheap food and a room")
        ]
    )
    made = predictor(tiny_model)
    ground = Ground(made.task, made.model.encoder, made.model.tokenizer, 32)
    assert Bm25().predict(rows, ground)[0]["ranked"][-1] == "cheap cheap food and a room"
