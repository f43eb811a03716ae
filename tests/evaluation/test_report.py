"""The report: one file, complete, the verdict first, and every text only text."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertie.evaluation import pages as module
from bertie.evaluation.model_card import model_card
from bertie.evaluation.report import render
from bertie.evaluation.verdict import FloorFigure
from bertie.metrics.intervals import Interval
from bertie.metrics.labels import single_label

from .reports import REPORT, Page, hostile

PAYLOADS = [
    "</script><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</text></svg><svg onload=alert(1)>",
    "<!-- --><iframe src=javascript:alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "]]><b>",
    "&lt;b&gt; &amp;",
    "/* embedded font */",
    "{0} {rows} %s",
]
SECTIONS = ["verdict", "floors", "metrics", "learning", "labels", "confusion", "mistakes", "data", "chosen", "recipe"]


@pytest.fixture(autouse=True)
def without_system_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "embedded_font", lambda text: "")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_is_one_file_with_every_section_and_the_verdict_first(language: str) -> None:
    html = render(replace(REPORT, language=language))  # type: ignore[arg-type]
    page = Page(html)
    found = [attributes["id"] for tag, attributes in page.elements if tag == "section"]
    assert found == [*SECTIONS, "environment"]
    assert dict(page.elements)["html"]["lang"] == ("en" if language == "en" else "zh-CN")
    assert not page.tags() & {"script", "link", "img", "iframe", "object", "base", "form"}
    assert not re.search(r"https?:|//|@import|url\(", html.replace("<!doctype", ""))
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    for expected in ("90.0%", "80.0%", "体育", "finance", "98.7%", "epochs = 3", "2.13.0", "1,234", "abababab", "0.31"):
        assert expected in page.text, expected


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_text_is_shown_as_text(payload: str, language: str) -> None:
    plain, page = Page(render(hostile("harmless"))), Page(render(replace(hostile(payload), language=language)))  # type: ignore[arg-type]
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in plain.elements]
    assert [sorted(attributes) for _, attributes in page.elements] == [sorted(one) for _, one in plain.elements]
    assert page.text.count(payload) >= 12
    label = next(attributes["aria-label"] for tag, attributes in page.elements if tag == "svg")
    assert label and payload in label


@settings(max_examples=30, deadline=None)
@given(st.text(alphabet=st.characters(blacklist_categories=[]), min_size=1, max_size=30))
def test_any_string_gives_a_page_that_can_be_written(payload: str) -> None:
    html = render(hostile(payload))
    html.encode("utf-8")
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f]", html)


@pytest.mark.parametrize(
    ("language", "told"),
    [("en", ("Speed of training", "2,750 tokens a second")), ("zh", ("训练速度", "每秒 2,750 个词元"))],
)
def test_the_speed_of_the_training_is_told_where_it_is_known(language: str, told: tuple[str, str]) -> None:
    report = replace(REPORT, language=language, tokens_per_second=2749.6)  # type: ignore[arg-type]
    page, card = Page(render(report)).text, model_card(report)
    assert all(one in page and one in card for one in told)
    slow = replace(report, tokens_per_second=0.0)
    assert told[0] not in Page(render(slow)).text and told[0] not in model_card(slow)


def test_a_floor_that_is_as_good_is_the_first_thing_said() -> None:
    floors = {"tfidf": FloorFigure(Interval(0.89, 0.85, 0.92), Interval(0.01, -0.01, 0.03))}
    page = Page(render(replace(REPORT, floors=floors)))
    assert page.text.index("A plain baseline is as good") < page.text.index("90.0%")
    assert ("section", {"class": "verdict equal", "id": "verdict"}) in page.elements


def test_only_percent_is_compared_in_points() -> None:
    assert "model ahead by (points)" in Page(render(REPORT)).text
    assert "model ahead by (points)" in Page(render(replace(REPORT, metric="relation_f1"))).text
    assert "points" not in Page(render(replace(REPORT, metric="spearman"))).text


def test_151_labels_show_the_weakest_and_the_most_frequent_mix_ups() -> None:
    labels = [f"label-{i:03d}" for i in range(151)]
    judged = single_label(labels * 2, [*labels, *labels[1:], labels[0]], labels)
    page = Page(render(replace(REPORT, per_class=judged.details["per_class"], confusion=judged.details["confusion"])))
    assert "The 40 weakest of 151 labels." in page.text
    assert not any("matrix" in (attributes.get("class") or "") for tag, attributes in page.elements if tag == "table")
    assert "most frequent mix-ups of 151" in page.text


def test_a_report_with_only_what_is_needed_renders() -> None:
    bare = replace(
        REPORT, floors={}, per_class=(), confusion=None, losses=(), dev_scores=(), mistakes=(), data=(), chosen=(),
        recipe="", environment={}, base_model="",
    )  # fmt: skip
    page = Page(render(bare))
    assert "stands alone" in page.text and "There is none" in page.text


def test_the_step_that_is_named_is_the_one_that_was_kept() -> None:
    scores = [(0.0, 0.5), (450.0, 0.91), (900.0, 0.91)]
    page = Page(render(replace(REPORT, dev_scores=scores, kept_step=900.0)))
    assert "kept: 91.0% at step 900" in page.text and "The highest" not in page.text
    marks = [attributes["cx"] for tag, attributes in page.elements if attributes.get("class") == "mark"]
    dots = [attributes["cx"] for tag, attributes in page.elements if attributes.get("class") == "dot"]
    assert marks == [dots[-1]]
    assert "kept:" not in Page(render(replace(REPORT, kept_step=None))).text


@pytest.mark.parametrize(
    ("language", "kept", "chance", "not_chosen"),
    [
        ("en", "kept: 90.0% at step 900", "91.0% at step 450, by no more than chance", "the last weights were kept"),
        ("zh", "保留：第 900 步，90.0%", "最高：第 450 步，91.0%；差距不超过偶然", "保留的是最后的权重"),
    ],
)
def test_a_step_that_scored_higher_is_not_passed_over(language: str, kept: str, chance: str, not_chosen: str) -> None:
    report = replace(REPORT, language=language, kept_step=900.0)  # type: ignore[arg-type]
    chosen, last = Page(render(report)).text, Page(render(replace(report, kept_by="last"))).text
    assert kept in chosen and chance in chosen and not_chosen not in chosen
    assert kept in last and chance not in last and not_chosen in last


@pytest.mark.parametrize(
    ("language", "never", "too_high"), [("en", "never saw", "likely too high"), ("zh", "从未见过的数据", "很可能偏高")]
)
def test_rows_that_chose_the_model_are_not_called_unseen(language: str, never: str, too_high: str) -> None:
    report = replace(REPORT, language=language)  # type: ignore[arg-type]
    plain, on_dev = Page(render(report)).text, Page(render(replace(report, on_dev=True))).text
    assert never in plain and too_high not in plain
    assert never not in on_dev and too_high in on_dev


@pytest.mark.parametrize(
    ("language", "never", "before", "too_high"),
    [
        ("en", "never saw", "judged on 400 rows, 12 of which it had seen before", "12 of the 400 rows"),
        ("zh", "从未见过的数据", "在 400 条数据上评测，其中 12 条此前已经见过", "评测的 400 条数据中有 12 条也在"),
    ],
)
def test_rows_that_were_seen_before_are_not_called_unseen(
    language: str, never: str, before: str, too_high: str
) -> None:
    report = replace(REPORT, language=language, seen=12)  # type: ignore[arg-type]
    page, on_dev = Page(render(report)).text, Page(render(replace(report, on_dev=True))).text
    assert never not in page and before in page and too_high in page
    assert before not in on_dev and too_high in on_dev
    assert too_high not in Page(render(replace(report, seen=0))).text


@pytest.mark.parametrize(("language", "said"), [("en", "scored wrong each time: "), ("zh", "每次均按错误计：")])
def test_labels_that_training_never_saw_are_named(language: str, said: str) -> None:
    labels = {"x": 1, "紧急": 1_200, **{f"rare {i}": 2 for i in range(5)}}
    page = Page(render(replace(REPORT, language=language, unseen=labels)))  # type: ignore[arg-type]
    expected = "紧急 (1,200×), rare 0 (2×), rare 1 (2×), rare 2 (2×), rare 3 (2×), … (+2)"
    assert said + expected in page.text
    assert said not in Page(render(replace(REPORT, language=language))).text  # type: ignore[arg-type]


@pytest.mark.parametrize(("language", "none"), [("en", "There is none on these rows"), ("zh", "没有错误")])
def test_a_task_without_words_for_mistakes_is_not_said_to_make_none(language: str, none: str) -> None:
    report = replace(REPORT, language=language)  # type: ignore[arg-type]

    def sections(page: Page) -> list[str | None]:
        return [attributes["id"] for tag, attributes in page.elements if tag == "section"]

    right, silent = Page(render(replace(report, mistakes=()))), Page(render(replace(report, mistakes=None)))
    assert "mistakes" in sections(right) and none in right.text
    assert "mistakes" not in sections(silent) and none not in silent.text


def test_texts_carry_their_language_and_long_ones_are_cut() -> None:
    mistake = replace(REPORT.mistakes[0], text="很长" * 5000, gold="正确" * 5000, predicted="wrong " * 5000)
    page = Page(render(replace(REPORT, mistakes=[mistake])))
    texts = [attributes for tag, attributes in page.elements if attributes.get("class") == "text"]
    assert texts == [{"class": "text", "lang": "zh-CN", "dir": "auto"}]
    assert "很长" * 200 + " …" in page.text and "很长" * 201 not in page.text
    assert "正确" * 200 + " …" in page.text and "正确" * 201 not in page.text and page.text.count("wrong") < 70


def test_signs_of_the_mistakes_are_the_first_to_go_without_a_font(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[str]()
    monkeypatch.setattr(module, "embedded_font", lambda text: asked.append(text) or "")
    render(replace(REPORT, mistakes=[replace(REPORT.mistakes[0], text="壹</ol>贰")], title="题", recipe="终"))
    (text,) = asked
    assert text.index("题") < text.index("终") < text.index("壹") < text.index("贰") and text.count("壹") == 1


def test_the_font_goes_into_the_style_sheet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "embedded_font", lambda text: "@font-face{THE FONT}")
    html = render(replace(REPORT, title="/* embedded font */"))
    assert html.count("@font-face{THE FONT}") == 1
    assert html.index("<style>") < html.index("THE FONT") < html.index("</style>")
