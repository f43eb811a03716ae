"""Texts that a person would call the same have one key; others keep their own."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bertie.text.normalise import fold


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ｈｅｌｌｏ，　Ｗｏｒｌｄ！", "hello world"),
        ("质量 不错。", "质量不错！！"),
        ("it's  fine", "It s fine"),
        ("STRASSE", "straße"),
        ("用 iPhone 拍", "用iPhone拍"),
    ],
)
def test_same(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize(("one", "other"), [("no one", "noone"), ("!!", "??"), ("好", "不好"), ("1 2", "12")])
def test_different(one: str, other: str) -> None:
    assert fold(one) != fold(other)


@given(st.text(st.characters(exclude_categories=())))
@example("¯¸")
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)
