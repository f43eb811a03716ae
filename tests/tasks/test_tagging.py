"""Tagging: offsets into the text that was given, three heads, windows, entities that no answer could match."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bertie.bundle.folder import Model
from bertie.core.errors import ConfigError, DataError, UsageError
from bertie.data.rows import Rows
from bertie.nn import checkpoint
from bertie.nn.encoder import Encoder
from bertie.nn.spans import Span, SpanHead, decode_spans
from bertie.nn.tag_head import TagHead
from bertie.predict import Predictor
from bertie.tasks import tagging
from bertie.tasks.tagging import Tagging
from bertie.text.tokenizer import Tokenizer


def row(text: str, *entities: tuple[str, str]) -> dict[str, Any]:
    """A row whose entities are told by their first occurrence."""
    places = [(text.index(words), words, label) for words, label in entities]
    return {
        "text": text,
        "entities": [{"start": at, "end": at + len(words), "label": label} for at, words, label in places],
    }


FLAT = Rows(
    [
        row("the good  food, was fast", ("good  food", "thing")),
        row("  film\tand Service", ("film", "thing"), ("Service", "work")),
        row("我喜欢这电影，very good", ("电影", "thing"), ("我", "人")),
        row("😀 great service!", ("great service", "work")),
        row("你的手机", ("你", "人"), ("手机", "thing")),
        row("not bad"),
    ],
    "新闻.jsonl",
    list(range(11, 17)),
)
NESTED = Rows(
    [
        row("the fast service film", ("fast service film", "thing"), ("fast service", "work"), ("film", "thing")),
        row("我的电影书", ("我的电影书", "thing"), ("电影", "thing"), ("我", "人")),
        row("bad food", ("food", "thing"), ("food", "work")),
        row("not good"),
    ],
    "nested.jsonl",
    [2, 4, 6, 8],
)
HEADS = [("token", FLAT), ("crf", FLAT), ("span", FLAT), ("auto", NESTED)]


class Words(nn.Module):
    """Stands in for an encoder: the state of a piece is that of its id and knows no neighbours."""

    def __init__(self, size: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding(size, 32)

    def forward(self, ids: Tensor, mask: Tensor | None, types: Tensor | None) -> Tensor:
        states: Tensor = self.table(ids)
        return states


def learned(
    rows: Rows, tiny_model: Path, encoder: nn.Module | None = None, steps: int = 40, **settings: object
) -> Predictor:
    """Rows learned by heart."""
    torch.manual_seed(0)
    task = Tagging.from_rows(rows, dict(settings))
    task.build_head(32)
    tokenizer = Tokenizer.from_folder(tiny_model, han_isolated=True)
    model: Any = encoder or checkpoint.load(tiny_model).encoder
    batch = task.collate(task.encode(list(rows), tokenizer, 32), tokenizer.pad_id)
    optimizer = torch.optim.Adam([*model.parameters(), *task.parameters()], 1e-2)
    for _ in range(steps):
        optimizer.zero_grad()
        task.loss(task(model, batch), batch).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return Predictor(Model(model, task, tokenizer, 32))


def untrained(rows: Rows, **settings: object) -> Tagging:
    task = Tagging.from_rows(rows, dict(settings))
    task.build_head(32)
    return task


@pytest.mark.parametrize(("head", "rows"), HEADS)
def test_each_head_answers_in_offsets_of_the_text(head: str, rows: Rows, tiny_model: Path) -> None:
    predictor = learned(rows, tiny_model, head=head)
    answers = predictor.predict([{"text": one["text"]} for one in rows])
    for one, answer in zip(rows, answers, strict=True):
        for entity in answer["entities"]:
            assert set(entity) == {"text", "label", "start", "end", "score"} and 0.0 < entity["score"] <= 1.0
            assert one["text"][entity["start"] : entity["end"]] == entity["text"]
    assert predictor.task.score(answers, rows).value == 1.0
    assert predictor.task.tie_break(answers, rows) > 0.5


def one_text(rows: Rows, times: int) -> Rows:
    """The rows, again and again, as one long text of which each window shows some."""
    text, entities = "", list[dict[str, Any]]()
    for one in list(rows) * times:
        moved = ({**e, "start": e["start"] + len(text), "end": e["end"] + len(text)} for e in one["entities"])
        entities += list(moved)
        text += one["text"] + " . "
    return Rows([{"text": text, "entities": entities}])


@pytest.mark.parametrize(("head", "rows"), HEADS)
def test_a_long_text_is_learned_and_answered_in_windows(head: str, rows: Rows, tiny_model: Path) -> None:
    long = one_text(rows, 4)
    encoder: Any = Words(checkpoint.load(tiny_model).encoder.config.vocab_size)
    predictor = learned(long, tiny_model, encoder, head=head, shapes=False, dropout=0.0)
    task, tokenizer = predictor.model.task, predictor.model.tokenizer
    assert len(predictor.encode(list(long))[0].sequences) > 2
    beside = predictor.predict([long[0], {"text": "good food"}, long[0]])
    for answer in (beside[0], beside[2]):  # all but a word that is known only by its neighbours
        assert task.score([answer], long).value > 0.9
    if head in ("token", "crf"):  # what a word's state tells is the same wherever the windows fall
        (whole,) = Predictor(Model(encoder, task, tokenizer, 512)).predict(list(long))
        close = [{**one, "score": pytest.approx(one["score"], abs=1e-4)} for one in whole["entities"]]
        assert beside[0]["entities"] == close


def test_a_window_learns_what_is_wholly_inside(tiny_model: Path) -> None:
    tokenizer = Tokenizer.from_folder(tiny_model, han_isolated=True)
    text = "我" * 20 + "电影" + "好" * 20
    task = untrained(Rows([row(text, ("电影", "thing"))]), head="span", overlap=0.5)
    batch = task.collate(task.encode([row(text, ("电影", "thing"))], tokenizer, 12), 0)
    assert batch.targets is not None and batch.targets.shape[1:] == (1, 10, 10)
    found = batch.targets.nonzero().tolist()
    assert found == [[3, 0, 5, 6], [4, 0, 0, 1]], "two of the windows show both characters"


@pytest.mark.parametrize("head", ["token", "crf", "span"])
def test_texts_without_a_unit_are_answered(head: str, tiny_model: Path) -> None:
    task = untrained(FLAT, head=head)
    tokenizer = Tokenizer.from_folder(tiny_model, han_isolated=True)
    predictor = Predictor(Model(checkpoint.load(tiny_model).encoder, task, tokenizer, 32))
    assert predictor.predict(["", " \n"]) == [{"entities": [], "note": "the text is empty"}] * 2
    assert predictor.predict(["good", ""])[1]["entities"] == []
    rows = [{"text": "", "entities": []}, {"text": " ", "entities": []}]
    batch = task.collate(task.encode(rows, tokenizer, 32), 0)
    assert torch.isfinite(task.loss(task(predictor.model.encoder, batch), batch))


def test_the_head_follows_the_rows() -> None:
    assert isinstance(untrained(FLAT).head, TagHead) and untrained(FLAT).head.learned
    assert isinstance(untrained(NESTED).head, SpanHead)
    assert isinstance(untrained(FLAT, head="span").head, SpanHead)
    assert not untrained(FLAT, head="token").head.learned
    with pytest.raises(
        DataError, match=r"(?s)nested.jsonl:2: .*share a word.*expected one.*task\.head=span.*jsonl:4: "
    ):
        untrained(NESTED, head="crf")
    with pytest.raises(UsageError, match="a linear start needs a head of tags"):
        untrained(NESTED).start_from(torch.zeros(7, 62), torch.zeros(7))


def test_spans_of_flat_rows_are_flat(tiny_model: Path) -> None:
    """A head of spans, untrained, would find half of all spans: of those that share words the best is kept."""
    predictor = Predictor(
        Model(checkpoint.load(tiny_model).encoder, untrained(FLAT, head="span"), Tokenizer.from_folder(tiny_model), 32)
    )
    (answer,) = predictor.predict(["the good film was not slow"])
    ends = [0, *(one["end"] for one in answer["entities"])]
    assert all(one["start"] >= end for one, end in zip(answer["entities"], ends, strict=False))


def test_spans_are_read_window_by_window(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores of all pairs of words are large: of a long text no copy of them all is made."""
    encoder, tokenizer = checkpoint.load(tiny_model).encoder, Tokenizer.from_folder(tiny_model)
    predictor = Predictor(Model(encoder, untrained(NESTED), tokenizer, 16))
    read: list[int] = []

    def decode(logits: Tensor) -> list[list[Span]]:
        read.append(len(logits))
        return decode_spans(logits)

    monkeypatch.setattr(tagging, "decode_spans", decode)
    (answer,) = predictor.predict(["the good film was not slow " * 8])
    assert len(read) > 3 and set(read) == {1}
    assert answer["entities"], "an untrained head finds about half of all spans"


def test_a_misaligned_entity_is_an_error_or_is_widened(tiny_model: Path) -> None:
    rows = Rows([row("bad iPhone5S", ("iPhone5", "thing")), row("好书店", ("书", "thing"))], "店.csv", [2, 3])
    with pytest.raises(DataError, match=r"^店.csv:2: the entity 'iPhone5' \(thing\) at \[4, 11\) cuts a word"):
        Tagging.from_rows(rows, {})
    predictor = learned(rows, tiny_model, misaligned="widen")
    task = predictor.task
    assert isinstance(task, Tagging) and task.description()["widened"] == 1
    answers = predictor.predict(list(rows))
    assert [answer["entities"][0]["text"] for answer in answers] == ["iPhone5S", "书"]
    scores = task.score(answers, rows)
    assert scores.metrics["recall"] == scores.metrics["precision"] == 0.5, "the rows stay as they are"


def test_rows_to_score_are_checked_and_misaligned_entities_told() -> None:
    task = untrained(FLAT)
    twice = {"text": "food", "entities": [{"start": 0, "end": 4, "label": "thing"}] * 2}
    accepted = task.accept(Rows([twice, row("films", ("film", "thing"))]))
    assert len(accepted[0]["entities"]) == 1
    assert accepted.notes == [
        "1 entities begin or end inside a word or with a space; no answer matches them: scored wrong"
    ]
    assert task.accept(FLAT).notes == []
    with pytest.raises(DataError, match=r"测试.jsonl:8: 'entities\[0\]' is \[1, 9\), expected 0 <= start < end <= 2"):
        task.accept(Rows([{"text": "电影", "entities": [[1, 9, "x"]]}], "测试.jsonl", [8]))


def test_scores_by_strict_match_and_unseen_labels() -> None:
    task = untrained(FLAT)
    gold = Rows(
        [row("我喜欢电影", ("我", "人"), ("电影", "thing")), row("Ann has food", ("Ann", "PER"), ("food", "thing"))]
    )
    right = [{**one, "text": "", "score": 0.9} for one in gold[0]["entities"]]
    answers = [{"entities": right}, {"entities": [{**gold[1]["entities"][1], "end": 11, "text": "foo", "score": 0.8}]}]
    scores = task.score(answers, gold)
    assert scores.primary == "micro_f1" and scores.value == pytest.approx(2 * 2 / (3 + 4))
    assert scores.metrics["precision"] == pytest.approx(2 / 3) and scores.metrics["recall"] == 0.5
    assert scores.metrics["unseen_labels"] == scores.details["unseen_labels"] == 1
    assert {one["label"]: one["support"] for one in scores.details["per_class"]} == {
        "thing": 2, "work": 0, "人": 1, "PER": 1
    }  # fmt: skip
    assert scores.sample is not None and scores.sample.interval("micro_f1").low < scores.value
    assert task.tie_break(answers, gold) == pytest.approx((0.9 + 0.9 + 0.2 + 0 + 0) / 5)


def test_mistakes_in_words() -> None:
    task = untrained(FLAT)
    gold = row("我喜欢电影", ("我", "人"), ("电影", "thing"))
    right = [{**one, "text": "", "score": 0.9} for one in gold["entities"]]
    assert task.mistake(gold, {"entities": right}) is None
    wrong = task.mistake(gold, {"entities": [right[0], {**right[1], "label": "work", "score": 0.7}]})
    assert wrong is not None and (wrong.gold, wrong.predicted, wrong.confidence) == ("电影 (thing)", "电影 (work)", 0.7)
    missed = task.mistake(gold, {"entities": right[:1]})
    assert missed is not None and (missed.predicted, missed.confidence) == ("", 0.0)
    assert task.counts(FLAT) == {"thing": 4, "work": 2, "人": 2}


def test_a_label_that_training_never_saw_is_not_learned(tiny_model: Path) -> None:
    task = untrained(FLAT)
    tokenizer = Tokenizer.from_folder(tiny_model)
    (example,) = task.encode([row("Ann has food", ("Ann", "PER"), ("food", "thing"))], tokenizer, 32)
    assert [span[:3] for span in example.target] == [(2, 2, 0)]
    assert task.encode([{"text": "food"}], tokenizer, 32)[0].target is None


def test_capitals_are_told_from_small_letters_only_by_their_shape(tiny_model: Path) -> None:
    """The vocabulary has none, so without shapes the two texts are one."""
    rows = Rows([row("the Film was bad", ("Film", "thing")), row("the film was bad")])
    answers = learned(rows, tiny_model, steps=120).predict(list(rows))
    assert [len(answer["entities"]) for answer in answers] == [1, 0]
    first, second = learned(rows, tiny_model, shapes=False).predict(list(rows))
    assert len(first["entities"]) == len(second["entities"])


def test_a_unit_weighs_the_same_in_every_row(tiny_model: Path) -> None:
    task = untrained(FLAT, head="token", dropout=0.0)
    encoder: Encoder = checkpoint.load(tiny_model).encoder.eval()
    tokenizer = Tokenizer.from_folder(tiny_model)

    def loss(rows: list[dict[str, Any]]) -> float:
        batch = task.collate(task.encode(rows, tokenizer, 32), 0)
        with torch.no_grad():
            return float(task.loss(task(encoder, batch), batch))

    both = list(FLAT)[:2]
    assert loss(both) == pytest.approx((loss(both[:1]) + loss(both[1:])) / 2, rel=1e-5)
    assert task.length == pytest.approx((5 + 4 + 9 + 4 + 4 + 2) / 6, abs=1)


def test_rows_without_an_entity_and_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(DataError, match=r"空.csv: found no entity in 1 rows; tagging needs some to learn from"):
        Tagging.from_rows(Rows([row("好")], "空.csv"), {})
    with pytest.raises(ConfigError, match=r"dropout is 1\.5"):
        Tagging.from_rows(FLAT, {"dropout": 1.5})
    with pytest.raises(ConfigError, match="head"):
        Tagging.from_rows(FLAT, {"head": "lstm"})
