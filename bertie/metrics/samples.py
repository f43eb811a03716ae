"""Samples: what a metric that is no mean over rows is computed from, kept so that rows can be drawn again.

In:  outcomes of labels, or pairs of numbers
Out: intervals of a metric, and of its difference between two models on the same rows
Knows nothing of tasks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from bertie.metrics.correlation import Kind, correlation_interval, paired_correlation_difference
from bertie.metrics.intervals import Interval, f1_interval, paired_f1_difference, ratio_interval
from bertie.metrics.labels import AVERAGES, Outcomes


class Sample(ABC):
    """One model's rows."""

    names: Collection[str]
    """Metrics that it can give."""

    @abstractmethod
    def interval(self, name: str) -> Interval:
        """The metric with its interval."""

    @abstractmethod
    def difference(self, other: Sample, name: str) -> Interval:
        """This model's metric minus another one's on the same rows."""


@dataclass(frozen=True)
class F1Sample(Sample):
    """Averages of F1."""

    outcomes: Outcomes
    names = tuple(AVERAGES)

    def interval(self, name: str) -> Interval:
        return f1_interval(self.outcomes, name)

    def difference(self, other: Sample, name: str) -> Interval:
        assert isinstance(other, F1Sample), "two models are compared by the same metric"
        return paired_f1_difference(self.outcomes, other.outcomes, name)


@dataclass(frozen=True)
class CorrelationSample(Sample):
    """Correlations of what was said with what is right."""

    gold: Sequence[float]
    predicted: Sequence[float]
    names = ("pearson", "spearman")

    def interval(self, name: str) -> Interval:
        return correlation_interval(self.gold, self.predicted, cast(Kind, name))

    def difference(self, other: Sample, name: str) -> Interval:
        assert isinstance(other, CorrelationSample), "two models are compared by the same metric"
        return paired_correlation_difference(self.gold, self.predicted, other.predicted, cast(Kind, name))


@dataclass(frozen=True)
class RatioSample(Sample):
    """A sum over rows divided by another one: of the questions that each row asks, those that were answered rightly."""

    name: str
    right: Sequence[float]
    asked: Sequence[float]

    @property
    def names(self) -> Collection[str]:  # type: ignore[override]
        return (self.name,)

    def interval(self, name: str) -> Interval:
        return ratio_interval(self.right, self.asked)

    def difference(self, other: Sample, name: str) -> Interval:
        assert isinstance(other, RatioSample), "two models are compared by the same metric"
        return ratio_interval([a - b for a, b in zip(self.right, other.right, strict=True)], self.asked)


@dataclass(frozen=True)
class JointSample(Sample):
    """Samples of the parts of an answer, each metric by the name that it has for the whole."""

    parts: Mapping[str, tuple[Sample, str]]
    """Name here: the part's sample, and the name there."""
    names: Collection[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(self.parts))

    def interval(self, name: str) -> Interval:
        sample, own = self.parts[name]
        return sample.interval(own)

    def difference(self, other: Sample, name: str) -> Interval:
        assert isinstance(other, JointSample), "two models are compared by the same metric"
        sample, own = self.parts[name]
        return sample.difference(other.parts[name][0], own)
