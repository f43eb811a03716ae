"""Answers are scored as SQuAD's and CMRC's scripts score them; what differs on purpose is shown case by case."""

from __future__ import annotations

import re
import string
from collections import Counter

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from nltk.tokenize import NLTKWordTokenizer

from bertie.core.errors import DataError
from bertie.metrics.answers import answer_f1, answer_tokens, exact_match
from bertie.metrics.intervals import mean_interval, paired_difference

english = st.text(st.sampled_from([*"abthexcn", *" .,'-!?", "é"]), max_size=14)
# What CMRC's script and ours read alike: common Han, letters, digits, spaces, NLTK's signs, the marks of the script.
CMRC_MARKS = "-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』"
piece = st.text(st.sampled_from([*"北京大学的天", *"aB12", *" @#$%&", *CMRC_MARKS]), max_size=7)
chinese = st.tuples(piece, st.sampled_from("北京大学的天"), piece).map("".join)
any_texts = st.lists(st.text(st.sampled_from([*"北京，。", *"aA ", *"the", *"12.％"]), max_size=10), max_size=3)


def squad_words(text: str) -> list[str]:
    """SQuAD's normalize_answer, in its four steps."""
    without_marks = "".join(mark for mark in text.lower() if mark not in set(string.punctuation))
    return re.sub(r"\b(a|an|the)\b", " ", without_marks).split()


def squad_f1(answer: str, predicted: str) -> float:
    truth, guess = squad_words(answer), squad_words(predicted)
    common = sum((Counter(truth) & Counter(guess)).values())
    if not common:
        return 0.0
    precision, recall = common / len(guess), common / len(truth)
    return 2 * precision * recall / (precision + recall)


def cmrc_segments(text: str) -> list[str]:
    """CMRC's segmentation: marks of its list dropped, Han alone, NLTK's words between them."""
    kept = "".join(mark for mark in text.lower().strip() if mark not in CMRC_MARKS)
    parts = re.split(r"([\u4e00-\u9fa5])", kept)
    return [word for part in parts for word in NLTKWordTokenizer().tokenize(part)]


def cmrc_f1(answer: str, predicted: str) -> float:
    """CMRC's F1: `common` is the longest common substring of segments, from its dynamic programme."""
    truth, guess = cmrc_segments(answer), cmrc_segments(predicted)
    common, before = 0, [0] * (len(guess) + 1)
    for segment in truth:
        runs = [0] + [before[j] + 1 if segment == other else 0 for j, other in enumerate(guess)]
        common, before = max(common, *runs), runs
    if not common:
        return 0.0
    precision, recall = common / len(guess), common / len(truth)
    return 2 * precision * recall / (precision + recall)


@given(st.lists(english, min_size=1, max_size=3), english)
def test_english_equals_the_script_of_squad(answers: list[str], predicted: str) -> None:
    assume(squad_words(predicted) and all(squad_words(answer) for answer in answers))
    expected = float(any(squad_words(answer) == squad_words(predicted) for answer in answers))
    assert exact_match([answers], [predicted]) == [expected]
    assert answer_f1([answers], [predicted]) == [pytest.approx(max(squad_f1(a, predicted) for a in answers))]


@given(st.lists(chinese, min_size=1, max_size=3), chinese)
def test_chinese_equals_the_script_of_cmrc(answers: list[str], predicted: str) -> None:
    assert answer_f1([answers], [predicted]) == [pytest.approx(max(cmrc_f1(a, predicted) for a in answers))]
    expected = float(any(cmrc_segments(answer) == cmrc_segments(predicted) for answer in answers))
    assert exact_match([answers], [predicted]) == [expected]


@pytest.mark.parametrize(
    ("gold", "predicted", "exact", "f1"),
    [
        (["Denver Broncos"], "the Denver Broncos!", 1.0, 1.0),
        (["Denver Broncos", "Broncos"], "Broncos", 1.0, 1.0),
        (["in 1999 or 2000"], "1999", 0.0, 2 / 5),
        (["new York city"], "city York", 0.0, 4 / 5),  # a bag: order and gaps are nothing
        (["北京大学"], "北京大学。", 1.0, 1.0),
        (["北京大学", "北大"], "北大", 1.0, 1.0),
        (["北京大学"], "北京的大学", 0.0, 4 / 9),  # no bag: 北京 is the longest run, 大学 not added
        (["北京大学"], "上海", 0.0, 0.0),
        (["2008年"], "2008", 0.0, 2 / 3),
        (["iPhone 7 Plus"], "iphone 7 plus手机", 0.0, 6 / 8),
    ],
)
def test_by_hand(gold: list[str], predicted: str, exact: float, f1: float) -> None:
    assert exact_match([gold], [predicted]) == [exact]
    assert answer_f1([gold], [predicted]) == [pytest.approx(f1)]


@pytest.mark.parametrize(
    ("gold", "predicted", "right"),
    [
        ("ＡＢＣ公司", "abc公司", True),
        ("２００８", "2008", True),  # no Han, but full-width: Chinese
        ("甲，乙", "甲,乙", True),
        ("‘甲’……", "甲", True),
        ("甲 乙", "甲乙", True),
        ("3.14米", "314米", False),
        ("1,000元", "1000元", False),
        ("5%左右", "5左右", False),
        ("５％左右", "5%左右", True),
        ("𠮷野家", "𠮷野家", True),
    ],
)
def test_chinese_forms_that_the_script_does_not_know(gold: str, predicted: str, right: bool) -> None:
    assert exact_match([[gold]], [predicted]) == [float(right)]
    assert (answer_f1([[gold]], [predicted]) == [1.0]) == right


@pytest.mark.parametrize("nothing", [[], [""], ["", " "]])
def test_without_an_answer_only_an_empty_prediction_is_right(nothing: list[str]) -> None:
    for score in (exact_match, answer_f1):
        said = ["", " \n", "x", "北京", "the", "。"]
        assert score([nothing] * 6, said) == [1.0, 1.0, 0.0, 0.0, 0.0, 0.0]
        assert score([["x"], ["", "北京"]], ["", ""]) == [0.0, 0.0]


@pytest.mark.parametrize("text", ["The", "a", "?", "。", "《》", "……"])
def test_an_answer_of_nothing_but_what_is_dropped_is_still_an_answer(text: str) -> None:
    for score in (exact_match, answer_f1):
        assert score([[text], [text]], [text, "something else"]) == [1.0, 0.0]


@given(st.lists(st.tuples(any_texts, st.text(st.sampled_from("北京 aAthe.，"), max_size=8)), min_size=1, max_size=5))
def test_exact_is_the_most_that_f1_can_be(rows: list[tuple[list[str], str]]) -> None:
    gold, predicted = [g for g, _ in rows], [p for _, p in rows]
    for exact, f1 in zip(exact_match(gold, predicted), answer_f1(gold, predicted), strict=True):
        assert exact in (0.0, 1.0) and exact <= f1 <= 1.0
    assert exact_match([[p] for p in predicted], predicted) == [1.0] * len(rows)


@given(st.text(), st.booleans())
def test_only_an_empty_text_has_no_tokens(text: str, in_chinese: bool) -> None:
    assert (answer_tokens(text, in_chinese) == []) == (not text.strip())


def test_a_long_prediction_is_searched_whole() -> None:
    answer, long = "天气很好", "的" * 400 + "天气很好" + "的" * 400
    assert answer_f1([[answer]], [long]) == [pytest.approx(8 / 808)]
    assert answer_f1([["的" * 300]], [long]) == [pytest.approx(600 / 1104)]


def test_the_lists_are_what_intervals_take() -> None:
    f1 = answer_f1([["北京"], ["上海"]], ["北京", "上"])
    assert mean_interval(f1).value == pytest.approx((1 + 2 / 3) / 2)
    assert paired_difference(f1, exact_match([["北京"], ["上海"]], ["北京", "上"])).holds_zero


def test_a_text_is_no_list_of_answers_and_no_rows_are_an_error() -> None:
    for score in (exact_match, answer_f1):
        with pytest.raises(DataError, match=r"found the answer '北京'.*write \['北京'\]"):
            score(["北京"], ["北京"])
        with pytest.raises(DataError, match="no rows to score"):
            score([], [])
