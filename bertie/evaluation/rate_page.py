"""The page of a learning rate range test: one drawing, what it says, and the command that uses it.

In:  `RatePage`: plain values
Out: a page without scripts, links or files beside it, with the Chinese characters that it uses as a font
Knows nothing of how the losses came about.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bertie.evaluation import charts, pages
from bertie.evaluation.phrases import Language

WORDS: dict[str, tuple[str, str]] = {
    "title": ("Learning rates: {data}", "学习率：{data}"),
    "found": ("Suggested learning rate: {rate}", "建议的学习率：{rate}"),
    "open": ("No rate up to {rate} was too high", "直到 {rate} 学习率都不算太高"),
    "suggestion": ("suggested", "建议"),
    "diverged": ("too high", "过高"),
    "legend": (
        "Loss of each step (thin) and its mean over {window} steps, against the learning rate, which rises on the way.",
        "每步的损失（细线）与 {window} 步平均，横轴为学习率，逐步升高。",
    ),
    "rule": (
        "The suggestion is a tenth of the rate from which on the mean loss stays above the middle between its first "
        "and its lowest values. The model is as it was before the test.",
        "建议值是平均损失此后一直高于“最初值与最低值的中点”的那个学习率的十分之一。测试后模型恢复原样。",
    ),
}


@dataclass(frozen=True, kw_only=True)
class RatePage:
    """What the page tells."""

    data: str
    """Name of the rows."""
    about: str
    """Model, method and number format."""
    losses: Sequence[charts.Point]
    """Rate and loss of each step."""
    smoothed: Sequence[charts.Point]
    suggestion: float | None
    diverged: float | None
    window: int
    """Steps that a mean is over."""
    command: str
    """What to type next."""
    language: Language = "en"


def render(page: RatePage) -> str:
    """The page."""
    words = {name: pair[page.language == "zh"] for name, pair in WORDS.items()}
    title = words["title"].format(data=page.data)
    places = []
    if page.suggestion is not None and page.suggestion >= page.losses[0][0]:
        places.append(charts.Place(page.suggestion, f"{words['suggestion']} {page.suggestion:.1e}"))
    if page.diverged is not None:
        places.append(charts.Place(page.diverged, f"{words['diverged']} {page.diverged:.1e}", high=True))
    last = page.losses[-1][0]
    found = words["open"].format(rate=f"{last:.1e}")
    if page.suggestion is not None:
        found = words["found"].format(rate=f"{page.suggestion:.1e}")
    return pages.render(
        "rate.html",
        page.language,
        title=title,
        page=page,
        t=words,
        finding=found,
        chart=charts.over_rates(page.losses, page.smoothed, places, title),
    )
