"""The outcome of a search: what was tried, what nothing else beats, what was chosen and why. In words.

In:  score, latency and size of each model that was finished; the reasons of the choice
Out: the Pareto front; a headline and sentences, in English or Chinese; plain JSON
Knows nothing of how anything was tried, measured or chosen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from bertie.evaluation import phrases
from bertie.evaluation.phrases import Language
from bertie.evaluation.search_phrases import search_phrases
from bertie.metrics.intervals import Interval

Why = Literal["default", "better", "simpler", "room", "few", "alone", "best"]


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A model that was finished."""

    names: tuple[str, str]
    """In English and in Chinese."""
    score: Interval
    """On the development rows."""
    latency: Interval
    """Milliseconds a row."""
    megabytes: float

    def name(self, language: Language) -> str:
        """What a person calls it."""
        return self.names[0 if language == "en" else 1]


@dataclass(frozen=True, kw_only=True)
class Reason:
    """One step of the choice; what of it is told depends on `why`."""

    why: Why
    other: int | None = None
    """Place in `SearchOutcome.tried` of what it was compared with."""
    difference: Interval | None = None
    """The chosen one minus the other."""
    room: Interval | None = None
    """Its cross-validated score."""


@dataclass(frozen=True, kw_only=True)
class SearchOutcome:
    """Everything that a report tells of a search."""

    metric: str
    rows: int
    """Development rows."""
    tried: tuple[Tried, ...]
    chosen: int
    """Place in `tried`."""
    reasons: tuple[Reason, ...]
    stopped: int = 0
    """Trials that were stopped early: they lagged, or were over the memory that there is."""
    failed: int = 0

    @property
    def front(self) -> list[int]:
        """Places of what nothing else beats, the best score first."""
        places = [i for i, one in enumerate(self.tried) if not any(beats(other, one) for other in self.tried)]
        return sorted(places, key=lambda i: (-self.tried[i].score.value, self.tried[i].latency.value))

    def headline(self, language: Language) -> str:
        """What was chosen, and out of how much."""
        return search_phrases(language)["chosen"].format(
            name=self.tried[self.chosen].name(language),
            done=len(self.tried),
            stopped=self.stopped,
            failed=self.failed,
        )

    def details(self, language: Language) -> list[str]:
        """A sentence for each reason."""
        return [self._sentence(one, language) for one in self.reasons]

    def table(self, language: Language) -> list[list[str]]:
        """The front, a row a model: name, score, its interval, latency, its interval, size."""
        words = phrases.phrases(language)["range"]
        rows = []
        for i in self.front:
            one = self.tried[i]
            low, high = (phrases.figure(self.metric, end) for end in (one.score.low, one.score.high))
            score = [phrases.figure(self.metric, one.score.value), words.format(low=low, high=high)]
            fast, slow = _number(one.latency.low), _number(one.latency.high)
            latency = [_number(one.latency.value), words.format(low=fast, high=slow)]
            mark = search_phrases(language)["mark"] if i == self.chosen else ""
            rows.append([one.name(language) + mark, *score, *latency, _number(one.megabytes)])
        return rows

    def lines(self, language: Language) -> list[str]:
        """All of it for a terminal."""
        words = search_phrases(language)
        told = [self.headline(language), *self.details(language), words["front"].format(rows=f"{self.rows:,}")]
        for i in self.front:
            one = self.tried[i]
            told.append(
                "  "
                + words["line"].format(
                    name=one.name(language),
                    score=phrases.figure(self.metric, one.score.value),
                    low=phrases.figure(self.metric, one.score.low),
                    high=phrases.figure(self.metric, one.score.high),
                    ms=_number(one.latency.value),
                    fast=_number(one.latency.low),
                    slow=_number(one.latency.high),
                    size=_number(one.megabytes),
                    mark=words["mark"] if i == self.chosen else "",
                )
            )
        return told

    def as_json(self) -> dict[str, Any]:
        """What stands in metrics.json."""
        front = set(self.front)
        return {
            "metric": self.metric,
            "dev_rows": self.rows,
            "chosen": self.tried[self.chosen].names[0],
            "verdict": " ".join([self.headline("en"), *self.details("en")]),
            "lines": self.lines("en"),
            "tried": [
                {
                    "name": one.names[0],
                    "score": _interval(one.score),
                    "latency_ms": _interval(one.latency),
                    "megabytes": round(one.megabytes, 3),
                    "front": i in front,
                }
                for i, one in enumerate(self.tried)
            ],
            "stopped": self.stopped,
            "failed": self.failed,
        }

    def _sentence(self, reason: Reason, language: Language) -> str:
        words, own = search_phrases(language), self.tried[self.chosen]
        filled: dict[str, Any] = {"rows": f"{self.rows:,}", "count": len(self.tried) - 1}
        if reason.other is not None:
            other = self.tried[reason.other]
            filled |= {"other": other.name(language), "slow": _number(other.latency.value)}
            filled |= {"fast": _number(own.latency.value), "small": _number(own.megabytes)}
            filled["large"] = _number(other.megabytes)
        if reason.difference is not None:
            gap = reason.difference
            names = {"difference": gap.value, "low": gap.low, "high": gap.high, "most": max(-gap.low, 0.0)}
            filled |= {name: phrases.points(self.metric, value) for name, value in names.items()}
            filled["unit"] = phrases.unit(self.metric, language)
        if reason.room is not None:
            filled |= {"score": phrases.figure(self.metric, reason.room.value)}
            filled |= {"least": phrases.figure(self.metric, reason.room.low)}
        return words[reason.why].format(**filled)


def beats(one: Tried, other: Tried) -> bool:
    """Whether it is as good in all three and better in one."""
    first = (-one.score.value, one.latency.value, one.megabytes)
    second = (-other.score.value, other.latency.value, other.megabytes)
    return first != second and all(a <= b for a, b in zip(first, second, strict=True))


def _interval(figure: Interval) -> dict[str, float]:
    return {"value": figure.value, "low": figure.low, "high": figure.high}


def _number(value: float) -> str:
    """Three digits at most; nothing after the point from a hundred on."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
