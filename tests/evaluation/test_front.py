"""The outcome of a search: the front is what nothing beats, and every sentence is whole in both languages."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertie.evaluation.front import Reason, SearchOutcome, Tried, beats
from bertie.evaluation.model_card import model_card
from bertie.evaluation.phrases import Language
from bertie.evaluation.report import render
from bertie.evaluation.search_phrases import SEARCH
from bertie.metrics.intervals import Interval
from tests.evaluation.reports import REPORT, Page

FIGURES = st.floats(0.0, 1.0)


def tried(name: str, score: float, latency: float, size: float) -> Tried:
    return Tried(
        names=(f"{name} en", f"{name} zh"),
        score=Interval(score, max(0.0, score - 0.02), min(1.0, score + 0.02)),
        latency=Interval(latency, 0.9 * latency, 1.1 * latency),
        megabytes=size,
    )


TRIED = (tried("words", 0.9, 0.5, 3.0), tried("tuned", 0.95, 11.0, 161.4), tried("worse", 0.94, 12.0, 161.4))
GAP = Interval(-0.004, -0.008, 0.0)
REASONS = {
    "default": Reason(why="default"),
    "better": Reason(why="better", other=1, difference=GAP),
    "simpler": Reason(why="simpler", other=1, difference=GAP),
    "room": Reason(why="room", other=1, difference=GAP, room=Interval(1.0, 0.99, 1.0)),
    "few": Reason(why="few"),
    "alone": Reason(why="alone"),
    "best": Reason(why="best"),
}
OUTCOME = SearchOutcome(
    metric="accuracy", rows=1200, tried=TRIED, chosen=0, reasons=tuple(REASONS.values()), stopped=2, failed=1
)


@given(st.lists(st.tuples(FIGURES, FIGURES, FIGURES), min_size=1, max_size=12))
def test_nothing_beats_the_front_and_all_else_is_beaten_by_it(figures: list[tuple[float, float, float]]) -> None:
    some = tuple(tried(str(i), *one) for i, one in enumerate(figures))
    front = replace(OUTCOME, tried=some, reasons=()).front
    assert front
    for i, one in enumerate(some):
        assert (i in front) != any(beats(some[k], one) for k in front)


def test_what_is_worse_in_all_is_not_on_the_front_and_the_best_score_is_first() -> None:
    assert OUTCOME.front == [1, 0]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_reason_is_a_sentence(language: Language) -> None:
    lines = OUTCOME.lines(language)
    assert not [line for line in lines if "{" in line or "None " in line.removeprefix("None of")]
    assert len(lines) == 1 + len(REASONS) + 1 + 2
    name = TRIED[0].name(language)
    assert name in lines[0] and "2" in lines[0]
    marked = next(line for line in lines if line.startswith("  ") and name in line)
    assert marked.endswith(SEARCH["mark"][language != "en"])
    simpler = OUTCOME.details(language)[2]
    for figure in ("−0.4", "−0.8", "0.8", "0.5", "11", "3 MB", "161 MB", "1,200"):
        assert figure in simpler, figure


def test_points_are_those_of_a_percentage() -> None:
    by_frames, by_order = (
        replace(OUTCOME, metric=metric).details("en")[2] for metric in ("frame_accuracy", "spearman")
    )
    assert "−0.4 points" in by_frames and "no more than 0.8 points" in by_frames
    assert "is −0.004 on the" in by_order and "no more than 0.008. So" in by_order


def test_both_languages_tell_the_same() -> None:
    for name, (english, chinese) in SEARCH.items():
        assert set(re.findall(r"{(\w+)}", english)) == set(re.findall(r"{(\w+)}", chinese)), name


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_report_and_the_card_hold_it(language: Language) -> None:
    report = replace(REPORT, language=language, search=OUTCOME)
    page, card = Page(render(report)), model_card(report)
    assert ("section", {"id": "search"}) in page.elements
    for words in (*OUTCOME.details(language), TRIED[0].name(language), "90.0%", "161"):
        assert words in page.text, words
    assert TRIED[1].name(language) in card and TRIED[2].name(language) not in card


def test_it_is_plain_json() -> None:
    found = json.loads(json.dumps(OUTCOME.as_json()))
    assert (found["chosen"], found["dev_rows"], found["stopped"], found["failed"]) == ("words en", 1200, 2, 1)
    assert [one["front"] for one in found["tried"]] == [True, True, False]
