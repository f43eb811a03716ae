"""Report: everything that is known about a trained model, as one HTML file that opens anywhere.

In:  `Report`: plain values
Out: a page without scripts, links or files beside it; every text in it is shown as text
Knows nothing of how anything was computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from markupsafe import Markup

from bertie.evaluation import charts, pages, phrases
from bertie.evaluation.forgetting import Forgetting
from bertie.evaluation.front import SearchOutcome
from bertie.evaluation.phrases import Language
from bertie.evaluation.search_phrases import search_phrases
from bertie.evaluation.verdict import FloorFigure, verdict
from bertie.metrics.intervals import Interval
from bertie.metrics.labels import confused_pairs, confusion_table
from bertie.tasks.base import Mistake

LARGEST_MATRIX, LONGEST_TABLE, PAIRS = 30, 40, 25


@dataclass(frozen=True, kw_only=True)
class DataPart:
    """One split."""

    name: str
    """train, dev or test."""
    source: str
    rows: int
    sha256: str
    labels: Mapping[str, int] = field(default_factory=dict)
    """Rows of each label."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """The file's name of each column."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What the page and the model card tell; only the first seven are needed."""

    title: str
    task: str
    metric: str
    """Name of the primary metric."""
    figure: Interval
    rows: int
    """Rows that were judged."""
    metrics: Mapping[str, float]
    floors: Mapping[str, FloorFigure]
    columns: Sequence[str] = ("text",)
    """What a row has that the model is to answer."""
    forgetting: Forgetting | None = None
    """Of an encoder that went on: what it gained and lost."""
    search: SearchOutcome | None = None
    """Of a model that was searched for: what else was tried, and why it was chosen."""
    language: Language = "en"
    """Of the page; `phrases.language_of` tells it from texts."""
    on_dev: bool = False
    """Whether the rows judged are the development rows, which chose the model: there was no test set."""
    seen: int = 0
    """How many of the rows judged stand in an earlier part of the data too."""
    base_model: str = ""
    unseen: Mapping[str, int] = field(default_factory=dict)
    """Labels that training never saw, with how often the rows judged have each."""
    per_class: Sequence[Mapping[str, Any]] = ()
    """label, precision, recall, f1, support."""
    confusion: Mapping[str, Any] | None = None
    """Of `single_label`: labels, and cells of what is taken for what."""
    losses: Sequence[tuple[float, float]] = ()
    """(step, training loss)."""
    dev_scores: Sequence[tuple[float, float]] = ()
    """(step, primary metric on the development rows)."""
    kept_step: float | None = None
    """The step whose weights are the model; not always one with the best score (`kept_by`, the rule of one standard
    error, ties that are broken)."""
    kept_by: Literal["score", "loss", "last"] = "score"
    """What chose that step: the scores, within a standard error of the best; the loss; or that it is the last one."""
    mistakes: Sequence[Mistake] | None = None
    """None where the task has no words for what is wrong about an answer."""
    data: Sequence[DataPart] = ()
    chosen: Sequence[str] = ()
    """What was decided for the person, each with its reason."""
    recipe: str = ""
    """Every setting, as TOML."""
    environment: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    """Of the whole command."""
    tokens_per_second: float = 0.0
    """In the steps of the training; 0 where there were none."""


def render(report: Report) -> str:
    """The page. The Chinese characters that it uses are in it as a font, where a free one is at hand."""
    words = phrases.phrases(report.language)
    return pages.render(
        "report.html",
        report.language,
        title=report.title,
        report=report,
        t=words,
        s=search_phrases(report.language),
        verdict=verdict(report.metric, report.figure, report.floors, report.language),
        facts=facts(report),
        unit=phrases.unit(report.metric, report.language).strip(),
        intervals=_intervals(report, words["this_model"]),
        **_learning(report, words),
        **_labels(report),
        kept=_kept(report, words),
        judged_on=_judged_on(report, words),
        doubts=doubts(report, words),
    )


def doubts(report: Report, words: Mapping[str, str]) -> list[str]:
    """What makes the score another one than it seems: rows that were seen before, labels that were not."""
    said = []
    if report.seen:
        name = "limit_seen_dev" if report.on_dev else "limit_seen"
        said.append(words[name].format(seen=f"{report.seen:,}", rows=f"{report.rows:,}"))
    if report.unseen:
        said.append(words["unseen"].format(labels=phrases.counted(report.unseen)))
    return said


def facts(report: Report) -> dict[str, str]:
    """What computed the model, how fast and how long."""
    words, found = phrases.phrases(report.language), dict(report.environment)
    if report.tokens_per_second:
        found[words["speed"]] = words["tokens_per_second"].format(value=f"{report.tokens_per_second:,.0f}")
    return {**found, words["took"]: duration(report.seconds, report.language)}


def duration(seconds: float, language: Language) -> str:
    """Seconds, or minutes from two minutes on."""
    words = phrases.phrases(language)
    if seconds < 120:
        return words["seconds"].format(value=f"{seconds:.1f}")
    return words["minutes"].format(value=f"{seconds / 60:.1f}")


def _judged_on(report: Report, words: Mapping[str, str]) -> str:
    name = "judged_on_dev" if report.on_dev else "judged_on_seen" if report.seen else "judged_on"
    return words[name].format(rows=f"{report.rows:,}", seen=f"{report.seen:,}")


def _intervals(report: Report, own: str) -> Markup:
    shown = {own: report.figure}
    shown |= {phrases.spoken(name, report.language): floor.figure for name, floor in report.floors.items()}
    bars = [charts.Bar(name, phrases.figure(report.metric, one.value), one, name == own) for name, one in shown.items()]
    return charts.intervals(bars, percent=report.metric in phrases.METRICS)


def _kept(report: Report, words: Mapping[str, str]) -> list[str]:
    """What is said under the curve of the step that was kept, and of a higher one."""
    kept = _kept_point(report)
    if kept is None:
        return []
    lines = [_at(words["kept_at"], kept, report.metric)]
    highest = max(
        (point for point in report.dev_scores if point[1] > kept[1]), key=lambda point: point[1], default=kept
    )
    if phrases.figure(report.metric, highest[1]) != phrases.figure(report.metric, kept[1]):
        lines.append(_at(words[f"highest_beside_{report.kept_by}"], highest, report.metric))
    return lines


def _at(phrase: str, point: charts.Point, metric: str) -> str:
    return phrase.format(value=phrases.figure(metric, point[1]), step=f"{point[0]:,.0f}")


def _kept_point(report: Report) -> charts.Point | None:
    """Step and score of the model on the development rows."""
    return next((point for point in report.dev_scores if point[0] == report.kept_step), None)


def _learning(report: Report, words: Mapping[str, str]) -> dict[str, Markup | None]:
    percent = report.metric in phrases.METRICS
    loss = charts.line(report.losses, words["loss"]) if report.losses else None
    score = None
    if report.dev_scores:
        score = charts.line(report.dev_scores, words["dev_score"], percent=percent, mark=_kept_point(report))
    return {"loss_chart": loss, "score_chart": score}


def _labels(report: Report) -> dict[str, Any]:
    """Tables that stay readable with 150 labels: the weakest ones, the most frequent mix-ups."""
    table = list(report.per_class)
    if len(table) > LONGEST_TABLE:
        judged = [row for row in table if row["support"]]
        table = sorted(judged, key=lambda row: (row["f1"], -row["support"]))[:LONGEST_TABLE]
    confusion = report.confusion
    small = confusion is not None and len(confusion["labels"]) <= LARGEST_MATRIX
    return {
        "table": table,
        "matrix": _matrix(confusion) if confusion and small else None,
        "pairs": confused_pairs(confusion, PAIRS) if confusion and not small else [],
    }


def _matrix(confusion: Mapping[str, Any]) -> list[tuple[str, list[tuple[int, int]]]]:
    """Rows of (label, [(count, part of the row in percent)])."""
    rows = []
    for label, counts in zip(confusion["labels"], confusion_table(confusion), strict=True):
        total = sum(counts) or 1
        rows.append((label, [(count, round(100 * count / total)) for count in counts]))
    return rows
