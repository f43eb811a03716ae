"""A report to render, and a reader that takes a page apart as a browser would."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

from bertie.evaluation.report import DataPart, Report
from bertie.evaluation.verdict import FloorFigure
from bertie.metrics.intervals import Interval
from bertie.metrics.labels import single_label
from bertie.tasks.base import Mistake

LABELS = ["体育", "finance"]
JUDGED = single_label(["体育"] * 6 + ["finance"] * 4, ["体育"] * 5 + ["finance"] * 5, LABELS)

REPORT = Report(
    title="demo",
    task="classification",
    metric="accuracy",
    figure=Interval(0.9, 0.86, 0.93),
    rows=400,
    metrics={**JUDGED.metrics, "loss": 0.31},
    floors={"tfidf": FloorFigure(Interval(0.8, 0.76, 0.84), Interval(0.1, 0.06, 0.14))},
    base_model="minilm",
    per_class=JUDGED.details["per_class"],
    confusion=JUDGED.details["confusion"],
    losses=[(float(step), 1 / step) for step in range(1, 900)],
    dev_scores=[(0.0, 0.5), (450.0, 0.91), (900.0, 0.9)],
    kept_step=450.0,
    mistakes=[Mistake("今天的比赛", "体育", "finance", 0.987)],
    data=[DataPart(name="train", source="train.csv", rows=1234, sha256="ab" * 32, labels={"体育": 700})],
    chosen=["max_length 128, which holds 99.5 % of the texts"],
    recipe='[training]\nepochs = 3\nrate = 5e-5\n',
    environment={"torch": "2.13.0"},
    seconds=181.0,
)  # fmt: skip


def hostile(payload: str) -> Report:
    """The same report with the payload wherever a person's text can stand."""
    judged = single_label([payload, "a"], ["a", payload], [payload, "a"])
    return replace(
        REPORT,
        title=payload,
        base_model=payload,
        metrics={payload: 0.5, "accuracy": 0.9},
        floors={payload: REPORT.floors["tfidf"]},
        per_class=judged.details["per_class"],
        confusion=judged.details["confusion"],
        mistakes=[Mistake(payload, payload, payload, 0.9)],
        data=[DataPart(name=payload, source=payload, rows=2, sha256=payload, labels={payload: 2})],
        chosen=[payload],
        recipe=payload,
        environment={payload: payload},
    )


class Page(HTMLParser):
    """Elements with their attributes, and the text outside of style."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, Any]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, Any]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.words.append(data)

    @property
    def text(self) -> str:
        """Everything that a person reads, in order."""
        return " ".join(self.words)

    def tags(self) -> set[str]:
        """The kinds of elements."""
        return {tag for tag, _ in self.elements}
