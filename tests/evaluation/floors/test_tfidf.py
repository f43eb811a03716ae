"""TF-IDF: strong where words tell, in the task's form, the same from a bundle."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from bertie.core.errors import DataError
from bertie.data.rows import Rows
from bertie.evaluation.floors.base import Ground
from bertie.evaluation.floors.tfidf import TfidfFloor
from bertie.evaluation.linear import Targets
from bertie.nn import checkpoint
from bertie.tasks.classification import Classification
from bertie.text.ngrams import fit_vectorizers
from bertie.text.tokenizer import Tokenizer

ENGLISH = {"good": ["great", "lovely", "superb", "fine"], "bad": ["awful", "dull", "poor", "cold"]}
CHINESE = {"好": ["很满意", "非常好", "值得买", "服务热情"], "坏": ["太差了", "很失望", "不推荐", "又脏又吵"]}


def sentiment(words: dict[str, list[str]], rows: int, seed: int, glue: str = " ") -> Rows:
    rng = random.Random(seed)
    every = [word for some in words.values() for word in some]
    made = []
    for _ in range(rows):
        label = rng.choice(sorted(words))
        noise = rng.choices(every, k=2)
        made.append({"text": glue.join([*rng.choices(words[label], k=3), *noise]), "label": label})
    return Rows(made)


@pytest.fixture
def on(tiny_model: Path) -> Callable[[Classification], Ground]:
    """The ground of a task; TF-IDF reads nothing of it but the task's columns."""
    encoder, tokenizer = checkpoint.load(tiny_model).encoder, Tokenizer.from_folder(tiny_model)
    return lambda task: Ground(task, encoder, tokenizer, 32)


@pytest.mark.parametrize(("words", "glue"), [(ENGLISH, " "), (CHINESE, "，")])
def test_tfidf_answers_in_the_form_of_the_task(
    words: dict[str, list[str]], glue: str, on: Callable[[Classification], Ground]
) -> None:
    train, test = sentiment(words, 300, 0, glue), sentiment(words, 200, 1, glue)
    task = Classification.from_rows(train, {})
    answers = TfidfFloor.fit(train, on(task)).predict(test, on(task))
    assert task.score(answers, test).value > 0.9
    for answer in answers:
        assert set(answer) == {"label", "score", "scores"} and set(answer["scores"]) == set(task.labels)
        assert sum(answer["scores"].values()) == pytest.approx(1.0, abs=1e-5)
        assert answer["score"] == max(answer["scores"].values()) == answer["scores"][answer["label"]]


def test_tfidf_is_the_same_for_the_same_seed(on: Callable[[Classification], Ground]) -> None:
    train = sentiment(ENGLISH, 120, 0)
    task = Classification.from_rows(train, {})
    assert TfidfFloor.fit(train, on(task)).predict(train, on(task)) == TfidfFloor.fit(train, on(task)).predict(
        train, on(task)
    )


def test_the_features_follow_the_script() -> None:
    assert [one.analyzer for one in fit_vectorizers(["a plain text", "in English"])] == ["word", "char_wb"]
    assert [one.analyzer for one in fit_vectorizers(["这是中文", "iPhone 手机不错很好用"])] == ["char"]
    both = ["我 want 一杯 coffee", "please 给我 tea"]
    assert [one.analyzer for one in fit_vectorizers(both)] == ["word", "char_wb", "char"]
    assert [one.analyzer for one in fit_vectorizers(["とてもよい", "わるい"])] == ["char"]


def test_several_labels_with_one_that_is_rare(on: Callable[[Classification], Ground]) -> None:
    rng = random.Random(0)
    words = {"sport": "goal", "money": "bank", "rare": "comet"}
    chosen = [[label for label in words if rng.random() < (0.03 if label == "rare" else 0.5)] for _ in range(400)]
    texts = [" ".join(["news", *(words[label] for label in labels), rng.choice("xyz")]) for labels in chosen]
    rows = Rows([{"text": text, "label": labels} for text, labels in zip(texts, chosen, strict=True)])
    task = Classification.from_rows(rows, {})
    answers = TfidfFloor.fit(rows[:300], on(task)).predict(rows[300:], on(task))
    assert set(answers[0]) == {"labels", "scores"}
    assert task.score(answers, rows[300:]).value > 0.95


def test_pairs_are_compared_and_not_only_read(on: Callable[[Classification], Ground]) -> None:
    rng = random.Random(0)
    words = ["red", "blue", "green", "tall", "small", "house", "river", "cloud", "stone", "bird"]
    rows = []
    for i in range(400):
        a = rng.sample(words, 4)
        rows.append(
            {"text_a": " ".join(a), "text_b": " ".join(a[::-1] if i % 2 else rng.sample(words, 4)), "label": str(i % 2)}
        )
    train, test = Rows(rows[:300]), Rows(rows[300:])
    task = Classification.from_rows(train, {})
    assert task.score(TfidfFloor.fit(train, on(task)).predict(test, on(task)), test).value > 0.9


def test_texts_without_anything_to_count_are_an_error_that_says_so(on: Callable[[Classification], Ground]) -> None:
    rows = Rows([{"text": " ", "label": "a"}, {"text": "", "label": "b"}])
    with pytest.raises(DataError, match="TF-IDF"):
        TfidfFloor.fit(rows, on(Classification.from_rows(rows, {})))
    with pytest.raises(DataError, match="at least two labels"):
        Targets.of(["a", "a"])
