"""Multiple choice: rows of any number of choices, what is read of them, long contexts, bad rows named."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
import torch

from bertie.bundle.folder import Model
from bertie.core.errors import ConfigError, DataError
from bertie.data.rows import Rows
from bertie.data.sources import ReadOptions, read
from bertie.nn import checkpoint, sequence_parts
from bertie.nn.choice_features import CHOICE, PAIR, QUESTION
from bertie.predict import Predictor
from bertie.tasks.multiple_choice import MultipleChoice, Offer
from bertie.text.tokenizer import Tokenizer

ROWS = Rows(
    [
        {"context": "the food was good", "question": "food", "choices": ["good", "bad"], "answer": 0},
        {"question": "手机很快", "choices": ["慢", "好", "快"], "answer": 2},
        {"question": "the film", "choices": ["slow", "fast", "good", "bad"], "answer": 3},
    ],
    "题目.jsonl",
    [1, 2, 4],
    kind="multiple_choice",
)


def predictor(folder: Path, rows: Rows = ROWS, **options: object) -> Predictor:
    torch.manual_seed(0)
    task = MultipleChoice.from_rows(rows, dict(options))
    task.build_head(32)
    return Predictor(Model(checkpoint.load(folder).encoder, task, Tokenizer.from_folder(folder), 32))


def sequences(folder: Path, row: dict[str, Any], rows: Rows = ROWS, **options: object) -> list[tuple[str, int, int]]:
    """Each sequence of a row as its pieces, what it is, and of which choice."""
    model = predictor(folder, rows, **options).model
    example = cast(Offer, model.task.encode([row], model.tokenizer, model.max_length)[0])
    words = [" ".join(model.tokenizer.token(piece) for piece in one.ids) for one in example.sequences]
    return [(one, *role) for one, role in zip(words, example.roles, strict=True)]


def test_question_and_choices_apart_and_together(tiny_model: Path) -> None:
    assert sequences(tiny_model, ROWS[0]) == [
        ("[CLS] food the food was good [SEP]", QUESTION, 0),
        ("[CLS] good [SEP]", CHOICE, 0),
        ("[CLS] bad [SEP]", CHOICE, 1),
        ("[CLS] food good [SEP] the food was good [SEP]", PAIR, 0),
        ("[CLS] food bad [SEP] the food was good [SEP]", PAIR, 1),
    ]
    assert [role for _, role, _ in sequences(tiny_model, ROWS[1], reading="apart")] == [QUESTION] + [CHOICE] * 3
    without = ROWS.take([1, 2])
    assert sequences(tiny_model, without[0], without, reading="together")[0] == (
        "[CLS] 手 机 很 快 [SEP] 慢 [SEP]",
        PAIR,
        0,
    )


@pytest.mark.parametrize("reading", ["both", "apart", "together"])
def test_each_row_has_a_probability_for_each_of_its_own_choices(reading: str, tiny_model: Path) -> None:
    one = predictor(tiny_model, reading=reading)
    answers = one.predict(list(ROWS))
    for answer, row in zip(answers, ROWS, strict=True):
        assert len(answer["scores"]) == len(row["choices"]) and sum(answer["scores"]) == pytest.approx(1.0)
        assert answer["choice"] == row["choices"][answer["index"]] and answer["scores"][answer["index"]] == max(
            answer["scores"]
        )
    alone = [one.predict([row])[0] for row in ROWS]
    for answer, other in zip(answers, alone, strict=True):
        assert answer["scores"] == pytest.approx(other["scores"], abs=1e-5)


@pytest.mark.parametrize("reading", ["both", "apart", "together"])
def test_choices_in_another_order_have_the_same_scores(reading: str, tiny_model: Path) -> None:
    one, row = predictor(tiny_model, reading=reading), ROWS[2]
    turned = {**row, "choices": row["choices"][::-1]}
    assert one.predict([turned])[0]["scores"][::-1] == pytest.approx(one.predict([row])[0]["scores"], abs=1e-5)


def test_of_a_long_context_question_and_choices_stay(tiny_model: Path) -> None:
    row = {**ROWS[0], "context": "the service was slow " * 20}
    pairs = [text for text, role, _ in sequences(tiny_model, row) if role == PAIR]
    assert [text.split(" [SEP] ")[0] for text in pairs] == ["[CLS] food good", "[CLS] food bad"]
    windows = [
        (text, choice) for text, role, choice in sequences(tiny_model, row, long_texts="windows") if role == PAIR
    ]
    assert {choice for _, choice in windows} == {0, 1} and len(windows) > 6
    assert all(text.split(" [SEP] ")[0] == pairs[choice].split(" [SEP] ")[0] for text, choice in windows)


SLOW, FAST = "the film was slow " * 10, "the service was fast " * 20


@pytest.mark.parametrize("long_texts", ["cut", "windows"])
@pytest.mark.parametrize(("question", "context"), [(SLOW, FAST), (SLOW * 4, ""), (SLOW * 4, "food"), (SLOW * 4, FAST)])
@pytest.mark.parametrize("rows", [ROWS, ROWS.take([1, 2])], ids=["context", "none"])
def test_every_part_that_is_read_has_all_of_the_choice(
    rows: Rows, question: str, context: str, long_texts: str, tiny_model: Path
) -> None:
    row = {"context": context, "question": question, "choices": ["very good", "not bad"]}
    found = sequences(tiny_model, row, rows, reading="together", long_texts=long_texts)
    for text, _, choice in found:
        first, second, _ = text.split("[SEP]")
        assert (first if rows is ROWS else second).endswith(f" {row['choices'][choice]} ")
    said = predictor(tiny_model, rows, reading="together", long_texts=long_texts).predict([row])[0].get("note")
    halved = rows is ROWS and context == FAST
    if long_texts == "cut" or halved:
        assert said == "the text was cut at 32 tokens"
    else:
        read = [text.split(" very good ")[0].count("slow") for text, _, choice in found if choice == 0]
        assert said is None and sum(read) >= question.count("slow")
    assert len(found) == 2 if long_texts == "cut" else len(found) >= 4


def test_a_long_question_does_not_hide_what_tells_the_choices_apart(tiny_model: Path) -> None:
    """Of which every sequence was the same: the choice stood behind half of the room."""
    row = {"context": FAST, "question": SLOW, "choices": ["very good", "not bad"]}
    for long_texts in ("cut", "windows"):
        first, second = predictor(tiny_model, reading="together", long_texts=long_texts).predict([row])[0]["scores"]
        assert first != second


@pytest.mark.parametrize("reading", ["both", "apart", "together"])
def test_a_row_of_many_sequences_needs_the_memory_of_some_of_them(
    reading: str, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = predictor(tiny_model, reading=reading, long_texts="windows")
    row = {**ROWS[2], "context": "the service was slow " * 20, "choices": [*ROWS[2]["choices"], "very good food"]}
    (whole,) = one.predict([row])
    seen: list[int] = []
    one.model.encoder.layers[0].register_forward_pre_hook(lambda _, given: seen.append(given[0][..., 0].numel()))
    monkeypatch.setattr(sequence_parts, "TOKENS", 64)
    (divided,) = one.predict([row])
    assert divided["scores"] == pytest.approx(whole["scores"], abs=1e-6)
    assert len(seen) > 2 and max(seen) <= 64


def test_a_model_with_contexts_answers_without_one_and_the_other_way_round(tiny_model: Path) -> None:
    with_context, without = predictor(tiny_model), predictor(tiny_model, ROWS.take([1, 2]))
    assert with_context.task.columns == ("context", "question", "choices") and without.task.columns == (
        "question",
        "choices",
    )
    asked = {name: ROWS[1][name] for name in ("question", "choices")}
    assert with_context.predict([asked]) == with_context.predict([{**asked, "context": ""}])
    assert without.predict([asked]) == without.predict([{**asked, "context": "the food"}])


def test_scores_count_rows_that_are_right() -> None:
    task = MultipleChoice.from_rows(ROWS, {})
    answers = [
        {"choice": "good", "index": 0, "scores": [0.8, 0.2]},
        {"choice": "慢", "index": 0, "scores": [0.6, 0.1, 0.3]},
        {"choice": "bad", "index": 3, "scores": [0.1, 0.2, 0.3, 0.4]},
    ]
    scores = task.score(answers, ROWS)
    assert (scores.primary, scores.value, scores.per_row["accuracy"]) == (
        "accuracy",
        pytest.approx(2 / 3),
        [1.0, 0.0, 1.0],
    )
    assert task.tie_break(answers, ROWS) == pytest.approx(0.5)
    assert task.mistake(ROWS[0], answers[0]) is None
    mistake = task.mistake(ROWS[1], answers[1])
    assert mistake is not None and (mistake.text, mistake.gold, mistake.predicted, mistake.confidence) == (
        "手机很快",
        "快",
        "慢",
        0.6,
    )


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"answer": 3}, "'answer' is 3, which is none of them; expected 0 to 2"),
        ({"answer": None}, "'answer' is null"),
        ({"choices": ["慢"]}, "there are 1 choices, expected two or more"),
        ({"choices": ["慢", " "]}, "'choices[1]' is empty"),
        ({"question": None}, "'question' is null"),
    ],
)
def test_bad_rows_are_named(change: dict[str, Any], expected: str) -> None:
    rows = Rows([ROWS[0], {**ROWS[1], **change}, ROWS[2]], "题目.jsonl", [1, 2, 4], kind="multiple_choice")
    with pytest.raises(DataError) as caught:
        MultipleChoice.from_rows(rows, {})
    assert str(caught.value).startswith(f"题目.jsonl:2: {expected}")
    with pytest.raises(DataError):
        MultipleChoice.from_rows(ROWS, {}).accept(rows)


def test_a_file_tells_the_task_and_answers_may_be_letters(tmp_path: Path) -> None:
    path = tmp_path / "题目.csv"
    path.write_text("问题,选项A,选项B,选项C,答案\n手机？,快,慢,,B\n房间？,好,坏,大,A\n", encoding="utf-8")
    rows = read(path, ReadOptions())
    assert (rows.kind, rows[0]) == ("multiple_choice", {"question": "手机？", "choices": ["快", "慢"], "answer": 1})
    assert MultipleChoice.from_rows(rows, {}).columns == ("question", "choices")


@pytest.mark.parametrize("settings", [{"dropout": 1.0}, {"reading": "aloud"}])
def test_wrong_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(settings))):
        MultipleChoice.from_rows(ROWS, settings)
