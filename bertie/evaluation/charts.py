"""Charts: small SVG drawings for a page without scripts.

In:  points, figures with intervals, a matrix
Out: safe markup that takes its colours from the page's style sheet, in light and dark
Knows nothing of reports. Every word goes through `Markup.format`, which escapes it.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from markupsafe import Markup

from bertie.metrics.intervals import Interval

WIDTH, HEIGHT = 420, 190
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 14, 26
MOST_POINTS = 240
"""More points than pixels only make the file large; the rest is averaged away."""
ROW, NAMES, SHOWN = 40, 190, 720
WIDEST = 376
"""Names stand in the first `NAMES` pixels, in up to so many where they are long; what is longer still is cut."""
HAN_WIDTH, LETTER_WIDTH = 14.0, 7.5
"""Of a character in the names, roughly: which font a browser takes is not known here."""
GAP = 16
TALL = 300
"""Height of a drawing as wide as the page."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Axis:
    """Maps values to pixels."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        width = self.high - self.low
        share = (value - self.low) / width if width else 0.5
        return round(self.start + share * (self.end - self.start), 1)


@dataclass(frozen=True)
class Bar:
    """A figure with its interval, one line of `intervals`."""

    name: str
    text: str
    interval: Interval
    model: bool


def intervals(bars: Sequence[Bar], percent: bool) -> Markup:
    """A dot and a bar for each, on one scale: the model and its floors."""
    low, high = _padded([b.interval.low for b in bars] + [b.interval.high for b in bars], bool(percent))
    names = [_fitting(bar.name, WIDEST - GAP) for bar in bars]
    edge = max([NAMES, *(math.ceil(_width(name)) + GAP for name in names)])
    axis = Axis(low, high, edge, SHOWN - 90)
    height = ROW * len(bars) + 26
    parts = [_tick_line(axis, value, height, percent) for value in _ticks(low, high)]
    for i, bar in enumerate(bars):
        y = i * ROW + 22
        kind = "model" if bar.model else "floor"
        parts.append(
            Markup(
                '<g class="{}"><text class="name" x="{}" y="{}">{}</text><line x1="{}" y1="{}" x2="{}" y2="{}"/>'
                '<circle cx="{}" cy="{}" r="6"/><text class="value" x="{}" y="{}">{}</text></g>'
            ).format(
                kind, edge - GAP, y + 5, names[i], axis(bar.interval.low), y, axis(bar.interval.high), y,
                axis(bar.interval.value), y, SHOWN, y + 5, bar.text,
            )
        )  # fmt: skip
    return _svg("intervals", SHOWN, height, parts, ", ".join(f"{bar.name} {bar.text}" for bar in bars))


def _width(name: str) -> float:
    """Pixels that a name takes in a drawing."""
    return sum(HAN_WIDTH if unicodedata.east_asian_width(sign) in "WF" else LETTER_WIDTH for sign in name)


def _fitting(name: str, pixels: float) -> str:
    """The name, cut at its end where it is too long."""
    if _width(name) <= pixels:
        return name
    ends = accumulate(_width(sign) for sign in name)
    return name[: sum(end <= pixels - HAN_WIDTH for end in ends)].rstrip() + "…"


def line(points: Sequence[Point], title: str, *, percent: bool = False, mark: Point | None = None) -> Markup:
    """A curve over the steps; `mark` is ringed. Needs one point; a single one is drawn as a dot."""
    shown = thinned(points)
    xs, ys = [x for x, _ in points], [y for _, y in shown]
    low, high = _padded(ys, percent)
    across = Axis(min(0.0, *xs), max(xs), LEFT, WIDTH - RIGHT)
    up = Axis(low, high, HEIGHT - BOTTOM, TOP)
    parts = [_level(up, value, percent) for value in _ticks(low, high)]
    parts += [
        Markup('<text class="tick" x="{}" y="{}" text-anchor="{}">{}</text>').format(
            across(value), HEIGHT - 8, anchor, f"{value:,.0f}"
        )
        for value, anchor in ((across.low, "start"), (across.high, "end"))
    ]
    path = " ".join(f"{across(x)},{up(y)}" for x, y in shown)
    parts.append(Markup('<polyline points="{}"/>').format(path))
    if len(shown) <= 30:
        parts += [Markup('<circle class="dot" cx="{}" cy="{}" r="2.5"/>').format(across(x), up(y)) for x, y in shown]
    if mark:
        parts.append(Markup('<circle class="mark" cx="{}" cy="{}" r="6"/>').format(across(mark[0]), up(mark[1])))
    return _svg("line", WIDTH, HEIGHT, parts, title)


@dataclass(frozen=True)
class Place:
    """A value on the lower axis that is pointed at."""

    value: float
    text: str
    high: bool = False
    """Whether it is a place to stay away from."""


def over_rates(raw: Sequence[Point], smoothed: Sequence[Point], places: Sequence[Place], title: str) -> Markup:
    """Losses over learning rates, which rise by factors: single steps thin, their means above them. Needs two points.

    Single losses may leave the frame; they are held at its edge.
    """
    low, high = _padded([y for _, y in smoothed], percent=False)
    rates = [math.log10(x) for x, _ in smoothed]
    across = Axis(min(rates), max(rates), LEFT, SHOWN - RIGHT)
    up = Axis(low, high, TALL - BOTTOM, 2 * TOP)
    parts = [_level(up, value, False, SHOWN) for value in _ticks(low, high)]
    for power in range(math.ceil(across.low), math.floor(across.high) + 1):
        parts.append(
            Markup('<text class="tick" x="{}" y="{}" text-anchor="middle">1e{}</text>').format(
                across(power), TALL - 8, power
            )
        )
    for kind, points in (("raw", raw), ("", smoothed)):
        path = " ".join(f"{across(math.log10(x))},{up(min(max(y, low), high))}" for x, y in points)
        parts.append(Markup('<polyline class="{}" points="{}"/>').format(kind, path))
    for place in places:
        x = across(math.log10(place.value))
        parts.append(
            Markup(
                '<line class="at{}" x1="{}" y1="{}" x2="{}" y2="{}"/>'
                '<text class="note" x="{}" y="{}" text-anchor="middle">{}</text>'
            ).format(" high" if place.high else "", x, 2 * TOP, x, TALL - BOTTOM, x, TOP + 6, place.text)
        )
    return _svg("line", SHOWN, TALL, parts, title)


def thinned(points: Sequence[Point]) -> list[Point]:
    """At most `MOST_POINTS`, each the mean of its neighbours: single losses jump, their mean tells."""
    if len(points) <= MOST_POINTS:
        return list(points)
    parts = np.array_split(np.asarray(points, dtype=np.float64), MOST_POINTS)
    return [(float(x), float(y)) for x, y in (part.mean(axis=0) for part in parts)]


def _svg(kind: str, width: int, height: int, parts: Sequence[Markup], label: str) -> Markup:
    return Markup('<svg class="{}" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        kind, width, height, label, Markup("").join(parts)
    )


def _tick_line(axis: Axis, value: float, height: int, percent: bool) -> Markup:
    x = axis(value)
    return Markup(
        '<line class="grid" x1="{}" y1="0" x2="{}" y2="{}"/>'
        '<text class="tick" x="{}" y="{}" text-anchor="middle">{}</text>'
    ).format(x, x, height - 18, x, height - 4, _short(value, percent))


def _level(up: Axis, value: float, percent: bool, width: int = WIDTH) -> Markup:
    y = up(value)
    return Markup(
        '<line class="grid" x1="{}" y1="{}" x2="{}" y2="{}"/>'
        '<text class="tick" x="{}" y="{}" text-anchor="end">{}</text>'
    ).format(LEFT, y, width - RIGHT, y, LEFT - 6, y + 4, _short(value, percent))


def _short(value: float, percent: bool) -> str:
    return f"{value * 100:.3g}%" if percent else f"{value:.3g}"


def _padded(values: Sequence[float], percent: bool) -> tuple[float, float]:
    """A little air around the values; a share never shows less than 0 or more than 1."""
    low, high = min(values), max(values)
    air = (high - low) * 0.08 or max(abs(high) * 0.05, 0.01)
    return (max(0.0, low - air), min(1.0, high + air)) if percent else (low - air, high + air)


def _ticks(low: float, high: float) -> list[float]:
    """Three to six round numbers between the two."""
    rough = max(high - low, 1e-9) / 4
    power = 10.0 ** np.floor(np.log10(rough))
    step = next(power * factor for factor in (1.0, 2.0, 2.5, 5.0, 10.0) if power * factor >= rough * 0.999)
    return [float(round(i * step, 10)) for i in range(int(np.ceil(low / step)), int(np.floor(high / step)) + 1)]
