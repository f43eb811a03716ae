"""BLEU and chrF are sacrebleu's, ROUGE is rouge-score's on English, and Chinese counts."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from bertie.core.errors import DataError
from bertie.metrics.generation import ROUGE, Language, bleu, chrf, rouge
from bertie.metrics.intervals import mean_interval

ENGLISH = [
    (["The cat sat on the mat.", "A cat was sitting on the mat."], "The cat is sitting on the mat."),
    (["It is raining, isn't it?"], "It rains today, doesn't it?"),
    (["He paid $3.50 for two well-known books."], "He paid $3.50 for 2 well-known books."),
]
CHINESE = [
    (["今天天气很好，我们去公园吧。", "今天天气不错，去公园吧！"], "今天天气很好，去公园玩吧。"),
    (["他买了一部iPhone 15手机。"], "他买了一台 iPhone 15 手机。"),
    (["２０２４年经济增长5%。"], "2024年经济增长了5%。"),
]

english = st.text(st.sampled_from("ab c.,A1-"), max_size=20)
texts = st.text(st.sampled_from([*"北京天气好", *"，。！", *"ab 1"]), max_size=12)


def columns(rows: list[tuple[list[str], str]]) -> tuple[list[list[str]], list[str]]:
    return [gold for gold, _ in rows], [predicted for _, predicted in rows]


def padded(gold: list[list[str]]) -> list[list[str | None]]:
    """sacrebleu's own form: a stream for each place, None where a row has no such reference."""
    most = max(map(len, gold))
    return [[row[i] if i < len(row) else None for row in gold] for i in range(most)]


@pytest.mark.parametrize(
    ("rows", "language", "tokenizer"),
    [
        (ENGLISH, "en", "13a"),
        (ENGLISH, "other", "13a"),
        (CHINESE, "zh", "zh"),
        ([*ENGLISH, *CHINESE], "mixed", "zh"),
    ],
)
def test_bleu_and_chrf_equal_sacrebleu(rows: list[tuple[list[str], str]], language: Language, tokenizer: str) -> None:
    gold, predicted = columns(rows)
    expected = BLEU(tokenize=tokenizer).corpus_score(predicted, padded(gold)).score  # type: ignore[arg-type]
    assert 0.1 < bleu(gold, predicted, language) == pytest.approx(expected / 100)
    expected = CHRF().corpus_score(predicted, padded(gold)).score  # type: ignore[arg-type]
    assert 0.1 < chrf(gold, predicted) == pytest.approx(expected / 100)


def test_chinese_without_its_tokenizer_would_be_compared_by_the_clause() -> None:
    gold, predicted = columns(CHINESE[:1])
    assert bleu(gold, predicted, "en") == 0.0
    assert bleu(gold, predicted, "zh") > 0.5


@settings(deadline=None)
@given(st.lists(english, min_size=1, max_size=3), english)
def test_rouge_equals_rouge_score_on_english(references: list[str], predicted: str) -> None:
    scorer = RougeScorer(list(ROUGE))
    expected = {name: score.fmeasure for name, score in scorer.score_multi(references, predicted).items()}
    assume(expected["rouge1"] < 1.0)  # equal texts are told apart below
    assume(any(mark.isalnum() for mark in predicted) and all(any(m.isalnum() for m in r) for r in references))
    assert rouge([references], [predicted]) == {name: [pytest.approx(value)] for name, value in expected.items()}


def test_rouge_of_chinese_by_hand() -> None:
    found = rouge([["今天天气好"], ["天气"]], ["今天好天气", "BERT"])
    assert found["rouge1"] == [1.0, 0.0]
    assert found["rouge2"] == [pytest.approx(2 / 4), 0.0]  # 今天 and 天气 of four each
    assert found["rougeL"] == [pytest.approx(4 / 5), 0.0]  # 今天天气
    assert rouge([["我用 BERT 分类"]], ["我用bert分类"])["rouge2"] == [1.0], "a space beside Han is nothing"


@settings(deadline=None)
@given(st.lists(texts, min_size=1, max_size=3), texts)
def test_equal_texts_score_1_and_others_less_or_as_much(references: list[str], predicted: str) -> None:
    equal = rouge([[*references, predicted]], [predicted])
    assert equal == {name: [1.0] for name in ROUGE}
    found = rouge([references], [predicted])
    assert set(found) == set(ROUGE)
    assert all(0.0 <= value <= 1.0 for values in found.values() for value in values)


@pytest.mark.parametrize("text", ["好", "你好", "！！！", "😀", "OK", "今天天气很好。"])
def test_equal_texts_never_score_0_however_short(text: str) -> None:
    assert rouge([[text]], [text]) == {name: [1.0] for name in ROUGE}
    assert chrf([[text]], [text]) == pytest.approx(1.0)
    assert bleu([[text]], [text], "zh") == pytest.approx(1.0)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.lists(texts, min_size=1, max_size=3), texts), min_size=1, max_size=4))
def test_figures_stand_between_0_and_1(rows: list[tuple[list[str], str]]) -> None:
    gold, predicted = columns(rows)
    for value in (bleu(gold, predicted, "zh"), bleu(gold, predicted, "en"), chrf(gold, predicted)):
        assert 0.0 <= value <= 1.0


def test_rouge_lists_are_what_intervals_take() -> None:
    gold, predicted = columns([*ENGLISH, *CHINESE])
    for values in rouge(gold, predicted).values():
        interval = mean_interval(values, resamples=100)
        assert len(values) == 6 and interval.low <= interval.value <= interval.high


def test_a_row_without_a_reference_is_named() -> None:
    for score in (lambda gold, said: bleu(gold, said, "zh"), chrf, rouge):
        with pytest.raises(DataError, match="row 2 of 2: found no reference"):
            score([["好"], []], ["好", "好"])
        with pytest.raises(DataError, match=r"found the reference '好'.*write \['好'\]"):
            score(["好"], ["好"])
        with pytest.raises(DataError, match="no rows to score"):
            score([], [])
