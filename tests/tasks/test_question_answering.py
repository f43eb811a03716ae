"""Question answering: places in the original text, windows merged by odds, no answer as an answer, bad rows named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from bertie.bundle.folder import Model
from bertie.core.errors import ConfigError, DataError, UsageError
from bertie.data.batches import Batch
from bertie.data.rows import Rows
from bertie.nn import checkpoint
from bertie.nn.losses import IGNORED
from bertie.nn.match_features import FEATURES
from bertie.predict import Predictor
from bertie.tasks.question_answering import NO_ANSWER, Passage, QuestionAnswering
from bertie.text.tokenizer import Tokenizer

ENGLISH = "The Food was GOOD, the service very slow."
CHINESE = "　房间很好，服务不是很快。"


def row(context: str, question: str, *answers: str) -> dict[str, Any]:
    given = [{"text": text, "start": context.index(text)} for text in answers]
    return {"context": context, "question": question, "answers": given}


ANSWERED = Rows([row(ENGLISH, "the food?", "GOOD", "very slow"), row(CHINESE, "服务", "不是很快")])
BOTH = Rows([*ANSWERED, row(ENGLISH, "the film?"), row(CHINESE, "电影")])


@pytest.fixture
def tokenizer(tiny_model: Path) -> Tokenizer:
    return Tokenizer.from_folder(tiny_model, han_isolated=True)


def predictor(rows: Rows, tiny_model: Path, length: int = 32, **settings: object) -> Predictor:
    torch.manual_seed(0)
    task = QuestionAnswering.from_rows(rows, dict(settings))
    task.build_head(32)
    tokenizer = Tokenizer.from_folder(tiny_model, han_isolated=True)
    return Predictor(Model(checkpoint.load(tiny_model).encoder, task, tokenizer, length))


def batch_of(task: QuestionAnswering, rows: Rows | list[dict[str, Any]], tokenizer: Tokenizer, length: int) -> Batch:
    return task.collate(task.encode(list(rows), tokenizer, length), tokenizer.pad_id)


def pointing(batch: Batch, *places: tuple[int, int, float]) -> Tensor:
    """Logits that point, for each sequence, from a first to a last token, so much harder than to no answer."""
    output = torch.full((*batch.input_ids.shape, 2), -20.0)
    output[:, 0] = 0.0
    for s, (first, last, odds) in enumerate(places):
        output[s, first, 0] = output[s, last, 1] = odds / 2
    return output


def shown(passage: Passage, sequence: int, first: int, last: int) -> str:
    offsets = passage.sequences[sequence].offsets
    return passage.context[offsets[first][0] : offsets[last][1]]


def test_targets_are_the_pieces_of_the_first_answer(tokenizer: Tokenizer) -> None:
    passages = QuestionAnswering.from_rows(BOTH, {}).encode(list(BOTH), tokenizer, 64)
    found = [shown(one, 0, *one.target[0]) for one in passages[:2] if isinstance(one, Passage)]
    assert found == ["GOOD", "不是很快"]
    assert [one.target for one in passages[2:]] == [[NO_ANSWER]] * 2


@pytest.mark.parametrize(("context", "answer"), [(ENGLISH, "slow."), (CHINESE, "快。"), (ENGLISH, " very slow")])
def test_of_several_windows_those_that_show_all_of_the_answer_have_it(
    context: str, answer: str, tokenizer: Tokenizer
) -> None:
    rows = Rows([row(context * 3 + context.replace(answer, "") + answer, "房间", answer)])
    rows[0]["answers"][0]["start"] = rows[0]["context"].rindex(answer)
    (one,) = QuestionAnswering.from_rows(rows, {}).encode(list(rows), tokenizer, 20)
    assert isinstance(one, Passage) and len(one.sequences) > 2 and one.target[0] == NO_ANSWER
    having = [(s, place) for s, place in enumerate(one.target) if place != NO_ANSWER]
    assert having and {shown(one, s, *place) for s, place in having} == {answer.strip()}


def test_an_answer_that_was_cut_off_teaches_nothing_unless_none_is_an_answer(tokenizer: Tokenizer) -> None:
    long = [row(ENGLISH, "service", "slow")]
    for rows, expected in ((ANSWERED, (IGNORED, IGNORED)), (BOTH, NO_ANSWER)):
        task = QuestionAnswering.from_rows(rows, {"long_texts": "cut"})
        batch = batch_of(task, long, tokenizer, 12)
        assert batch.targets is not None and batch.targets.tolist() == [list(expected)]
        loss = task.loss(torch.zeros(*batch.input_ids.shape, 2), batch)
        assert float(loss) == (0.0 if rows is ANSWERED else pytest.approx(np.log(12)))


def test_the_loss_is_the_mean_over_ends_windows_and_rows(tokenizer: Tokenizer) -> None:
    task = QuestionAnswering.from_rows(BOTH, {})
    batch = batch_of(task, BOTH, tokenizer, 14)
    output = torch.randn(*batch.input_ids.shape, 2, generator=torch.Generator().manual_seed(0))
    assert batch.targets is not None and len(batch.row) > batch.rows
    each = [
        (F.cross_entropy(logits[:, 0], place[0]) + F.cross_entropy(logits[:, 1], place[1])) / 2
        for logits, place in zip(output, batch.targets, strict=True)
    ]
    rows = [torch.stack([one for one, r in zip(each, batch.row, strict=True) if r == i]).mean() for i in range(4)]
    torch.testing.assert_close(task.loss(output, batch), torch.stack(rows).mean())


def test_an_answer_has_its_place_in_the_text_that_was_given(tokenizer: Tokenizer) -> None:
    task = QuestionAnswering.from_rows(BOTH, {})
    batch = batch_of(task, ANSWERED, tokenizer, 64)
    assert batch.targets is not None
    english, chinese = task.answer(pointing(batch, *((*place, 9.0) for place in batch.targets.tolist())), batch)
    assert english == {"answer": "GOOD", "start": 13, "end": 17, "score": pytest.approx(1.0, abs=1e-3)}
    assert chinese == {"answer": "不是很快", "start": 8, "end": 12, "score": pytest.approx(1.0, abs=1e-3)}


def test_an_accent_of_which_no_piece_is_made_stays_with_its_letter(tokenizer: Tokenizer) -> None:
    rows = Rows([row("the foo\u0301d was good\u0301, very", "food", "good\u0301")])
    task = QuestionAnswering.from_rows(rows, {})
    batch = batch_of(task, rows, tokenizer, 32)
    assert batch.targets is not None
    (place,) = batch.targets.tolist()
    assert place[0] > 0, "the answer is learned"
    assert task.answer(pointing(batch, (*place, 9.0)), batch)[0]["answer"] == "good\u0301"


def test_no_answer_is_one_only_where_training_had_it(tokenizer: Tokenizer) -> None:
    none = {"answer": None, "start": None, "end": None}
    for rows in (ANSWERED, BOTH):
        task = QuestionAnswering.from_rows(rows, {})
        batch = batch_of(task, [row(ENGLISH, "the food?")], tokenizer, 64)
        (said,) = task.answer(pointing(batch, (8, 8, -2.0)), batch)
        if task.unanswerable:
            assert said == {**none, "score": pytest.approx(1 / (1 + np.exp(-2)), abs=1e-3)}
        else:
            assert said["answer"] is not None and said["score"] == pytest.approx(1.0, abs=1e-3)
        assert task.answer(pointing(batch), batch)[0]["answer"] is None or not task.unanswerable


def test_windows_are_merged_by_their_odds(tokenizer: Tokenizer) -> None:
    """Two windows that show one place are no two answers; of two places the one with the better odds is taken."""
    task = QuestionAnswering.from_rows(BOTH, {})
    batch = batch_of(task, [row("一 二 三 好 坏 快 慢 手 机 房", "书", "快")], tokenizer, 9)
    (passage,) = batch.examples
    assert isinstance(passage, Passage) and len(passage.sequences) == 3
    seen = [{shown(passage, s, t, t): t for t in range(3, len(one) - 1)} for s, one in enumerate(passage.sequences)]
    (shared,) = set(seen[0]) & set(seen[1])
    first, second = ((seen[s][shared], seen[s][shared], 1.0) for s in (0, 1))
    (said,) = task.answer(pointing(batch, first, second), batch)
    assert said["answer"] == shared and said["score"] == pytest.approx(np.e / (1 + np.e), abs=1e-2)
    other, token = next((word, token) for word, token in seen[2].items() if word not in seen[1])
    (said,) = task.answer(pointing(batch, first, second, (token, token, 3.0)), batch)
    assert said["answer"] == other and passage.context[said["start"] : said["end"]] == other


def test_the_answer_has_the_best_f1_to_expect_or_the_best_probability(tokenizer: Tokenizer) -> None:
    rows = [row("很 好 坏 快 慢", "书")]
    chosen = {}
    for choose in ("expected_f1", "probability"):
        task = QuestionAnswering.from_rows(BOTH, {"choose": choose, "length_prior": False})
        batch = batch_of(task, rows, tokenizer, 32)
        output = pointing(batch)
        output[0, 3:6, 0] = output[0, 5:8, 1] = -0.5  # nine spans around the middle, each less probable than none
        chosen[choose] = task.answer(output, batch)[0]["answer"]
    assert chosen == {"expected_f1": "好 坏 快", "probability": None}


def test_a_start_and_an_end_of_two_candidates_are_no_third_one(tokenizer: Tokenizer) -> None:
    rows = [row("好 " + "坏 " * 20 + "快", "书")]
    said = {}
    for prior in (True, False):
        task = QuestionAnswering.from_rows(ANSWERED, {"length_prior": prior})
        batch = batch_of(task, rows, tokenizer, 32)
        output = pointing(batch)
        output[0, 3], output[0, 24] = torch.tensor([4.1, 4.0]), torch.tensor([3.9, 4.1])
        said[prior] = task.answer(output, batch)[0]["answer"]
    assert said == {True: "好", False: rows[0]["context"]}


def test_usual_lengths_leave_it_as_probable_that_there_is_an_answer() -> None:
    task = QuestionAnswering.from_rows(BOTH, {})
    weighed = task._with_usual_lengths(np.array([[0, 4], [0, 5], [3, 90]]), np.array([0.1, 0.2, 0.3]))
    assert weighed.sum() == pytest.approx(0.6) and weighed[2] < 0.01


@pytest.mark.parametrize("context", ["", " ", "😀 \ud800", "第一\n\n" * 40, "good\u200d\u0301 ＡＢ１ ﬁne " * 9])
@pytest.mark.parametrize("rows", [ANSWERED, BOTH])
def test_whatever_the_text_the_answer_stands_in_it(rows: Rows, context: str, tiny_model: Path) -> None:
    (said,) = predictor(rows, tiny_model).predict([{"context": context, "question": "好?"}])
    if said["answer"] is None:
        assert said["start"] is said["end"] is None
    else:
        assert context[said["start"] : said["end"]] == said["answer"] == said["answer"].strip()
    assert 0.0 <= said["score"] <= 1.0


def test_answers_are_no_longer_than_said(tiny_model: Path) -> None:
    asked = [{"context": "一二三好坏快慢服务" * 3, "question": "书"}]
    assert all(len(predictor(ANSWERED, tiny_model, longest=n).predict(asked)[0]["answer"]) <= n for n in (1, 2, 3))


def test_answers_that_can_never_be_given_whole_are_counted() -> None:
    rows = Rows([row("很好" * 40 + " fast", "多快", "很好" * 40), row("good food", "what", "good food")])
    task = QuestionAnswering.from_rows(rows, {})
    assert task.expect(rows, rows) == [
        "1 of 2 answers are longer than 64 pieces and cannot be given whole; --set task.longest=80 gives the longest "
        "of them"
    ]
    assert QuestionAnswering.from_rows(rows, {"longest": 80}).expect(rows, rows) == []


def test_what_is_learned_is_what_stands_around_the_answers() -> None:
    long = "".join(f"这里是第{n}句话。" for n in range(60))
    rows = Rows([row(long, f"第{n}句？", f"第{n}句") for n in range(10, 40)] + [row("很好。", "多好", "很好")])
    task = QuestionAnswering.from_rows(rows, {"learned": 40})
    learned = task.study(rows, lambda texts: np.zeros((len(texts), 1), np.float32))
    assert len(learned) > len(rows) and max(len(one["context"]) for one in learned) <= 60
    for one in learned:
        for answer in one["answers"]:
            assert one["context"][answer["start"] :].startswith(answer["text"])
    assert learned[-1] == rows[-1] and learned == task.study(rows, lambda texts: np.zeros((len(texts), 1), np.float32))
    assert QuestionAnswering.from_rows(rows, {"learned": 0}).study(rows, lambda texts: np.zeros((0, 1))) is rows


def test_a_long_passage_is_read_and_a_long_question_is_cut_with_a_note(tiny_model: Path) -> None:
    made = predictor(BOTH, tiny_model)
    passage, question = made.predict(
        [{"context": ENGLISH * 9, "question": "food"}, {"context": ENGLISH, "question": "food " * 40}]
    )
    assert "note" not in passage and "cut at 32 tokens" in question["note"]
    (example,) = made.encode([{"context": ENGLISH * 2, "question": "food " * 40}])
    assert {one.sequence.count(0) for one in example.sequences} == {14}, "half of the room, however short the passage"
    assert max(end for one in example.sequences for _, end in one.offsets) == len((ENGLISH * 2).rstrip())


def test_scores_of_questions_with_and_without_an_answer() -> None:
    task = QuestionAnswering.from_rows(BOTH, {})
    said = [{"answer": text, "score": 0.5} for text in ("very slow and", "很快", None, "好")]
    scores = task.score(said, BOTH)
    assert scores.primary == "f1" and scores.per_row["exact_match"] == [0, 0, 1, 0]
    assert scores.per_row["f1"] == pytest.approx([0.8, 2 / 3, 1, 0])
    assert scores.metrics == pytest.approx(
        {
            "f1": (0.8 + 2 / 3 + 1) / 4,
            "exact_match": 0.25,
            "no_answer_accuracy": 0.5,
            "answerable_f1": (0.8 + 2 / 3) / 2,
            "answerable_exact_match": 0.0,
            "unseen_labels": 0,
        }
    )
    assert set(task.score(said[:2], ANSWERED).metrics) == {"f1", "exact_match", "unseen_labels"}
    assert task.counts(BOTH) == {"answerable": 2, "unanswerable": 2} and task.counts(ANSWERED) == {}


def test_no_answer_that_training_never_saw_is_counted_and_scored_wrong() -> None:
    task = QuestionAnswering.from_rows(ANSWERED, {})
    scores = task.score([{"answer": text, "score": 1.0} for text in ("GOOD", "不是很快", "x", "好")], BOTH)
    assert scores.metrics["unseen_labels"] == scores.details["unseen_labels"] == 2
    assert scores.details["unseen"] == {"unanswerable": 2}
    assert scores.per_row["f1"] == [1, 1, 0, 0]


def test_mistakes_and_the_tie_break() -> None:
    task = QuestionAnswering.from_rows(BOTH, {})

    def said(text: str | None, score: float) -> dict[str, Any]:
        return {"answer": text, "score": score}

    assert task.mistake(BOTH[0], said("very slow", 0.9)) is None and task.mistake(BOTH[3], said(None, 0.9)) is None
    half, whole = task.mistake(BOTH[1], said("很快", 0.9)), task.mistake(BOTH[1], said("房间", 0.9))
    assert half is not None and whole is not None and half.confidence < whole.confidence == pytest.approx(0.9)
    assert (half.text, half.gold, half.predicted) == (f"服务\n{CHINESE}", "不是很快", "很快")
    missed = task.mistake(BOTH[2], said("GOOD", 0.7))
    assert missed is not None and missed.gold == ""
    sure = [said("GOOD", 1.0), said("x", 0.0)]
    assert task.tie_break(sure, ANSWERED) == 1.0 > task.tie_break([said("GOOD", 0.4), said("x", 0.6)], ANSWERED)


def test_rows_that_do_not_fit_are_named() -> None:
    moved = {"context": "很好", "question": "好", "answers": [{"text": "好", "start": 0}]}
    rows = Rows([*ANSWERED, moved, {"context": "x", "question": None}], "问答.jsonl", [1, 2, 3, 7])
    with pytest.raises(DataError, match=r"问答.jsonl:3: the answer '好' does not stand at 0 of the context") as raised:
        QuestionAnswering.from_rows(rows, {})
    assert "问答.jsonl:7: column 'question' is None, expected a text" in str(raised.value)
    with pytest.raises(DataError, match=r"rows:1: 'answers' is None, expected a list"):
        QuestionAnswering.from_rows(ANSWERED, {}).accept(Rows([{"context": "x", "question": "y"}]))
    with pytest.raises(DataError, match="none of 2 questions has an answer"):
        QuestionAnswering.from_rows(BOTH[2:], {})


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(ConfigError, match="longest is 0, expected 1 piece or more"):
        QuestionAnswering.from_rows(BOTH, {"longest": 0})


@pytest.mark.parametrize("told", [True, False])
def test_the_match_features_are_a_setting(told: bool, tiny_model: Path) -> None:
    made = predictor(BOTH, tiny_model, match_feature=told)
    task = made.task
    assert isinstance(task, QuestionAnswering)
    assert task.head.tokens.output.in_features == 32 + told * len(FEATURES)
    assert len(made.predict([task.asked(one) for one in BOTH])) == 4
    weight = torch.arange(2.0 * len(FEATURES)).view(2, -1)
    if not told:
        with pytest.raises(UsageError, match="match_feature=true"):
            task.start_from(weight)
        return
    task.start_from(weight)
    batch = batch_of(task, BOTH, made.model.tokenizer, 32)
    features, allowed = task.matches(batch)
    with torch.no_grad():
        output = task(made.model.encoder, batch)
    torch.testing.assert_close(output[allowed], (features @ weight.T)[allowed])
    assert (output[~allowed] == torch.finfo(torch.float32).min).all()
