"""Charts: inside their frame, few enough points, any values."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertie.evaluation.charts import (
    HEIGHT,
    MOST_POINTS,
    SHOWN,
    TALL,
    WIDTH,
    Bar,
    Place,
    intervals,
    line,
    over_rates,
    thinned,
)
from bertie.evaluation.floor_files import FLOORS
from bertie.evaluation.phrases import Language, spoken
from bertie.metrics.intervals import Interval

values = st.floats(-1e6, 1e6, allow_nan=False)


@settings(max_examples=60, deadline=None)
@given(st.lists(values, min_size=1, max_size=500))
def test_a_curve_stays_inside_its_frame(ys: list[float]) -> None:
    svg = ElementTree.fromstring(str(line([(float(i), y) for i, y in enumerate(ys)], "loss")))
    curve = svg.find("polyline")
    assert curve is not None
    for x, y in (map(float, point.split(",")) for point in curve.attrib["points"].split()):
        assert 0 <= x <= WIDTH and 0 <= y <= HEIGHT


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=5))
def test_intervals_stay_inside_their_frame(triples: list[tuple[float, float, float]]) -> None:
    bars = [
        Bar("名", "x", Interval(middle, low, high), i == 0)
        for i, (low, middle, high) in enumerate(map(sorted, triples))
    ]
    svg = ElementTree.fromstring(str(intervals(bars, percent=True)))
    assert all(0 <= float(circle.attrib["cx"]) <= SHOWN for circle in svg.iter("circle"))
    assert len(list(svg.iter("circle"))) == len(bars)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(values, st.just(float("inf"))), min_size=2, max_size=100), st.floats(-9, 2))
def test_losses_over_rates_stay_inside_their_frame(losses: list[float], low: float) -> None:
    rates = [10 ** (low + i / 20) for i in range(len(losses))]
    means = [min(loss, 10.0) for loss in losses]
    places = [Place(rates[-1], "過高", high=True)]
    drawing = over_rates(list(zip(rates, losses, strict=True)), list(zip(rates, means, strict=True)), places, "loss")
    svg = ElementTree.fromstring(str(drawing))
    curves = svg.findall("polyline")
    assert len(curves) == 2
    for x, y in (map(float, point.split(",")) for curve in curves for point in curve.attrib["points"].split()):
        assert 0 <= x <= SHOWN and 0 <= y <= TALL
    (mark,) = (one for one in svg.findall("line") if one.attrib["class"] == "at high")
    assert mark.attrib["x1"] == mark.attrib["x2"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_names_of_floors_are_shown_whole_and_beside_their_bars(language: Language) -> None:
    """A letter takes 7 pixels and a Han character 14, or a little less."""
    figure = Interval(0.5, 0.1, 0.9)
    for name in ("short", *(spoken(floor, language) for floor in FLOORS.classes())):
        svg = ElementTree.fromstring(str(intervals([Bar(name, "x", figure, False)], percent=True)))
        text, bar = svg.find("g/text"), svg.find("g/line")
        assert text is not None and bar is not None and text.text == name
        width = sum(14 if sign >= "\u2e80" else 7 for sign in name)
        assert float(text.attrib["x"]) - width >= 0 and float(text.attrib["x"]) < float(bar.attrib["x1"])
        assert float(bar.attrib["x2"]) - float(bar.attrib["x1"]) > 150


def test_a_name_without_end_is_cut() -> None:
    for name in ("long name " * 50, "很长" * 100):
        drawing = str(intervals([Bar(name, "x", Interval(0.5, 0.4, 0.6), False)], percent=True))
        text = ElementTree.fromstring(drawing).find("g/text")
        assert text is not None and text.text is not None and text.text.endswith("…")
        assert name.startswith(text.text[:-1]) and 20 < len(text.text) < 50 and f'aria-label="{name} x"' in drawing


def test_many_points_are_averaged_and_keep_their_mean() -> None:
    points = [(float(i), float(i % 7)) for i in range(MOST_POINTS * 10)]
    found = thinned(points)
    assert len(found) == MOST_POINTS
    assert sum(y for _, y in found) / MOST_POINTS == pytest.approx(sum(y for _, y in points) / len(points))


def test_words_in_a_drawing_are_escaped() -> None:
    bar = Bar("</text><script>", '"><x', Interval(0.5, 0.4, 0.6), True)
    drawing = str(intervals([bar], percent=True)) + str(line([(0.0, 1.0)], "'><script>"))
    assert "<script" not in drawing and not re.search("<x", drawing)
