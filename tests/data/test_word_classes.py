"""Marked words: they stand where it is said, both sides differ, and English gives nothing away by a capital."""

from __future__ import annotations

from collections import Counter

from bertie.data.word_classes import names_en, word_classes_zh


def test_chinese_words_have_the_newspapers_classes() -> None:
    known, asked = word_classes_zh(50)
    assert len(known) == len(asked) == 50 and not {one.text for one in known} & {one.text for one in asked}
    for one in known + asked:
        assert "".join(one.text[start:end] for start, end, _ in one.words) == one.text
    classes = Counter(label for one in known for _, _, label in one.words)
    assert {"n", "v", "w", "m"} <= set(classes) and all(label.isalpha() and len(label) == 1 for label in classes)


def test_half_of_the_english_words_are_names_and_none_shows_it() -> None:
    known, asked = names_en(20)
    assert len(known) == len(asked) == 20 and not {one.text for one in known} & {one.text for one in asked}
    for one in known + asked:
        assert one.text == one.text.lower()
        assert all(one.text[start:end].isalpha() and start > 0 for start, end, _ in one.words)
        assert Counter(label for _, _, label in one.words)["name"] * 2 == len(one.words) >= 6
