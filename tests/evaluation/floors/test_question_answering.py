"""Floors of question answering: sentences, nothing, and a pointer that only sees which pieces are equal."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from bertie.bundle.folder import Model
from bertie.data.rows import Rows
from bertie.evaluation.floor_files import load_floors, save_floors
from bertie.evaluation.floors.answer_sentence import FirstSentence, OverlappingSentence
from bertie.evaluation.floors.base import Floor, Ground
from bertie.evaluation.floors.match_pointer import MatchPointer
from bertie.evaluation.floors.no_answer import NoAnswer
from bertie.nn import checkpoint
from bertie.predict import Predictor
from bertie.tasks.question_answering import QuestionAnswering
from bertie.text.tokenizer import Tokenizer
from bertie.workflow.preparation import fit_floors

NOUNS = {"en": ["Food", "Film", "Service"], "zh": ["房间", "服务", "电影", "手机"]}
WORDS = {"en": ["good", "bad", "great", "poor", "fast", "slow"], "zh": list("好坏快慢")}


def questions(language: str, count: int, seed: int, unanswerable: float = 0.0) -> Rows:
    """Who finds the noun of the question knows that the answer stands behind it."""
    rng, made = random.Random(seed), []
    glue, stop = (" ", ". ") if language == "en" else ("", "。")
    for _ in range(count):
        nouns, words = rng.sample(NOUNS[language], 3), rng.choices(WORDS[language], k=3)
        context = "".join(f"{noun}{glue}{word}{stop}" for noun, word in zip(nouns, words, strict=True))
        chosen, none = rng.randrange(3), rng.random() < unanswerable
        start = context.index(nouns[chosen]) + len(nouns[chosen] + glue)
        answers = [] if none else [{"text": words[chosen], "start": start}]
        made.append({"context": context, "question": "the very" if none else nouns[chosen].lower(), "answers": answers})
    return Rows(made)


def ground(train: Rows, tiny_model: Path, **settings: object) -> Ground:
    task = QuestionAnswering.from_rows(train, dict(settings))
    task.build_head(32)
    tokenizer = Tokenizer.from_folder(tiny_model, han_isolated=True)
    return Ground(task, checkpoint.load(tiny_model).encoder, tokenizer, 32)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("unanswerable", [0.0, 0.3])
def test_a_pointer_by_matches_finds_what_stands_beside_them(
    language: str, unanswerable: float, tiny_model: Path
) -> None:
    train, test = questions(language, 200, 0, unanswerable), questions(language, 60, 1, unanswerable)
    on = ground(train, tiny_model)
    answers = MatchPointer.fit(train, on).predict(test, on)
    assert on.task.score(answers, test).value > 0.95
    for row, answer in zip(test, answers, strict=True):
        assert answer["answer"] is None or row["context"][answer["start"] : answer["end"]] == answer["answer"]


def test_the_start_answers_as_the_floor(tiny_model: Path) -> None:
    train = questions("zh", 60, 0, 0.3)
    on = ground(train, tiny_model)
    floor = MatchPointer.fit(train, on)
    assert floor.start(on.task)
    predictor = Predictor(Model(on.encoder, on.task, on.tokenizer, 32))
    for found, expected in zip(predictor.predict(list(train)), floor.predict(train, on), strict=True):
        assert found == {**expected, "score": pytest.approx(expected["score"], abs=1e-4)}
    assert not floor.start(ground(train, tiny_model, match_feature=False).task)


def test_sentences_in_both_languages(tiny_model: Path) -> None:
    rows = Rows(
        [
            {
                "context": "The film was long. The food was bad, the Service worse! And the film ended.",
                "question": "How was the service of the food?",
                "answers": [{"text": "worse", "start": 49}],
            },
            {
                "context": "酒店在市中心。房间很大，服务也很好。酒店有早餐。",
                "question": "酒店的服务怎么样？",
                "answers": [{"text": "很好", "start": 15}],
            },
        ]
    )
    on = ground(rows, tiny_model)
    first = FirstSentence.fit(rows, on).predict(rows, on)
    assert [answer["answer"] for answer in first] == ["The film was long.", "酒店在市中心。"]
    best = OverlappingSentence.fit(rows, on).predict(rows, on)
    assert [answer["answer"] for answer in best] == [
        "The food was bad, the Service worse!",
        "房间很大，服务也很好。",
    ]
    for row, answer in zip([*rows, *rows], [*first, *best], strict=True):
        assert row["context"][answer["start"] : answer["end"]] == answer["answer"] and 0 <= answer["score"] <= 1
    assert 0.0 < on.task.score(best, rows).value < 1.0


def test_a_passage_without_a_sentence_has_no_answer(tiny_model: Path) -> None:
    train = questions("en", 8, 0)
    empty, on = Rows([{"context": " ", "question": "good"}]), ground(train, tiny_model)
    floors: list[type[Floor]] = [FirstSentence, OverlappingSentence, MatchPointer]
    for kind in floors:
        floor = kind.fit(train, on)
        assert floor is not None and floor.predict(empty, on)[0]["answer"] is None


def test_never_an_answer_is_a_floor_only_where_some_questions_have_none(tiny_model: Path) -> None:
    names = {"first_sentence", "match_pointer", "overlapping_sentence"}
    for unanswerable, expected in ((0.0, names), (0.5, names | {"no_answer"})):
        train = questions("zh", 40, 0, unanswerable)
        floors = fit_floors(train, train, ground(train, tiny_model))
        assert set(floors.answers) == {floor.name for floor in floors.fitted} == expected
    scores = ground(train, tiny_model).task.score(floors.answers["no_answer"], train)
    none = sum(not row["answers"] for row in train) / 40
    assert scores.value == none and scores.metrics["no_answer_accuracy"] == 1.0
    (floor,) = (floor for floor in floors.fitted if isinstance(floor, NoAnswer))
    assert floor.predict(train, ground(train, tiny_model))[0]["score"] == none


def test_from_a_bundle_they_answer_the_same(tiny_model: Path, tmp_path: Path) -> None:
    train = questions("en", 40, 0, 0.5)
    on = ground(train, tiny_model)
    kinds: list[type[Floor]] = [FirstSentence, OverlappingSentence, MatchPointer, NoAnswer]
    fitted = [floor for kind in kinds if (floor := kind.fit(train, on)) is not None]
    save_floors(tmp_path, fitted)
    again = load_floors(tmp_path)
    assert [floor.predict(train, on) for floor in again] == [floor.predict(train, on) for floor in fitted]
