"""Units: words, Han characters and marks, each carried by a piece of it, in the window that shows most around it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertie.data.tokens import marked_tokens
from bertie.data.units import SHAPES, Units, Window, is_whole, run_of, shape, units_of
from bertie.text.tokenizer import Tokenizer

TEXT = st.text(st.sampled_from("aB5é中文，。《》 \t\n\u200d\ufe0f\u0301😀'-.\0"), max_size=60)


@pytest.fixture(scope="module", params=["minilm", "e5"])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    folder: Path = request.getfixturevalue(f"{request.param}_folder")
    return Tokenizer.from_folder(folder, han_isolated=True)


def words(text: str, units: Units) -> list[str]:
    return [text[start:end] for start, end in units.offsets]


def shapes(text: str) -> list[str]:
    return [SHAPES[shape(text[start:end], text.isupper())] for start, end in marked_tokens(text)]


@settings(max_examples=60, deadline=None)
@given(TEXT, st.integers(4, 20))
def test_a_piece_that_holds_a_character_of_the_unit_carries_it(tokenizer: Tokenizer, text: str, length: int) -> None:
    (windows,) = tokenizer.encode_windows([text], max_length=length)
    units = units_of(text, windows)
    assert len(units.shapes) == len(units.carriers) == len(units) and len(units.windows) == len(windows)
    for (start, end), (w, token) in zip(units.offsets, units.carriers, strict=True):
        first, last = windows[w].offsets[token]
        assert windows[w].sequence[token] == 0 and first < end and start < last
    seen = {span for window in windows for span in window.offsets if span[0] < span[1]}
    held = {u for u in marked_tokens(text) if any(first < u[1] and u[0] < last for first, last in seen)}
    assert set(units.offsets) == held, "nothing that a window shows is left out"


def test_the_first_piece_of_a_word_carries_it(tokenizer: Tokenizer) -> None:
    text = "Tokenization in 上海, 2024!"
    units = units_of(text, [tokenizer.encode(text)])
    assert words(text, units) == ["Tokenization", "in", "上", "海", ",", "2024", "!"]
    pieces = tokenizer.encode(text)
    for (start, _), (_, token) in zip(units.offsets, units.carriers, strict=True):
        first, last = pieces.offsets[token]
        assert text[first:last].lstrip() and first <= start < last


def test_marks_that_are_one_piece_are_told_apart_by_their_shape(e5_folder: Path) -> None:
    text = "《红楼梦》，好"
    tokenizer = Tokenizer.from_folder(e5_folder, han_isolated=True)
    units = units_of(text, [tokenizer.encode(text)])
    assert words(text, units) == ["《", "红", "楼", "梦", "》", "，", "好"]
    assert units.carriers[4] == units.carriers[5] != units.carriers[6]
    assert [SHAPES[one] for one in units.shapes[4:]] == ["mark", "rest", "caseless"]


def test_shapes() -> None:
    assert shapes("John's iPhone5 and an NBA game in 1998, at 5pm.") == [
        *("capital", "mark", "lower", "mixed", "lower", "lower", "upper", "lower", "lower"),
        *("digits", "mark", "lower", "lower", "mark"),
    ]
    assert shapes("SOCCER - U.S. 2") == ["shouted", "mark", "shouted", "mark", "shouted", "mark", "digits"]
    assert shapes("在上海") == ["caseless"] * 3


def test_each_unit_is_read_where_it_stands_furthest_from_an_edge() -> None:
    offsets = [(i, i + 1) for i in range(10)]
    windows = (Window(0, tuple(range(1, 7))), Window(4, tuple(range(1, 7))))  # units 0 to 5, and 4 to 9
    units = Units(offsets, (3,) * 10, windows)
    assert [w for w, _ in units.carriers] == [0] * 5 + [1] * 5
    assert units.carriers[4] == (0, 5) and units.carriers[5] == (1, 2)
    assert units.best_window(4, 5) == 0, "of equal ones the earlier"
    assert units.best_window(4, 6) == units.best_window(6, 9) == 1
    assert units.best_window(0, 5) == 0, "the ends of the text are no edges"


def test_runs() -> None:
    text = "to New York, 北京。"
    offsets = marked_tokens(text)
    assert run_of(offsets, 3, 11) == (1, 2) and is_whole(offsets, 3, 11)
    assert run_of(offsets, 4, 9) == (1, 2) and not is_whole(offsets, 4, 9)
    assert run_of(offsets, 2, 6) == (1, 1) and not is_whole(offsets, 2, 6), "a space at the edge"
    assert run_of(offsets, 13, 15) == (4, 5) and is_whole(offsets, 13, 15) and is_whole(offsets, 13, 14)
    assert run_of(offsets, 2, 3) is None and not is_whole(offsets, 2, 3)


def test_a_text_without_units(tokenizer: Tokenizer) -> None:
    units = units_of(" \n", [tokenizer.encode(" \n")])
    assert len(units) == 0 and units.carriers == [] and [len(window.tokens) for window in units.windows] == [0]
