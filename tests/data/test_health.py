"""Health: planted trouble is found, clean data is left alone, and the report is JSON and readable lines."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest

from bertie.data import suspicion
from bertie.data.health import check
from bertie.data.near_duplicates import near_duplicates, one_apart
from bertie.data.rows import Row, Rows
from bertie.data.sources import Splits
from bertie.data.suspicion import suspicious_labels

RNG = random.Random(0)
ENGLISH = ["".join(RNG.choices("abcdefghijklmnopqrstuvwxyz", k=RNG.randint(3, 9))) for _ in range(3000)]
HAN = [chr(RNG.randrange(0x4E00, 0x9000)) for _ in range(2000)]


def sentence(language: str) -> str:
    if language == "zh":
        return "".join(RNG.choices(HAN, k=RNG.randint(10, 40)))
    return " ".join(RNG.choices(ENGLISH, k=RNG.randint(6, 20)))


def changed(text: str) -> str:
    """A copy as people make them: one character gone, replaced or added, other marks and case."""
    at = RNG.randrange(1, len(text) - 1)
    edits = [
        text[:at] + text[at + 1 :],
        text[:at] + "x" + text[at + 1 :],
        text[:at] + "x" + text[at:],
        f"  {text.upper()}!",
    ]
    return RNG.choice(edits)


def rows(texts: list[str], labels: list[str], source: str) -> Rows:
    made: list[Row] = [{"text": text, "label": label} for text, label in zip(texts, labels, strict=True)]
    return Rows(made, source, list(range(2, len(made) + 2)))


def splits(train: list[str], test: list[str], dev: list[str] | None = None) -> Splits:
    parts = [
        rows(texts, ["ab"[i % 2] for i in range(len(texts))], name)
        for name, texts in (("train.csv", train), ("dev.csv", dev or ["the only dev text"]), ("test.csv", test))
    ]
    return Splits(*parts, notes=["a note"])


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_hundred_planted_leaks_are_found_and_none_is_invented(language: str) -> None:
    train = [sentence(language) for _ in range(10_000)]
    clean = [sentence(language) for _ in range(1000)]
    planted = [changed(text) for text in RNG.sample(train, 100)]
    health = check(splits(train, clean + planted), top=2000)
    found = {example["where"] for example in health.leaks.examples + health.near_leaks.examples}
    assert found <= {f"test.csv:{i}" for i in range(1002, 1102)}
    assert len(found) >= 98
    assert health.near_duplicates.count == 0
    assert health.leaks.count + health.near_leaks.count == len(found)


def test_exact_and_near_leaks_are_told_apart_and_once() -> None:
    train = ["the quick brown fox jumps over the lazy dog", "something else entirely, about ships"]
    test = ["The quick brown fox jumps over the lazy dog!", "the quick brown fox jumped over the lazy dog", "new text"]
    health = check(splits(train, test, dev=["a text about ships, something else entirely different"]))
    assert [example["where"] for example in health.leaks.examples] == ["test.csv:2"]
    assert [example["where"] for example in health.near_leaks.examples] == ["test.csv:3"]
    assert health.leaks.examples[0]["like"] == "train.csv:2"
    assert "1 rows of dev or test are also in an earlier part, 1 nearly" in health.warnings[0]


def test_a_dev_row_in_test_is_a_leak_too() -> None:
    health = check(splits(["one text", "two texts"], ["chosen by this one"], dev=["Chosen by this one."]))
    assert health.leaks.examples[0]["like_part"] == "dev"


def test_duplicates_conflicts_and_empty_texts() -> None:
    train = rows(
        ["很好", "很好！", "很好", "", " ", "坏"], ["好评", "好评", "差评", "好评", "差评", "差评"], "train.csv"
    )
    health = check(Splits(train, rows(["别的"], ["好评"], "dev.csv"), None, []))
    assert health.duplicates.count == 1
    assert health.duplicates.examples[0]["like"] == "train.csv:2"
    assert health.conflicts.count == 1
    assert [at["label"] for at in health.conflicts.examples[0]["labels"]] == ["好评", "好评", "差评"]
    assert health.parts["train"].empty.count == 2
    assert set(health.parts) == {"train", "dev"}


def test_flipped_labels_are_suspicious() -> None:
    rng = np.random.default_rng(0)
    words = {"a": ["sun", "warm", "beach", "holiday"], "b": ["tax", "court", "law", "judge"]}
    texts, labels = [], []
    for i in range(400):
        label = "ab"[i % 2]
        texts.append(" ".join([*rng.choice(words[label], 5), f"n{i}"]))
        labels.append(label)
    for i in (10, 51, 200):
        labels[i] = "b" if labels[i] == "a" else "a"
    suspects = suspicious_labels(texts, labels)
    assert {suspect.index for suspect in suspects} == {10, 51, 200}
    assert all(suspect.expected != suspect.label == labels[suspect.index] for suspect in suspects)
    health = check(Splits(rows(texts, labels, "train.csv"), rows(["x"], ["a"], "dev.csv"), None, []), top=2)
    assert (health.suspicious.count, len(health.suspicious.examples)) == (3, 2)
    assert health.suspicious.examples[0]["where"].startswith("train.csv:")


def test_nothing_can_be_suspected_of_few_rows_one_class_or_numbers() -> None:
    assert suspicious_labels(["a", "b"], ["x", "y"]) == []
    assert suspicious_labels(["a"] * 20, ["x"] * 20) == []
    assert suspicious_labels([str(i) for i in range(10)], ["x", "y"] * 5) == []
    numbers = rows([f"text {i}" for i in range(60)], [str(i / 7) for i in range(60)], "train.csv")
    health = check(Splits(numbers, numbers.take([0]), None, []))
    assert health.suspicious.count == 0
    assert health.parts["train"].labels == {}


def test_a_model_that_learned_nothing_accuses_nobody() -> None:
    assert suspicious_labels([sentence("en") for _ in range(60)], [RNG.choice("ab") for _ in range(60)]) == []


def test_balance_rare_and_unknown_labels_are_said() -> None:
    train = rows([f"text {i}" for i in range(103)], ["often"] * 100 + ["稀有"] * 3, "train.csv")
    health = check(Splits(train, rows(["x y z"], ["unknown"], "dev.csv"), None, []))
    assert health.parts["train"].labels == {"often": 100, "稀有": 3}
    said = "\n".join(health.warnings)
    assert "1 labels have fewer than 8 rows: 稀有" in said
    assert "often has 100 rows, 稀有 has 3" in said
    assert "dev has 1 labels that train never shows: unknown" in said


def test_lengths_and_languages() -> None:
    train = rows(["今天天气很好", "hello there", "very well indeed"], ["a", "b", "a"], "train.csv")
    part = check(Splits(train, train, None, [])).parts["train"]
    assert part.characters == {"shortest": 6, "median": 11, "p95": 15, "longest": 16}
    assert part.languages == {"en": 0.6667, "zh": 0.3333}


def test_several_labels_and_pairs_are_understood() -> None:
    several = Rows([{"text": f"text {i}", "label": ["a", "b"] if i % 2 else ["a"]} for i in range(10)])
    assert check(Splits(several, several, None, [])).parts["train"].labels == {"a": 10, "b": 5}
    pairs = Rows([{"text_a": f"text {i}", "text_b": "other", "label": "ab"[i % 2]} for i in range(10)])
    assert check(Splits(pairs, pairs, None, [])).leaks.count == 10


def test_numbers_of_classes_are_counted_and_quantities_are_named() -> None:
    ids = Rows([{"text": sentence("en"), "label": str(i % 30)} for i in range(300)])
    assert check(Splits(ids, ids, None, [])).parts["train"].labels == {str(k): 10 for k in range(30)}
    prices = Rows([{"text": sentence("en"), "label": f"{i}.5"} for i in range(300)])
    health = check(Splits(prices, prices, None, []))
    assert health.parts["train"].labels == {}
    assert any("they are learned as quantities" in warning for warning in health.warnings)


def test_whether_labels_are_numbers_is_decided_by_train_for_all_parts() -> None:
    train = Rows([{"text": sentence("en"), "label": str(i % 60)} for i in range(600)])
    dev = Rows([{"text": sentence("en"), "label": str(i)} for i in range(31, 61)])
    health = check(Splits(train, dev, None, []))
    assert len(health.parts["dev"].labels) == 30
    assert "dev has 1 labels that train never shows: 60" in health.warnings
    prices = Rows([{"text": sentence("en"), "label": f"{i}.5"} for i in range(300)])
    few = Rows([{"text": sentence("en"), "label": f"{i}.5"} for i in range(10)])
    assert check(Splits(prices, few, None, [])).parts["dev"].labels == {}


def test_every_row_of_a_crowd_of_near_copies_leaks() -> None:
    notice = "Your order number {} was sent today. " + " ".join(ENGLISH[:80])
    train, dev = ([notice.format(i) for i in numbers] for numbers in (range(1000, 1060), range(2000, 2020)))
    health = check(splits(train, [sentence("en")], dev))
    assert health.near_leaks.count == 20
    assert {example["like_part"] for example in health.near_leaks.examples} == {"train"}


def test_what_was_not_looked_at_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suspicion, "SAMPLE", 100)
    texts, dev = [sentence("en") for _ in range(400)], rows(["x"], ["0"], "dev.csv")
    few = check(Splits(rows(texts, [f"a{i % 4}" for i in range(400)], "train.csv"), dev, None, ["a note"]))
    assert few.notes == ["a note", "labels that look wrong were looked for in 100 of 400 rows, drawn at random"]
    assert few.notes[1] in few.readable()
    monkeypatch.setattr(suspicion, "SAMPLE", 400)
    monkeypatch.setattr(suspicion, "CLASSES", 30)
    many = check(Splits(rows(texts, [f"a{i % 40}" for i in range(400)], "train.csv"), dev, None, []))
    assert many.notes == ["labels that look wrong were not looked for: that takes too long with 40 labels"]
    assert check(Splits(rows(texts, ["a", "b"] * 200, "train.csv"), dev, None, [])).notes == []


def test_every_label_of_a_text_is_shown_once_before_any_twice() -> None:
    train = rows(["very good"] * 8 + ["bad"], ["pos"] * 6 + ["neg", "odd"] + ["neg"], "train.csv")
    health = check(Splits(train, rows(["x"], ["neg"], "dev.csv"), None, []))
    shown = health.conflicts.examples[0]["labels"]
    assert [at["label"] for at in shown] == ["pos", "pos", "pos", "neg", "odd"]
    assert [at["where"] for at in shown] == [f"train.csv:{line}" for line in (2, 3, 4, 8, 9)]


@pytest.mark.parametrize("other", ["Positive", "ＰＯＳＩＴＩＶＥ", "positive ", "1.0", "１"])
def test_a_label_that_is_written_in_two_ways_is_named(other: str) -> None:
    plain = "1" if not other.strip().isalpha() else "positive"
    train = rows([sentence("en") for _ in range(40)], [plain, "c++"] * 20, "train.csv")
    dev = rows([sentence("en") for _ in range(4)], [other, "c"] * 2, "dev.csv")
    said = f"1 labels are written in several ways: {plain} / {other}; each way is a class of its own"
    assert any(warning.startswith(said) for warning in check(Splits(train, dev, None, [])).warnings)
    assert not any("several ways" in warning for warning in check(Splits(train, train, None, [])).warnings)


def test_the_report_is_json_and_lines() -> None:
    health = check(
        splits(["今天天气很好，我们去公园"] * 2 + ["hello there, how are you"], ["今天天气很好，我们去公园"])
    )
    told = json.loads(json.dumps(health.to_dict(), ensure_ascii=False))
    assert told["leaks"]["count"] == 1
    assert told["warnings"] == health.warnings
    lines = health.readable()
    for expected in ("train: 3 rows, train.csv (utf-8)", "leaks into dev or test: 1", "今天天气很好", "! ", "a note"):
        assert expected in lines
    clean = check(splits([sentence("en") for _ in range(40)], [sentence("en") for _ in range(4)], [sentence("en")]))
    assert "nothing to worry about" in clean.readable()


def test_one_apart() -> None:
    assert one_apart("abc", "abd") and one_apart("abc", "ab") and one_apart("bc", "abc") and one_apart("abc", "abc")
    assert not one_apart("abc", "acb") and not one_apart("abc", "a")


def test_near_duplicates_of_little_or_nothing() -> None:
    assert near_duplicates([]) == []
    assert near_duplicates(["", "a", "!"]) == []
    crowd = [f"the same long boilerplate sentence in every single row of the file {i}" for i in range(300)]
    assert len(near_duplicates(crowd)) >= 299
