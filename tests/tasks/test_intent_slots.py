"""Intent and slots: both fields of one answer, both parts of the loss, bad rows named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from bertie.bundle.folder import Model
from bertie.core.errors import ConfigError, DataError
from bertie.data.rows import Rows
from bertie.nn import checkpoint
from bertie.predict import Predictor
from bertie.tasks.intent_slots import IntentSlots
from bertie.text.tokenizer import Tokenizer


def row(text: str, intent: str, *slots: tuple[str, str]) -> dict[str, Any]:
    """A row whose slots are told by their first occurrence."""
    places = [(text.index(words), words, label) for words, label in slots]
    entities = [{"start": at, "end": at + len(words), "label": label} for at, words, label in places]
    return {"text": text, "entities": entities, "label": intent}


ROWS = Rows(
    [
        row("the good film was fast", "praise", ("film", "what")),
        row("bad food", "blame", ("food", "what"), ("bad", "how")),
        row("服务很好", "praise", ("服务", "what")),
        row("我不满意", "blame"),
    ],
    "意图.jsonl",
    [1, 2, 4, 5],
    kind="intent_slots",
)


def made(rows: Rows, tiny_model: Path, **settings: object) -> Predictor:
    torch.manual_seed(0)
    task = IntentSlots.from_rows(rows, dict(settings))
    task.build_head(32)
    tokenizer = Tokenizer.from_folder(tiny_model, han_isolated=True)
    return Predictor(Model(checkpoint.load(tiny_model).encoder, task, tokenizer, 32))


def answer(intent: str, *slots: dict[str, Any], score: float = 0.8) -> dict[str, Any]:
    return {"label": intent, "score": score, "scores": {intent: score}, "entities": list(slots)}


def test_an_answer_has_the_fields_of_classification_and_of_tagging(tiny_model: Path) -> None:
    predictor = made(ROWS, tiny_model)
    for one, found in zip(ROWS, predictor.predict(ROWS.column("text")), strict=True):
        assert list(found) == ["label", "score", "scores", "entities"]
        assert list(found["scores"]) == ["blame", "praise"] and sum(found["scores"].values()) == pytest.approx(1.0)
        assert found["score"] == found["scores"][found["label"]] == max(found["scores"].values())
        assert all(one["text"][slot["start"] : slot["end"]] == slot["text"] for slot in found["entities"])
    assert predictor.predict([""])[0]["note"] == "the text is empty"


def test_the_loss_is_the_nats_of_the_whole_answer(tiny_model: Path) -> None:
    """Those of the intent grow with its weight, and each part alone teaches its own head."""
    losses = []
    for weight in (1.0, 3.0):
        predictor = made(ROWS, tiny_model, intent_weight=weight, dropout=0.0)
        task, model = predictor.task, predictor.model
        assert isinstance(task, IntentSlots)
        batch = task.collate(predictor.encode(list(ROWS)), model.tokenizer.pad_id)
        assert batch.targets is not None and batch.targets[:, 0].tolist() == [1, 0, 1, 0]
        with torch.no_grad():
            output = task(model.encoder, batch)
            losses.append(float(task.loss(output, batch)) * task.length)
            chances = output[:, :2].softmax(-1)
    nats = float(-chances[torch.arange(4), batch.targets[:, 0]].log().mean())
    assert losses[1] - losses[0] == pytest.approx(2.0 * nats, rel=1e-4)


def test_a_frame_is_right_where_intent_and_all_slots_are() -> None:
    task = IntentSlots.from_rows(ROWS, {})
    slots = [[{**slot, "text": "", "score": 0.9} for slot in one["entities"]] for one in ROWS]
    answers = [
        answer("praise", *slots[0]),
        answer("blame", slots[1][0]),
        answer("blame", *slots[2]),
        answer("blame", *slots[3]),
    ]
    scores = task.score(answers, ROWS)
    assert (scores.primary, scores.value) == ("frame_accuracy", 0.5)
    assert scores.metrics["intent_accuracy"] == 0.75 and scores.metrics["slot_recall"] == 0.75
    assert scores.metrics["slot_f1"] == pytest.approx(2 * 3 / 7) and scores.per_row["frame_accuracy"] == [1, 0, 0, 1]
    assert scores.sample is not None and scores.sample.interval("slot_f1").value == scores.metrics["slot_f1"]
    better = task.score([answer(one["label"], *some) for one, some in zip(ROWS, slots, strict=True)], ROWS)
    assert better.sample is not None and better.sample.difference(scores.sample, "intent_macro_f1").value > 0
    assert [one["label"] for one in scores.details["per_class"]] == ["blame", "praise", "how", "what"]
    assert task.tie_break(answers, ROWS) == pytest.approx((0.8 + 0.9 + 0.8 + 0.9 + 0 + 0 + 0.9 + 0.8) / 8)
    unseen = Rows([row("food", "ask", ("food", "who"))])
    scores = task.score([answer("blame")], unseen)
    assert scores.metrics["unseen_labels"] == 2 and scores.details["unseen"] == {"ask": 1, "who": 1}


def test_mistakes_in_words() -> None:
    task = IntentSlots.from_rows(ROWS, {})
    slots = [{**slot, "text": "", "score": 0.9} for slot in ROWS[1]["entities"]]
    assert task.mistake(ROWS[1], answer("blame", *slots)) is None
    wrong = task.mistake(ROWS[1], answer("praise", slots[1], {**slots[0], "label": "how"}))
    assert wrong is not None
    assert (wrong.gold, wrong.predicted) == ("blame; food (what)", "praise; food (how)")
    missed = task.mistake(ROWS[1], answer("blame", slots[0]))
    assert missed is not None and (missed.gold, missed.predicted, missed.confidence) == ("bad (how)", "", 0.0)
    assert task.counts(ROWS) == {"praise": 2, "blame": 2, "what": 3, "how": 1}


def test_rows_that_cannot_be_learned_are_named() -> None:
    with pytest.raises(DataError, match=r"^意图.jsonl:2: .*share a word.*expected one; keep one of them.*tagging"):
        IntentSlots.from_rows(
            Rows([ROWS[0], row("bad food", "a", ("bad food", "x"), ("food", "y"))], "意图.jsonl", [1, 2]), {}
        )
    with pytest.raises(DataError, match=r"意图.jsonl: found 1 label \('praise'\), expected at least two"):
        IntentSlots.from_rows(Rows([ROWS[0], ROWS[2]], "意图.jsonl"), {})
    with pytest.raises(DataError, match=r"意图.jsonl: found no entity in 1 rows"):
        IntentSlots.from_rows(Rows([ROWS[3]], "意图.jsonl"), {})
    several = Rows([{**ROWS[0], "label": ["praise", "blame"]}], "意图.jsonl", [7])
    with pytest.raises(DataError, match=r"意图.jsonl:7: 'label' is \['praise', 'blame'\], expected the name of one"):
        IntentSlots.from_rows(ROWS, {}).accept(several)
    with pytest.raises(ConfigError, match="intent_weight is 0"):
        IntentSlots.from_rows(ROWS, {"intent_weight": 0.0})


def test_a_label_that_training_never_saw_is_not_learned(tiny_model: Path) -> None:
    predictor = made(ROWS, tiny_model)
    unseen, known = row("food", "ask", ("food", "who")), row("bad film", "blame", ("film", "who"), ("bad", "how"))
    batch = predictor.task.collate(predictor.encode([known]), 0)
    assert batch.targets is not None and batch.targets.tolist() == [[0, 1, 0]]
    assert predictor.task.collate(predictor.encode([known, unseen]), 0).targets is None
