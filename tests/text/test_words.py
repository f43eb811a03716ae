"""Words put together are the text, whatever it is."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from bertie.text.words import Segmenter, words


def test_chinese_and_english() -> None:
    text = "小米手机 and iPhone，很好用"
    assert [word.text for word in words(text) if word.text.strip()] == [
        "小米",
        "手机",
        "and",
        "iPhone",
        "，",
        "很",
        "好",
        "用",
    ]


def test_a_users_word_stays_whole() -> None:
    text = "云计算大模型真好用"
    assert "云计算大模型" not in [word.text for word in words(text)]
    assert next(word.text for word in words(text, ["云计算大模型"])) == "云计算大模型"
    assert "云计算大模型" not in [word.text for word in words(text)]  # one user's words are not another's


def test_blank_user_words_are_passed_over() -> None:
    assert [word.text for word in Segmenter(["", "  "]).words("你好")] == ["你好"]


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=()), max_size=40))
def test_words_together_are_the_text(text: str) -> None:
    found = words(text)
    assert "".join(word.text for word in found) == text
    assert all(text[word.start : word.end] == word.text for word in found)
