"""Fonts: the Chinese characters of a page as a font inside it, so that they show on any machine.

In:  the text of a page, what is needed most first
Out: a style sheet rule with the characters it uses, as many as fit, or nothing where no free font is at hand
Knows nothing of what the page says.

Only fonts whose licence allows embedding (OFL, Apache, GPL with the font exception) are looked for.
"""

from __future__ import annotations

import base64
import io
import logging
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTCollection, TTFont, TTLibError

HAN = re.compile(r"[\u2e80-\u303f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]")
LARGEST = 300_000
"""Characters of base64; a page about short texts uses a few hundred signs, 40 to 150 KB."""
MOST_SIGNS = 1500
FILES = (
    "NotoSansSC-Regular.otf",
    "NotoSansCJKsc-Regular.otf",
    "NotoSansCJK-Regular.ttc",
    "SourceHanSansSC-Regular.otf",
    "SourceHanSans-Regular.ttc",
    "DroidSansFallbackFull.ttf",
    "wqy-microhei.ttc",
    "wqy-zenhei.ttc",
)
FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts", "/Library/Fonts")


def embedded_font(text: str, path: Path | None = None) -> str:
    """An `@font-face` rule named Bertie Han; empty where it is not needed or cannot be made.

    Where not all signs of the text fit, those are in it that come first.
    """
    signs = list(dict.fromkeys(HAN.findall(text)))[:MOST_SIGNS]
    source = (path or font_file()) if signs else None
    if source is None:
        return ""
    try:
        encoded = _encoded(source, signs)
        while len(encoded) > LARGEST:
            signs = signs[: min(len(signs) * LARGEST * 9 // (len(encoded) * 10), len(signs) - 1)]
            encoded = _encoded(source, signs)
    except (OSError, TTLibError, KeyError, ValueError):  # a damaged system font must not cost the report
        return ""
    if not encoded:
        return ""
    return (
        '@font-face{font-family:"Bertie Han";src:url(data:font/woff;base64,' + encoded + ') format("woff");'
        "unicode-range:U+2E80-303F,U+3040-30FF,U+3400-9FFF,U+F900-FAFF,U+FF00-FFEF,U+20000-3FFFF}"
    )


@cache
def font_file() -> Path | None:
    """The first of the known free fonts on this machine."""
    found: dict[str, Path] = {}
    for folder in FOLDERS:
        for path in Path(folder).expanduser().rglob("*.[ot]t[fc]"):
            found.setdefault(path.name, path)
    return next((found[name] for name in FILES if name in found), None)


def _encoded(path: Path, signs: Sequence[str]) -> str:
    """A font with these signs in base64; nothing where there are none."""
    return base64.b64encode(_subset(path, "".join(signs))).decode("ascii") if signs else ""


def _subset(path: Path, signs: str) -> bytes:
    logging.getLogger("fontTools").setLevel(logging.ERROR)  # it tells each table that it drops
    font = _face(path)
    options = Options()
    options.flavor, options.layout_features, options.hinting = "woff", [], False
    options.name_IDs, options.notdef_outline, options.drop_tables = [], True, [*options.drop_tables, "GSUB", "GPOS"]
    subsetter = Subsetter(options)
    subsetter.populate(text=signs)
    subsetter.subset(font)
    font.flavor = "woff"
    target = io.BytesIO()
    font.save(target)
    return target.getvalue()


def _face(path: Path) -> TTFont:
    """A collection holds a face for each region; the one for simplified Chinese is taken where there is one."""
    if path.suffix != ".ttc":
        return TTFont(path, lazy=True)
    faces = TTCollection(path, lazy=True).fonts
    return next((face for face in faces if " SC" in str(face["name"].getDebugName(4))), faces[0])
