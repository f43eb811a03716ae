"""Forgetting: what an encoder that went on has gained and what it has lost. Said first, in words.

In:  each row's part in what was measured before and after
Out: `Change`s with paired intervals; a headline and a sentence for each, in English or Chinese
Knows nothing of how anything was measured.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bertie.evaluation import phrases
from bertie.evaluation.phrases import Language
from bertie.metrics.intervals import Interval, paired_difference, ratio_interval

What = Literal["domain", "general", "probe", "task"]
Finding = Literal["gained", "traded", "lost", "nothing", "unseen"]
"""Gained and nothing lost; gained and lost; lost alone; neither; gained, where nobody looked for a loss."""


@dataclass(frozen=True)
class Change:
    """One thing that was measured before and after, on the same rows."""

    what: What
    about: str
    """What the rows are: the name of the probe or of the file."""
    before: float
    after: float
    difference: Interval
    """After minus before, paired row by row."""
    rows: int

    @classmethod
    def of_losses(
        cls, what: What, before: Sequence[float], after: Sequence[float], places: Sequence[float], about: str = ""
    ) -> Change:
        """From the nats of each passage and the places that were asked for in it; the figures are nats a place."""
        total = sum(places)
        moved = [new - old for new, old in zip(after, before, strict=True)]
        return cls(what, about, sum(before) / total, sum(after) / total, ratio_interval(moved, places), len(places))

    @classmethod
    def of_answers(cls, what: What, before: Sequence[bool], after: Sequence[bool], about: str = "") -> Change:
        """From which rows were answered rightly."""
        rows = len(before)
        difference = paired_difference([float(one) for one in after], [float(one) for one in before])
        return cls(what, about, sum(before) / rows, sum(after) / rows, difference, rows)

    @property
    def is_loss(self) -> bool:
        """Whether less is better."""
        return self.what in ("domain", "general")

    @property
    def better(self) -> bool:
        """Whether it is clearly better: all of the interval says so."""
        return self.difference.high < 0.0 if self.is_loss else self.difference.low > 0.0

    @property
    def worse(self) -> bool:
        """Whether it is clearly worse."""
        return self.difference.low > 0.0 if self.is_loss else self.difference.high < 0.0


@dataclass(frozen=True)
class Forgetting:
    """Everything that was measured, and what it comes to."""

    changes: tuple[Change, ...]

    @property
    def finding(self) -> Finding:
        """The least flattering true statement. Whatever is measured can be gained or lost."""
        gained, lost = (any(getattr(one, how) for one in self.changes) for how in ("better", "worse"))
        if lost:
            return "traded" if gained else "lost"
        if not any(one.what in ("general", "probe") for one in self.changes):
            return "unseen"
        return "gained" if gained else "nothing"

    def headline(self, language: Language) -> str:
        """The finding as a sentence."""
        return phrases.phrases(language)[f"forgetting_{self.finding}"]

    def details(self, language: Language) -> list[str]:
        """A sentence for each change."""
        return [_sentence(one, language) for one in self.changes]

    def line(self, language: Language) -> str:
        """All of it in a line, for a terminal."""
        return " ".join([self.headline(language), *self.details(language)])

    def as_json(self) -> dict[str, Any]:
        """What stands in metrics.json."""
        return {"finding": self.finding, "verdict": self.line("en"), "changes": [_as_json(one) for one in self.changes]}


def _sentence(change: Change, language: Language) -> str:
    words, gap = phrases.phrases(language), change.difference
    shown = _losses(change) if change.is_loss else _accuracies(change)
    low, high = (shown["gap"](end) for end in (gap.low, gap.high))
    how = "better" if change.better else "worse" if change.worse else "same"
    about = phrases.spoken(change.about, language) if change.what == "probe" else change.about
    return words[f"forgetting_{change.what}"].format(
        about=about,
        before=shown["before"],
        after=shown["after"],
        change=shown["gap"](gap.value),
        low=low,
        high=high,
        how=words[f"forgetting_{how}"],
    )


def _losses(change: Change) -> Mapping[str, Any]:
    """Perplexities, and their change in percent: of nats nobody has a feeling."""
    return {
        "before": f"{math.exp(min(change.before, 700.0)):.1f}",
        "after": f"{math.exp(min(change.after, 700.0)):.1f}",
        "gap": lambda nats: _signed(100.0 * math.expm1(min(nats, 700.0))),
    }


def _accuracies(change: Change) -> Mapping[str, Any]:
    return {
        "before": f"{100 * change.before:.1f}%",
        "after": f"{100 * change.after:.1f}%",
        "gap": lambda part: _signed(100.0 * part),
    }


def _signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "\u2212").replace("+0.0", "0.0").replace("\u22120.0", "0.0")


def _as_json(change: Change) -> dict[str, Any]:
    gap = change.difference
    return {
        "what": change.what,
        "about": change.about,
        "measure": "loss" if change.is_loss else "accuracy",
        "before": change.before,
        "after": change.after,
        "difference": {"value": gap.value, "low": gap.low, "high": gap.high},
        "rows": change.rows,
    }
