"""Joint sets: each rule on rows written here, and the command."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bertie.data.sources import ReadOptions, load_splits
from bertie.tasks.tagging import Tagging
from tests.house.source import ROOT

Row = dict[str, Any]


@pytest.fixture
def sets(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("make_joint_sets")


def relation(text: str, head: str, tail: str, label: str) -> Row:
    places = {side: text.index(words) for side, words in (("head", head), ("tail", tail))}
    sizes = {"head": len(head), "tail": len(tail)}
    return {
        "text": text,
        **{side: {"start": at, "end": at + sizes[side]} for side, at in places.items()},
        "label": label,
    }


ENGLISH = [
    relation("the fire caused smoke", "fire", "smoke", "Cause-Effect(e1,e2)"),
    relation("smoke came of the fire", "smoke", "fire", "Cause-Effect(e2,e1)"),
    relation("smoke and fire", "smoke", "fire", "Other"),
]
CHINESE = [
    relation("甲持股乙", "甲", "乙", "持股"),
    relation("乙由甲持股", "乙", "甲", "被持股"),
    relation("甲与乙合作", "乙", "甲", "合作"),
    relation("甲与乙合作", "甲", "乙", "合作"),
    relation("甲看乙丙", "甲", "乙", "unknown"),
    relation("甲看乙丙", "甲", "丙", "持股"),
    relation("甲乙股份", "甲乙", "乙股份", "持股"),
]


def said(row: Row) -> list[tuple[str, str]]:
    return [(row["text"][one["start"] : one["end"]], one["label"]) for one in row["entities"]]


def links(row: Row) -> list[tuple[str, str, str]]:
    words = [text for text, _ in said(row)]
    return [(words[one["head"]], words[one["tail"]], one["label"]) for one in row["relations"]]


def test_intents_lose_their_direction_and_slots_have_it(sets: ModuleType) -> None:
    made = sets.intent_slots_en(ENGLISH)
    assert [row["label"] for row in made] == ["Cause-Effect", "Cause-Effect", "Other"]
    assert said(made[0]) == [("fire", "head"), ("smoke", "tail")]
    assert said(made[1]) == [("smoke", "tail"), ("fire", "head")]
    assert said(made[2]) == [("smoke", "nominal"), ("fire", "nominal")]
    chinese = sets.intent_slots_zh(CHINESE)
    assert [(row["text"], row["label"]) for row in chinese] == [
        ("甲持股乙", "持股"),
        ("乙由甲持股", "持股"),
        ("甲与乙合作", "合作"),
    ]
    assert said(chinese[2]) == [("甲", "company"), ("乙", "company")]


def test_relations_have_their_direction_or_begin_with_what_stands_first(sets: ModuleType) -> None:
    english = sets.extraction({"train": ENGLISH}, "nominal")["train"]
    assert [links(row) for row in english] == [
        [("fire", "smoke", "Cause-Effect")],
        [("fire", "smoke", "Cause-Effect")],
        [],
    ]
    train, dev = sets.extraction({"train": CHINESE[:1] + CHINESE[2:], "dev": CHINESE[1:2]}, "company").values()
    assert [links(row) for row in train] == [[("甲", "乙", "持股")], [("甲", "乙", "合作")], [("甲", "丙", "持股")]]
    assert [links(row) for row in dev] == [[("甲", "乙", "持股")]]
    assert said(train[2]) == [("甲", "company"), ("乙", "company"), ("丙", "company")]


def tagged(*spans: tuple[str, str]) -> Row:
    tokens, tags = list[str](), list[str]()
    for words, label in spans:
        parts = words.split() if words.isascii() else list(words)
        tokens += parts
        tags += ["O"] * len(parts) if label == "O" else [f"{'BI'[i > 0]}-{label}" for i in range(len(parts))]
    return {"tokens": tokens, "tags": tags}


def test_places_inside_other_entities_are_those_that_training_knows(sets: ModuleType) -> None:
    train = [tagged(("北京", "地"), ("好", "O"))] * 2 + [tagged(("上海", "地")), tagged(("北京大学", "校"))]
    made = sets.nested({"train": train, "dev": [tagged(("去", "O"), ("上海北京路", "校"))], "test": []}, ["校"], "地")
    assert said(made["train"][3]) == [("北京", "地"), ("北京大学", "校")]
    assert said(made["dev"][0]) == [("上海北京路", "校"), ("北京", "地")], "上海 is too rare"
    assert said(made["train"][0]) == [("北京", "地")]
    english = sets.nested(
        {"train": [tagged(("England", "LOC"))] * 2, "dev": [tagged(("Bank of England", "ORG"))], "test": []},
        ["ORG"],
        "LOC",
    )
    assert said(english["dev"][0]) == [("Bank of England", "ORG"), ("England", "LOC")]


def test_marks_of_the_peoples_daily(sets: ModuleType) -> None:
    row = sets.paragraph("中共中央/nt  总书记/n  江/nr  泽民/nr  在/p  北京/ns  说/v  １/2/m ")
    assert row["text"] == "中共中央总书记江泽民在北京说１/2"
    assert said(row) == [("中共中央", "organisation"), ("江泽民", "person"), ("北京", "place")]


def test_paragraphs_are_split_by_their_text(sets: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "tag").mkdir()
    lines = [f"第{i}/m  段/q" for i in range(200)] * 2
    (tmp_path / "tag" / "199801.txt").write_text("\n".join([*lines, ""]), encoding="utf-8")
    made = sets.peoples_daily(tmp_path)
    assert sum(map(len, made.values())) == 200 and 140 < len(made["train"]) < 180 and len(made["dev"]) > 5


def test_the_command_writes_sets_that_train(
    sets: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A set of nested entities is seen as one, and goes to the head of spans."""
    for name, rows in (("semeval2010_re_en", ENGLISH), ("cluener_zh", [tagged(("北京", "address"))] * 2)):
        (tmp_path / name).mkdir()
        for part in ("train", "dev", "test"):
            some = [*rows, tagged(("北京银行", "company"))] if name == "cluener_zh" else rows
            lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in some)
            (tmp_path / name / f"{part}.jsonl").write_text(lines, encoding="utf-8")
    names = ["semeval_intent_slots_en", "semeval_extraction_en", "cluener_nested_zh"]
    monkeypatch.setattr(sys, "argv", ["x", *names, "--data", str(tmp_path), "--out", str(tmp_path / "made")])
    sets.main()
    assert capsys.readouterr().out.splitlines()[0] == "semeval_intent_slots_en: train 3, dev 3, test 3"
    made = [load_splits(tmp_path / "made" / name, None, None, 0, ReadOptions()) for name in names]
    assert [splits.train.kind for splits in made] == ["intent_slots", "extraction", "tagging"]
    assert Tagging.from_rows(made[2].train, {}).in_spans
    monkeypatch.setattr(sys, "argv", ["x", "conll2003_nested_en", "--data", str(tmp_path), "--out", str(tmp_path)])
    with pytest.raises(SystemExit, match=r"conll2003_en/train.jsonl is not there"):
        sets.main()


def test_what_no_head_of_tags_can_learn_is_left_out_of_training(sets: ModuleType) -> None:
    assert sets.learnable({"text": "of neurons", "entities": [{"start": 3, "end": 10, "label": "x"}]})
    assert not sets.learnable({"text": "ofneurons", "entities": [{"start": 2, "end": 9, "label": "x"}]})
