"""Scripts name the language; brand names do not make a Chinese text mixed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertie.text.language import detect


@pytest.mark.parametrize(
    ("texts", "language"),
    [
        (["今天天气很好", "我的 iPhone 坏了怎么办"], "zh"),
        (["The weather is fine", "a second row"], "en"),
        (["今天天气 is very fine today indeed"], "mixed"),
        (["Привет, мир"], "other"),
        (["こんにちは、せかいのみなさん"], "other"),
        (["123 !?", ""], "other"),
        ([], "other"),
        (["Motörhead in Zürich"], "en"),
    ],
)
def test_language(texts: list[str], language: str) -> None:
    assert detect(texts).language == language


@given(st.lists(st.text(st.characters(exclude_categories=()))))
def test_shares_make_one(texts: list[str]) -> None:
    mix = detect(texts)
    total = mix.han + mix.latin + mix.other
    assert total == 0 or abs(total - 1) < 1e-9
