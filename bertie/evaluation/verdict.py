"""Verdict: is the model better than a plain baseline? Said first, in words.

In:  the model's interval; each floor's value and its paired difference to the model
Out: `Verdict`: what was found, a headline and a sentence, in English or Chinese
Knows nothing of how anything was measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bertie.evaluation.phrases import Language, figure, phrases, points, spoken, unit
from bertie.metrics.intervals import Interval

Finding = Literal["worse", "equal", "narrow", "better", "alone"]
ORDER: tuple[Finding, ...] = ("worse", "equal", "narrow", "better")
"""What is said when several floors are found differently: the least flattering."""


@dataclass(frozen=True)
class FloorFigure:
    """A floor on the same rows as the model."""

    figure: Interval
    difference: Interval
    """Model minus floor, paired row by row."""
    reads_encoder: bool = False
    """Whether its answers are those of the model's encoder before the tuning, and so no faster."""


@dataclass(frozen=True)
class Verdict:
    """What the report and the model card open with."""

    finding: Finding
    headline: str
    detail: str


def verdict(metric: str, model: Interval, floors: Mapping[str, FloorFigure], language: Language) -> Verdict:
    """The least flattering true statement about the model and its floors."""
    words = phrases(language)
    if not floors:
        return Verdict("alone", words["alone"], "")
    found = {name: compare(model, floor) for name, floor in floors.items()}
    finding = min(found.values(), key=ORDER.index)
    alike = [name for name in floors if found[name] == finding]
    name = max(alike, key=lambda one: floors[one].figure.value)
    floor, shown = floors[name], spoken(name, language)
    gain = floor.difference
    low, value, high = gain.low, gain.value, gain.high
    if finding == "worse":
        low, value, high = -gain.high, -gain.value, -gain.low
    same = "_encoder" if finding == "equal" and floor.reads_encoder else ""
    detail = words[f"{finding}{same}_detail"].format(
        floor=shown,
        value=figure(metric, floor.figure.value),
        difference=points(metric, value),
        low=points(metric, low),
        high=points(metric, high),
        unit=unit(metric, language),
    )
    return Verdict(finding, words[finding].format(floor=shown), detail)


def compare(model: Interval, floor: FloorFigure) -> Finding:
    """By the paired difference, the sharper test; `narrow` where the floor still lies in the model's interval."""
    if floor.difference.high < 0.0:
        return "worse"
    if floor.difference.low <= 0.0:
        return "equal"
    return "narrow" if floor.figure.value >= model.low else "better"
