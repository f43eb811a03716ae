"""Tokens: the text they join to and their places in it; tags to entities and back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertie.data.cells import CellError
from bertie.data.spans import Entity
from bertie.data.tags import SCHEMES, Scheme, TagError, spans_of_tags, tags_of_token_spans
from bertie.data.tokens import (
    character_tokens,
    gap_of,
    join,
    joined_tokens,
    marked_tokens,
    row_of_tokens,
    tags_of_spans,
)
from bertie.text.language import detect
from tests.data.records import JSON
from tests.data.test_tags import sentences

TOKENS = st.sampled_from(
    ["Bob", "met", "U.S.", ",", "，", "你", "北京", "5G", "😀", "e\u0301", "𠮷", "a你", "你a", "\u3000"]
)


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        ("EU rejects German call .", "EU rejects German call ."),
        ("你 好", "你好"),
        ("今天 天气 好", "今天天气好"),
        ("你 好 ， 世 界", "你好 ， 世界"),
        ("我 用 5 G 上 网", "我用 5 G 上网"),
        ("我 爱 Python 语 言", "我爱 Python 语言"),
        ("卡拉OK 厅", "卡拉OK 厅"),
        ("𠮷 野 家", "𠮷野家"),
        ("かな 漢 字", "かな 漢字"),
        ("", ""),
    ],
)
def test_nothing_between_two_han_characters_and_one_space_elsewhere(tokens: str, text: str) -> None:
    joined = join(tokens.split())
    assert joined.text == text
    assert [text[start:end] for start, end in joined.offsets] == tokens.split()


def test_han_is_what_the_rest_of_the_package_calls_han() -> None:
    borders = [0x3007, 0x3400, 0x4DBF, 0x4E00, 0x9FFF, 0xF900, 0xFAFF, 0x20000, 0x3FFFF]
    for code in {code + step for code in borders for step in (-1, 0, 1)}:
        assert (join([chr(code), "好"]).text == f"{chr(code)}好") == (detect([chr(code)]).han == 1.0), hex(code)


@given(st.lists(TOKENS, max_size=10))
def test_every_token_stands_at_its_place(tokens: list[str]) -> None:
    joined = join(tokens)
    assert [joined.text[start:end] for start, end in joined.offsets] == tokens


@given(sentences(), st.sampled_from(SCHEMES), st.data())
def test_tokens_and_tags_to_a_row_and_back_is_the_identity(
    sentence: tuple[list[tuple[int, int, str]], int], scheme: Scheme, data: st.DataObject
) -> None:
    spans, length = sentence
    tokens = data.draw(st.lists(TOKENS, min_size=length, max_size=length))
    tags = tags_of_token_spans(spans, length, scheme)
    row = row_of_tokens(tokens, tags, scheme)
    assert [row["text"][part["start"] : part["end"]] for part in row["entities"]] == [
        join(tokens).text[join(tokens).offsets[first][0] : join(tokens).offsets[last - 1][1]]
        for first, last, _ in spans
    ]
    assert tags_of_spans(row["text"], join(tokens).offsets, row["entities"], scheme) == tags


def test_rows_in_english_and_chinese() -> None:
    assert row_of_tokens(["Peter", "Blackburn", "left"], ["B-PER", "I-PER", "O"]) == {
        "text": "Peter Blackburn left",
        "entities": [{"start": 0, "end": 15, "label": "PER"}],
    }
    assert row_of_tokens(list("彭小军住北京，"), ["B-人名", "I-人名", "I-人名", "O", "B-地名", "I-地名", "O"]) == {
        "text": "彭小军住北京 ，",
        "entities": [{"start": 0, "end": 3, "label": "人名"}, {"start": 4, "end": 6, "label": "地名"}],
    }


@pytest.mark.parametrize(
    ("tokens", "tags", "expected"),
    [
        (["a", ""], ["O", "O"], "'tokens[1]' is empty, expected a token; fill it in, or remove it and its tag"),
        (["a", 5], ["O", "O"], "'tokens[1]' is the int 5, expected a token"),
        (["a", None], ["O", "O"], "'tokens[1]' is null"),
        (["a", "\ud800"], ["O", "O"], "'tokens[1]' holds half a character"),
        (["a", "b"], ["O"], "there are 2 tokens and 1 tags, expected one tag a token; add or remove"),
        ("ab", ["O"], "'tokens' is the text 'ab', expected a list"),
        (["a"], "O", "'tags' is the text 'O', expected a list"),
        (["a"], ["B-NaN"], "'tags[0]' is NaN, expected a label"),
        (["x" * 600_000] * 2, ["O", "O"], "'tokens' have 1,200,002 characters, expected at most 1,000,000; split"),
        (["北", "京"], ["O", "I-地名"], "tag 2 is 'I-地名' after 'O'"),
    ],
)
def test_what_is_no_sentence_is_named(tokens: Any, tags: Any, expected: str) -> None:
    with pytest.raises(CellError) as caught:
        row_of_tokens(tokens, tags)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("text", "span", "expected"),
    [
        (
            "Bob met Ann",
            (0, 2),
            "the entity 'Bo' (X) at [0, 2) cuts token 1, 'Bob' at [0, 3), expected whole tokens; move its border",
        ),
        ("Bob met Ann", (5, 11), "the entity 'et Ann' (X) at [5, 11) cuts token 2, 'met' at [4, 7)"),
        ("Bob met Ann", (3, 4), "the entity ' ' (X) at [3, 4) holds no token, expected at least one"),
        ("我爱 Python 语言", (3, 5), "the entity 'Py' (X) at [3, 5) cuts token 3, 'Python' at [3, 9)"),
    ],
)
def test_an_entity_that_cuts_a_token_is_named_with_it(text: str, span: tuple[int, int], expected: str) -> None:
    offsets = joined_tokens(text)
    assert offsets is not None
    with pytest.raises(CellError) as caught:
        tags_of_spans(text, offsets, [Entity(start=span[0], end=span[1], label="X")])
    assert expected in str(caught.value)


def test_spaces_at_the_edge_of_an_entity_belong_to_no_token() -> None:
    entity = Entity(start=3, end=8, label="X")
    assert tags_of_spans("Bob met Ann", [(0, 3), (4, 7), (8, 11)], [entity]) == ["O", "B-X", "O"]


@given(st.lists(TOKENS, min_size=1, max_size=10))
def test_the_tokens_of_a_join_join_to_the_same_text(tokens: list[str]) -> None:
    text = join(tokens).text
    offsets = joined_tokens(text)
    assert offsets is not None
    assert join([text[start:end] for start, end in offsets]).text == text


@pytest.mark.parametrize("text", ["", "a  b", " a", "a ", "你 好", "a\tb", "a\nb", "\ufeffa"])
def test_other_texts_are_no_join(text: str) -> None:
    assert joined_tokens(text) is None


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Hello, world...", ["Hello", ",", "world", ".", ".", "."]),
        ("我在Beijing工作。", ["我", "在", "Beijing", "工", "作", "。"]),
        (" Zoe\u0301 3.5%\n", ["Zoe\u0301", "3", ".", "5", "%"]),
        ("👩\u200d🚒 葛\U000e0100城 ❤\ufe0f!", ["👩\u200d🚒", "葛\U000e0100", "城", "❤\ufe0f", "!"]),
        ("\u0301a", ["\u0301", "a"]),
        ("", []),
    ],
)
def test_a_text_as_it_was_written_is_cut_into_words_han_characters_and_marks(text: str, tokens: list[str]) -> None:
    assert [text[start:end] for start, end in marked_tokens(text)] == tokens


@given(st.text(max_size=20))
def test_marked_tokens_hold_every_character_but_spaces(text: str) -> None:
    offsets = marked_tokens(text)
    assert offsets == sorted(offsets)
    held = "".join(text[start:end] for start, end in offsets)
    assert held.replace(" ", "") == "".join(text.split()).replace("\ufeff", "")


@given(st.lists(JSON, max_size=4), st.lists(JSON, max_size=4))
@settings(max_examples=100, deadline=None)
def test_any_lists_are_a_row_or_a_cell_error(tokens: list[Any], tags: list[Any]) -> None:
    try:
        row = row_of_tokens(tokens, tags)
    except (CellError, TagError) as error:
        str(error).encode()
    else:
        assert len(spans_of_tags(tags)) >= len(row["entities"])


@pytest.mark.parametrize(
    ("sentences", "gap"),
    [
        ([["2", "0", "年"], list("我在北京")], ""),
        ([["我", "……", "❤\ufe0f", "e\u0301", "在", "京", "好", "吗"]], ""),
        ([["我", "在", "19"]], " "),
        ([["我", "在", "北京"]], " "),
        ([["N", "B", "A", "球"]], " "),
        ([["我", "A"]], " "),
        ([], " "),
        ([[]], " "),
    ],
)
def test_chinese_characters_alone_have_no_space_between_them(sentences: list[list[str]], gap: str) -> None:
    assert gap_of(sentences) == gap


def test_a_row_without_spaces_keeps_whole_words_in_its_entities() -> None:
    tokens = list("看NBA2019")
    for tags, text, place in (
        (["O", "B-X", *["I-X"] * 6], "看NBA2019", (1, 8)),
        (["B-X", *["O"] * 7], "看NBA2019", (0, 1)),
        (["O", "B-X", "I-X", "I-X", *["O"] * 4], "看 N B A 2 0 1 9", (2, 7)),
    ):
        row = row_of_tokens(tokens, tags, gap="")
        assert row == {"text": text, "entities": [{"start": place[0], "end": place[1], "label": "X"}]}
        assert row_of_tokens(tokens, tags)["text"] == "看 N B A 2 0 1 9"
    assert character_tokens("a 好，") == [(0, 1), (2, 3), (3, 4)]
    assert [character_tokens(text) for text in ("a\tb", "a\n", "\r", "\ufeffa")] == [None] * 4
