"""The embedded font: only the signs of the page, only where it is needed, never an error."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont

from bertie.evaluation import fonts
from bertie.evaluation.fonts import embedded_font


@pytest.fixture
def font(tmp_path: Path) -> Path:
    """A font with a box for each of a hundred Han characters."""
    signs = {code: f"uni{code:04X}" for code in range(0x4E00, 0x4E64)}
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    pen.lineTo((0, 500))
    pen.lineTo((500, 500))
    pen.closePath()
    names = [".notdef", *signs.values()]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap(signs)
    builder.setupGlyf(dict.fromkeys(names, pen.glyph()))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (600, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Box", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    path = tmp_path / "box.ttf"
    builder.save(path)
    return path


def test_only_the_signs_of_the_page_are_in_the_font(font: Path) -> None:
    rule = embedded_font("text \u4e00 and \u4e05\u4e05", font)
    data = base64.b64decode(rule.split("base64,")[1].split(")")[0])
    made = TTFont(io.BytesIO(data))
    assert made.flavor == "woff" and set(made.getBestCmap()) == {0x4E00, 0x4E05}
    assert rule.startswith('@font-face{font-family:"Bertie Han"')


def test_no_font_where_none_is_needed(font: Path) -> None:
    assert embedded_font("plain English", font) == ""


def signs(rule: str) -> list[int]:
    """The characters of the font in a rule."""
    data = base64.b64decode(rule.split("base64,")[1].split(")", maxsplit=1)[0])
    return sorted(TTFont(io.BytesIO(data)).getBestCmap())


def test_of_a_whole_dictionary_the_first_signs_are_in_the_font(font: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    every = "".join(map(chr, range(0x4E00, 0x5E00)))
    assert signs(embedded_font(every, font)) == list(range(0x4E00, 0x4E64))
    monkeypatch.setattr(fonts, "MOST_SIGNS", 3)
    assert signs(embedded_font("\u4e50\u4e50\u4e10 a \u4e30" + every, font)) == [0x4E10, 0x4E30, 0x4E50]


def test_of_more_than_a_page_may_hold_as_many_signs_are_taken_as_fit(
    font: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = [0x4E00 + i * 37 % 100 for i in range(100)]
    text = "".join(map(chr, order))
    one, whole = (len(embedded_font(part, font).split("base64,")[1].split(")")[0]) for part in (text[0], text))
    monkeypatch.setattr(fonts, "LARGEST", (one + whole) // 2)
    rule = embedded_font(text, font)
    found = signs(rule)
    assert 1 <= len(found) < 100 and found == sorted(order[: len(found)])
    monkeypatch.setattr(fonts, "LARGEST", 10)
    assert embedded_font(text, font) == ""


def test_a_damaged_font_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "bad.ttf").write_bytes(b"not a font")
    assert embedded_font("\u4e00", tmp_path / "bad.ttf") == ""
    assert embedded_font("\u4e00", tmp_path / "missing.ttf") == ""
