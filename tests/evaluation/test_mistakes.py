"""Hardest mistakes: wrong ones only, the surest first."""

from __future__ import annotations

from bertie.data.rows import Rows
from bertie.evaluation.mistakes import hardest_mistakes, scored_and_mistakes
from bertie.tasks.base import Mistake
from bertie.tasks.classification import Classification, ClassificationSettings


def task(*, pair: bool = False, several: bool = False) -> Classification:
    return Classification(["a", "b"], pair=pair, several=several, settings=ClassificationSettings())


def single(label: str, score: float) -> dict[str, object]:
    return {"label": label, "score": score, "scores": {}}


def test_the_surest_wrong_answers_come_first() -> None:
    rows = Rows([{"text": text, "label": "a"} for text in "xyz"])
    found = hardest_mistakes(task(), rows, [single("b", 0.6), single("a", 0.99), single("b", 0.9)])
    assert found == [Mistake("z", "a", "b", 0.9), Mistake("x", "a", "b", 0.6)]
    assert hardest_mistakes(task(), rows, [single("b", 0.5)] * 3, most=1) == [Mistake("x", "a", "b", 0.5)]


def test_of_answers_that_pass_by_only_what_is_scored_is_held() -> None:
    rows = Rows([{"text": text, "label": "a"} for text in "xyz"])
    answers = [single("b", 0.6), single("a", 0.99), single("b", 0.9)]
    scored, mistakes = scored_and_mistakes(task(), rows, iter(answers))
    assert scored == [{"label": "b"}, {"label": "a"}, {"label": "b"}]
    assert mistakes == hardest_mistakes(task(), rows, answers)


def test_both_texts_of_a_pair_are_shown() -> None:
    rows = Rows([{"text_a": "one", "text_b": "two", "label": "0"}])
    assert hardest_mistakes(task(pair=True), rows, [single("1", 0.8)])[0].text == "one\ntwo"


def test_of_several_labels_the_worst_one_counts() -> None:
    rows = Rows([{"text": "t", "label": ["a", "new"]}, {"text": "u", "label": []}])
    answers = [{"labels": ["a"], "scores": {"a": 0.9}}, {"labels": ["a"], "scores": {"a": 0.7}}]
    found = hardest_mistakes(task(several=True), rows, answers)
    assert found == [Mistake("t", "a, new", "a", 1.0), Mistake("u", "", "a", 0.7)]
