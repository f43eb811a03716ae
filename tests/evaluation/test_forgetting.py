"""What is said of a gain and of a loss: only what the paired intervals bear, in both languages, escaped on a page."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bertie.evaluation.forgetting import Change, Forgetting
from bertie.evaluation.model_card import model_card
from bertie.evaluation.report import render
from tests.evaluation.reports import REPORT

PLACES = [10.0] * 50
FLAT = [30.0] * 50
LOWER = [27.0 + 0.1 * (n % 5) for n in range(50)]
MIXED = [30.0 + (3.0 if n % 2 else -3.0) for n in range(50)]
RIGHT = [n % 4 != 0 for n in range(200)]
FEWER = [n % 2 != 0 for n in range(200)]


def losses(what: str, before: list[float], after: list[float]) -> Change:
    return Change.of_losses(what, before, after, PLACES)  # type: ignore[arg-type]


def answers(before: list[bool], after: list[bool], about: str = "reviews") -> Change:
    return Change.of_answers("probe", before, after, about)


GAINED, SAME = losses("domain", FLAT, LOWER), losses("general", FLAT, MIXED)
LOST, WORSE = losses("general", LOWER, FLAT), answers(RIGHT, FEWER)


def test_less_loss_is_better_and_so_is_more_accuracy() -> None:
    assert (GAINED.better, GAINED.worse) == (True, False)
    assert (SAME.better, SAME.worse) == (False, False)
    assert (LOST.better, LOST.worse) == (False, True)
    assert (WORSE.better, WORSE.worse) == (False, True)
    assert (WORSE.before, WORSE.after) == (0.75, 0.5) and WORSE.difference.value == pytest.approx(-0.25)
    assert GAINED.before == pytest.approx(3.0) and GAINED.rows == 50
    assert GAINED.difference.value == pytest.approx(GAINED.after - GAINED.before)


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        ((GAINED, SAME), "gained"),
        ((GAINED, LOST), "traded"),
        ((GAINED, SAME, WORSE), "traded"),
        ((losses("domain", FLAT, MIXED), SAME, WORSE), "lost"),
        ((losses("domain", FLAT, MIXED), SAME), "nothing"),
        ((GAINED,), "unseen"),
    ],
)
def test_the_finding_is_the_least_flattering_one(changes: tuple[Change, ...], finding: str) -> None:
    found = Forgetting(changes)
    assert found.finding == finding
    assert found.as_json()["finding"] == finding and len(found.as_json()["changes"]) == len(changes)


def test_the_sentences_of_both_languages() -> None:
    found = Forgetting((GAINED, WORSE))
    english, chinese = found.details("en"), found.details("zh")
    assert english[0].startswith("Text of the corpus that was held out: perplexity 20.1 before, 15.2 after (−24.4%")
    assert english[0].endswith("gained.")
    assert english[1].startswith("General probe (reviews, a linear model on the frozen encoder): accuracy 75.0% before")
    assert "(−25.0 points" in english[1] and english[1].endswith("lost.")
    assert chinese[0].startswith("语料中留出的文本：困惑度由 20.1 变为 15.2（−24.4%") and chinese[0].endswith(
        "有所得。"
    )
    assert chinese[1].startswith("通用探针（评论，") and chinese[1].endswith("有所失。")
    assert found.line("zh").startswith("继续训练有所得，也有所失。 语料")


def test_it_stands_before_the_verdict_and_a_name_does_nothing_on_the_page() -> None:
    about = "<script>alert(1)</script>"
    report = replace(REPORT, forgetting=Forgetting((GAINED, answers(RIGHT, FEWER, about))))
    for language, headline in (("en", "Going on brought a gain, and some"), ("zh", "继续训练有所得，也有所失。")):
        page = render(replace(report, language=language))  # type: ignore[arg-type]
        card = model_card(replace(report, language=language))  # type: ignore[arg-type]
        assert 0 < page.index(headline) < page.index('id="verdict"')
        assert headline in card
        assert about not in page and about not in card
    assert 'id="forgetting"' not in render(REPORT)
