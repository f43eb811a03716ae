"""Extraction: relations between the entities that were found, judged by strict match, bad rows named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from bertie.bundle.folder import Model
from bertie.core.errors import ConfigError, DataError
from bertie.data.rows import Rows
from bertie.data.sources import ReadOptions, read
from bertie.nn import checkpoint
from bertie.predict import Predictor
from bertie.tasks import extraction
from bertie.tasks.extraction import Extraction, learned_pairs
from bertie.text.tokenizer import Tokenizer


def row(text: str, entities: list[tuple[str, str]], *relations: tuple[int, int, str]) -> dict[str, Any]:
    """A row whose entities are told by their first occurrence."""
    places = [(text.index(words), words, label) for words, label in entities]
    return {
        "text": text,
        "entities": [{"start": at, "end": at + len(words), "label": label} for at, words, label in places],
        "relations": [{"head": head, "tail": tail, "label": label} for head, tail, label in relations],
    }


ROWS = Rows(
    [
        row("the film was good", [("film", "thing"), ("good", "how")], (0, 1, "is")),
        row("bad food, slow service", [("bad", "how"), ("food", "thing"), ("slow", "how"), ("service", "thing")])
        | {"relations": [{"head": 1, "tail": 0, "label": "is"}, {"head": 3, "tail": 2, "label": "is"}]},
        row("手机和电影", [("手机", "thing"), ("电影", "thing")], (1, 0, "配")),
        row("好书店", []),
    ],
    "关系.jsonl",
    [1, 2, 4, 5],
    kind="extraction",
)


def made(rows: Rows, tiny_model: Path, **settings: object) -> Predictor:
    torch.manual_seed(0)
    task = Extraction.from_rows(rows, dict(settings))
    task.build_head(32)
    tokenizer = Tokenizer.from_folder(tiny_model, han_isolated=True)
    return Predictor(Model(checkpoint.load(tiny_model).encoder, task, tokenizer, 32))


def learned(rows: Rows, tiny_model: Path) -> Predictor:
    predictor = made(rows, tiny_model)
    task, encoder = predictor.task, predictor.model.encoder
    batch = task.collate(predictor.encode(list(rows)), predictor.model.tokenizer.pad_id)
    optimizer = torch.optim.Adam([*encoder.parameters(), *task.parameters()], 5e-3)
    task.train()
    for _ in range(60):
        optimizer.zero_grad()
        task.loss(task(encoder, batch), batch).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return Predictor(predictor.model)


def scored(one: dict[str, Any], score: float = 0.9) -> dict[str, Any]:
    """The gold fields of a row as an answer."""
    return {
        "entities": [{**entity, "text": "", "score": score} for entity in one["entities"]],
        "relations": [{**link, "score": score} for link in one["relations"]],
    }


def test_relations_point_at_the_entities_of_the_answer(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = learned(ROWS, tiny_model)
    answers = predictor.predict(ROWS.column("text"))
    assert predictor.task.score(answers, ROWS).metrics["relation_f1"] == 1.0
    for one, answer in zip(ROWS, answers, strict=True):
        assert list(answer) == ["entities", "relations"]
        links = [{name: link[name] for name in ("head", "tail", "label")} for link in answer["relations"]]
        assert links == one["relations"] and all(0.0 < link["score"] <= 1.0 for link in answer["relations"])
    monkeypatch.setattr(extraction, "PAIRS_AT_ONCE", 1)
    for one, other in zip(predictor.predict(ROWS.column("text")), answers, strict=True):
        links = [{**link, "score": pytest.approx(link["score"], abs=1e-5)} for link in other["relations"]]
        assert one["relations"] == links
    assert predictor.predict([""]) == [{"entities": [], "relations": [], "note": "the text is empty"}]


def test_no_more_pairs_are_held_than_are_scored_together(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    predictor, made_so_far, scored_so_far = learned(ROWS, tiny_model), list[int](), list[int]()
    asked, features = Extraction._asked, Extraction.pair_features

    def counted(self: Extraction, *given: Any) -> Any:
        for one in asked(self, *given):
            made_so_far.append(1)
            yield one

    def scored_now(self: Extraction, output: torch.Tensor, pairs: Any) -> torch.Tensor:
        scored_so_far.append(len(pairs))
        assert len(made_so_far) == sum(scored_so_far)
        return features(self, output, pairs)

    monkeypatch.setattr(extraction, "PAIRS_AT_ONCE", 1)
    monkeypatch.setattr(Extraction, "_asked", counted)
    monkeypatch.setattr(Extraction, "pair_features", scored_now)
    predictor.predict(ROWS.column("text"))
    assert len(scored_so_far) > 2


def test_pairs_are_those_of_the_row_and_some_without_a_relation(tiny_model: Path) -> None:
    """Not asked: two of kinds that were never related in this order, and what is wider apart than any relation."""
    predictor = made(ROWS, tiny_model)
    batch = predictor.task.collate(predictor.encode(list(ROWS)), 0)
    pairs = learned_pairs(batch)
    found = [(r, pair.head, pair.tail, pair.label) for r, pair in pairs]
    assert found[0] == (0, (1, 1), (3, 3), 1)
    assert (1, (1, 1), (0, 0), 1) in found and (1, (1, 1), (3, 3), 0) in found
    assert all(pair.label or (pair.head, pair.tail) != ((0, 0), (1, 1)) for r, pair in pairs if r == 1), "how, thing"
    assert not any({pair.head, pair.tail} == {(0, 0), (4, 4)} for r, pair in pairs if r == 1), "too wide"
    few = made(ROWS, tiny_model, unrelated=0)
    assert all(pair.label for _, pair in learned_pairs(few.task.collate(few.encode(list(ROWS)), 0)))


def test_two_relations_of_one_pair_are_both_learned(tiny_model: Path) -> None:
    both = row("film food", [("film", "thing"), ("food", "thing")], (0, 1, "is"), (0, 1, "配"))
    predictor = made(Rows([both, *ROWS]), tiny_model)
    pairs = learned_pairs(predictor.task.collate(predictor.encode([both]), 0))
    assert [pair.label for _, pair in pairs] == [1, 2, 0]


def test_a_batch_without_any_pair_has_a_loss(tiny_model: Path) -> None:
    predictor = made(ROWS, tiny_model)
    task = predictor.task
    batch = task.collate(predictor.encode([ROWS[3]]), 0)
    assert torch.isfinite(task.loss(task(predictor.model.encoder, batch), batch))
    assert task.collate(predictor.encode([{"text": "food"}]), 0).targets is None


def test_a_relation_is_right_with_both_entities_its_direction_and_label() -> None:
    task = Extraction.from_rows(ROWS, {})
    answers = [scored(one) for one in ROWS]
    assert task.score(answers, ROWS).value == 1.0
    answers[0]["relations"][0] |= {"head": 1, "tail": 0}
    answers[2]["entities"][0]["label"] = "how"
    scores = task.score(answers, ROWS)
    assert scores.primary == "relation_f1" and scores.value == pytest.approx(2 * 2 / 8)
    assert scores.metrics["relation_precision"] == scores.metrics["relation_recall"] == 0.5
    assert scores.metrics["entity_f1"] == pytest.approx(7 / 8)
    assert scores.sample is not None and set(scores.sample.names) <= set(scores.metrics)
    assert [one["label"] for one in scores.details["per_class"]] == ["is", "配", "how", "thing"]
    assert task.tie_break(answers, ROWS) == pytest.approx((9 * 0.9 + 3 * 0.1) / (12 + 3))


def test_labels_that_training_never_saw_are_counted_by_name() -> None:
    task = Extraction.from_rows(ROWS, {})
    known = ROWS[1]
    new = {**known, "entities": [{**one, "label": "new"} for one in known["entities"]]}
    new["relations"] = [{**one, "label": "odd"} for one in known["relations"]]
    scores = task.score([{"entities": [], "relations": []}], Rows([new]))
    assert scores.details["unseen"] == {"odd": len(known["relations"]), "new": len(known["entities"])}
    assert scores.metrics["unseen_labels"] == sum(scores.details["unseen"].values())


def test_mistakes_in_words() -> None:
    task = Extraction.from_rows(ROWS, {})
    assert task.mistake(ROWS[0], scored(ROWS[0])) is None
    wrong = scored(ROWS[0])
    wrong["relations"][0]["label"] = "配"
    found = task.mistake(ROWS[0], wrong)
    assert found is not None
    assert (found.gold, found.predicted, found.confidence) == ("film → good (is)", "film → good (配)", 0.9)
    missed = task.mistake(ROWS[2], {"entities": [], "relations": []})
    assert missed is not None and missed.gold == "手机 (thing), 电影 (thing), 电影 → 手机 (配)"
    assert task.counts(ROWS) == {"is": 3, "配": 1, "thing": 5, "how": 3}


def test_bad_rows_are_named_with_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "抽取.jsonl"
    good, missing, beyond = row("A B", [("A", "x"), ("B", "x")], (0, 1, "r")), row("A B", [("A", "x")]), dict(ROWS[0])
    missing["relations"] = [{"head": 0, "label": "r"}]
    beyond["relations"] = [{"head": 0, "tail": 2, "label": "r"}]
    path.write_text("".join(f"{json.dumps(one)}\n" for one in (good, missing, beyond)), encoding="utf-8")
    with pytest.raises(DataError) as raised:
        read(path, ReadOptions())
    second, third = str(raised.value).splitlines()[-2:]
    assert "抽取.jsonl:2: 'relations[0]' has no 'tail', expected one" in second
    assert "抽取.jsonl:3: 'relations[0].tail' is 2, expected the index of one of the 2 entities" in third


def test_rows_that_cannot_be_learned_are_named() -> None:
    def refused(*rows: dict[str, Any]) -> str:
        with pytest.raises(DataError) as raised:
            Extraction.from_rows(Rows([ROWS[0], *rows], "关系.jsonl", [1, 2, 3]), {})
        return str(raised.value)

    same = row("film food", [("film", "thing")], (0, 0, "is"))
    assert refused(same) == (
        "关系.jsonl:2: the relation 'is' has entity 0 as its head and its tail, expected two entities; correct one or "
        "delete it"
    )
    nested = row("bad food", [("bad food", "thing"), ("food", "thing")])
    assert "关系.jsonl:2: " in refused(nested) and "share a word" in refused(nested)
    assert "关系.jsonl:2: there is no 'relations', expected one" in refused({"text": "", "entities": []})
    with pytest.raises(DataError, match=r"关系.jsonl: found no relation in 1 rows, expected some .*--task tagging"):
        Extraction.from_rows(Rows([row("food", [("food", "x")])], "关系.jsonl"), {})
    with pytest.raises(ConfigError, match="unrelated is -1"):
        Extraction.from_rows(ROWS, {"unrelated": -1})


def test_relations_follow_entities_that_are_put_in_order() -> None:
    task = Extraction.from_rows(ROWS, {})
    turned = row("film good", [("good", "how"), ("film", "thing")], (1, 0, "is"))
    accepted = task.accept(Rows([turned, row("films", [("film", "thing")])]))
    assert accepted[0]["relations"] == [{"head": 0, "tail": 1, "label": "is"}]
    assert accepted.notes[-1].startswith("1 entities begin or end inside a word")
