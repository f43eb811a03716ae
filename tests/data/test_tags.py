"""Tags: every scheme there and back; a tag that does not fit is named with its place."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertie.data.cells import CellError
from bertie.data.tags import SCHEMES, Scheme, TagError, TokenSpan, detect, is_tag, spans_of_tags, tags_of_token_spans
from tests.data.records import JSON


@st.composite
def sentences(draw: st.DrawFn) -> tuple[list[TokenSpan], int]:
    """Spans that share no token, often one directly behind another, and the length of the sentence."""
    parts = draw(
        st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4), st.sampled_from(["PER", "地名"])), max_size=6)
    )
    spans, end = [], 0
    for gap, length, label in parts:
        spans.append((end + gap, end + gap + length, label))
        end += gap + length
    return spans, end + draw(st.integers(0, 2))


@given(sentences(), st.sampled_from(SCHEMES))
def test_spans_to_tags_and_back_is_the_identity(sentence: tuple[list[TokenSpan], int], scheme: Scheme) -> None:
    spans, length = sentence
    tags = tags_of_token_spans(spans, length, scheme)
    assert len(tags) == length
    assert spans_of_tags(tags, scheme) == spans
    assert tags_of_token_spans(spans_of_tags(tags, scheme), length, scheme) == tags
    assert scheme == "IOB1" or spans_of_tags(tags) == spans


@pytest.mark.parametrize(
    ("tags", "scheme", "spans"),
    [
        ("B-PER I-PER O B-地名", "BIO", [(0, 2, "PER"), (3, 4, "地名")]),
        ("B-PER B-PER", "BIO", [(0, 1, "PER"), (1, 2, "PER")]),
        ("I-PER I-PER B-PER I-ORG", "IOB1", [(0, 2, "PER"), (2, 3, "PER"), (3, 4, "ORG")]),
        ("B-PER I-PER E-PER S-ORG O", "BIOES", [(0, 3, "PER"), (3, 4, "ORG")]),
        ("B-地名 M-地名 E-地名 S-人名", "BMES", [(0, 3, "地名"), (3, 4, "人名")]),
        ("B_地名 E_地名 W_人名", "BMES", [(0, 2, "地名"), (2, 3, "人名")]),
        ("B-PER L-PER U-ORG", "BILOU", [(0, 2, "PER"), (2, 3, "ORG")]),
        ("B-a-b I-a-b", "BIO", [(0, 2, "a-b")]),
        ("", "BIO", []),
    ],
)
def test_known_sentences(tags: str, scheme: Scheme, spans: list[TokenSpan]) -> None:
    assert spans_of_tags(tags.split(), scheme) == spans
    assert detect([tags.split()]) == scheme
    assert scheme == "IOB1" or spans_of_tags(tags.split()) == spans


@pytest.mark.parametrize(
    ("tags", "place", "expected"),
    [
        ("O I-PER", 1, "tag 2 is 'I-PER' after 'O', expected something of 'PER' before it; write B-PER or correct the"),
        (
            "I-地名 O",
            0,
            "tag 1 is 'I-地名' after the beginning of the sentence, expected something of '地名' before it",
        ),
        ("B-PER I-ORG", 1, "tag 2 is 'I-ORG' after 'B-PER', expected something of 'ORG'"),
        (
            "B-PER I-PER O S-PER",
            1,
            "the entity 'PER' that begins at tag 1 is not ended before 'O', expected E-PER; cor",
        ),
        ("S-地名 O B-地名", 2, "the entity '地名' that begins at tag 3 is not ended before the end of the sentence"),
        ("E-PER", 0, "tag 1 is 'E-PER' after the beginning"),
        ("O X-PER", 1, "tag 2 is the text 'X-PER', expected O or a tag such as B-PER"),
        ("B-", 0, "tag 1 is the text 'B-', expected"),
        ("O PER", 1, "tag 2 is the text 'PER'"),
        ("o", 0, "tag 1 is the text 'o'"),
    ],
)
def test_a_tag_that_does_not_fit_is_named(tags: str, place: int, expected: str) -> None:
    with pytest.raises(TagError) as caught:
        spans_of_tags(tags.split())
    assert expected in str(caught.value)
    assert caught.value.place == place


def test_numbers_and_letters_of_another_scheme_are_named() -> None:
    with pytest.raises(
        TagError, match=r"tag 1 is the int 3, expected .*numbers of tags must be turned into their names"
    ):
        spans_of_tags([3, 0])
    with pytest.raises(TagError, match=r"tag 2 is 'S-PER', expected the letters of BIO .*for the whole file"):
        spans_of_tags(["O", "S-PER"], "BIO")


def test_two_entities_on_one_token_cannot_be_tags() -> None:
    with pytest.raises(CellError, match="two entities, '地名' and '人名', share token 2, expected one tag a token"):
        tags_of_token_spans([(0, 2, "地名"), (1, 3, "人名")], 3)


def test_the_scheme_is_that_of_the_whole_file() -> None:
    assert detect([["I-PER", "O"], ["O", "I-ORG", "B-ORG"]]) == "IOB1"
    assert detect([["O", "I-PER"], ["O", "B-ORG"]]) == "BIO"  # its first tag is then a mistake
    assert detect([["O"], ["B-PER", "I-PER"], ["S-PER"]]) == "BIOES"
    assert detect([]) == detect([["O"], None, 5, "B-PER", [None, 3, "nonsense"]]) == "BIO"


def test_what_a_tag_is() -> None:
    assert all(map(is_tag, ["O", "B-PER", "M_地名", "I-a b"]))
    assert not any(map(is_tag, ["", "o", "B", "B-", "B- ", "PER", "b-PER", "B-PER\n", None, 1]))


@given(st.lists(JSON, max_size=5))
@settings(max_examples=100, deadline=None)
def test_any_list_is_spans_or_a_tag_error(tags: list[Any]) -> None:
    try:
        spans_of_tags(tags)
    except TagError as error:
        assert 0 <= error.place < len(tags)
        str(error).encode()
