"""The verdict says the least flattering true thing, in both languages."""

from __future__ import annotations

import string
from dataclasses import replace

import pytest

from bertie.evaluation.phrases import PHRASES, figure, language_of, points, spoken
from bertie.evaluation.verdict import FloorFigure, compare, verdict
from bertie.metrics.intervals import Interval

MODEL = Interval(0.90, 0.87, 0.92)


def floor(value: float, low: float, high: float) -> FloorFigure:
    return FloorFigure(Interval(value, value - 0.03, value + 0.03), Interval(0.90 - value, low, high))


BETTER, NARROW = floor(0.80, 0.07, 0.13), floor(0.88, 0.005, 0.035)
EQUAL, WORSE = floor(0.89, -0.01, 0.03), floor(0.95, -0.07, -0.03)


@pytest.mark.parametrize(
    ("one", "finding"), [(BETTER, "better"), (NARROW, "narrow"), (EQUAL, "equal"), (WORSE, "worse")]
)
def test_what_a_floor_says_about_the_model(one: FloorFigure, finding: str) -> None:
    assert compare(MODEL, one) == finding
    for language in ("en", "zh"):
        said = verdict("accuracy", MODEL, {"tfidf": one, "frozen_encoder": BETTER}, language)
        assert said.finding == finding and said.headline and figure("accuracy", one.figure.value) in said.detail


def test_an_exact_tie_is_no_win() -> None:
    assert compare(MODEL, floor(0.90, 0.0, 0.0)) == "equal"


def test_the_strongest_of_the_beaten_floors_is_named() -> None:
    said = verdict("accuracy", MODEL, {"tfidf": floor(0.7, 0.1, 0.3), "frozen_encoder": BETTER}, "en")
    assert "frozen encoder + linear, reaches 80.0%" in said.detail and "10.0 points" in said.detail


def test_being_behind_is_told_in_positive_points() -> None:
    said = verdict("accuracy", MODEL, {"tfidf": WORSE}, "en")
    assert "behind by 5.0 points (95% interval 3.0 to 7.0)" in said.detail


def test_a_part_of_rows_is_told_in_points_and_a_correlation_without_a_unit() -> None:
    frames, masked, ordered = (
        verdict(metric, MODEL, {"tfidf": WORSE}, "en").detail
        for metric in ("frame_accuracy", "masked_accuracy", "spearman")
    )
    assert "reaches 95.0%" in frames and "behind by 5.0 points (95% interval 3.0 to 7.0)" in frames
    assert "behind by 5.0 points" in masked
    assert "reaches 0.95" in ordered and "behind by 0.05 (95% interval 0.03 to 0.07)" in ordered
    assert "落后 0.05（95%" in verdict("spearman", MODEL, {"tfidf": WORSE}, "zh").detail


@pytest.mark.parametrize(
    ("language", "faster", "same"), [("en", "simpler and faster", "the same encoder"), ("zh", "更快", "同一编码器")]
)
def test_a_floor_that_runs_the_same_encoder_is_not_called_faster(language: str, faster: str, same: str) -> None:
    other = verdict("accuracy", MODEL, {"tfidf": EQUAL}, language).detail  # type: ignore[arg-type]
    assert faster in other and same not in other
    floors = {"frozen_encoder": replace(EQUAL, reads_encoder=True), "tfidf": BETTER}
    said = verdict("accuracy", MODEL, floors, language)  # type: ignore[arg-type]
    assert said.finding == "equal" and same in said.detail and faster not in said.detail
    assert figure("accuracy", EQUAL.figure.value) in said.detail


def test_without_floors_it_says_so() -> None:
    assert verdict("accuracy", MODEL, {}, "en").finding == "alone"


@pytest.mark.parametrize("name", PHRASES)
def test_both_languages_have_the_same_places_to_fill(name: str) -> None:
    english, chinese = ({part[1] for part in string.Formatter().parse(text)} - {None} for text in PHRASES[name])
    assert english == chinese and all(PHRASES[name])


def test_figures_of_metrics_without_percent_keep_their_unit() -> None:
    assert (figure("perplexity", 12.3456), points("perplexity", -0.25)) == ("12.35", "−0.25")
    assert (figure("accuracy", 0.9123), points("accuracy", -0.012)) == ("91.2%", "−1.2")
    assert spoken("macro_f1", "zh") == "宏平均 F1" and spoken("my_metric", "en") == "my metric"


def test_the_page_speaks_the_language_of_the_data() -> None:
    assert language_of(["这家酒店不错", "iPhone 很好用"]) == "zh"
    assert language_of(["a fine hotel"]) == language_of(["12 34"]) == "en"
