"""Pages: one HTML file that opens anywhere, without scripts, links or files beside it.

In:  a template of this folder that extends `page.html`, its values
Out: the page, with every text shown as text, and the Chinese characters that it uses as a font, where a free one is
Knows nothing of what it tells.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from bertie.evaluation import phrases
from bertie.evaluation.fonts import embedded_font
from bertie.evaluation.phrases import Language

TEXT_SHOWN = 400
"""Characters of a text in the list of mistakes."""
_MISTAKES = re.compile(r'<ol class="mistakes">.*?</ol>', re.DOTALL)
_UNSHOWABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
"""Control characters and halves of surrogate pairs: no HTML file may hold them, and UTF-8 cannot."""


def render(template: str, language: Language, **values: Any) -> str:
    """The page; `title` is among the values."""
    page = _TEMPLATES.get_template(template).render(
        language="zh-CN" if language == "zh" else "en",
        style=Markup((Path(__file__).parent / "report.css").read_text(encoding="utf-8")),
        **values,
    )
    page = _UNSHOWABLE.sub("\ufffd", page)
    return page.replace("/* embedded font */", embedded_font(_by_need(page)), 1)


def _by_need(page: str) -> str:
    """The page with its mistakes last: running text, of which a sign may rather be missing than of a heading."""
    return _MISTAKES.sub("", page) + "".join(_MISTAKES.findall(page))


def _tongue(text: str) -> str:
    """The `lang` of a piece of text, which decides between Chinese and Japanese shapes of a character."""
    return "zh-CN" if phrases.language_of([text]) == "zh" else "en"


def _shortened(text: str) -> str:
    return text if len(text) <= TEXT_SHOWN else text[:TEXT_SHOWN].rstrip() + " …"


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "tongue": _tongue,
        "shortened": _shortened,
        "figure": lambda value, name: phrases.figure(name, value),
    }
    made.filters |= {"points": lambda value, name: phrases.points(name, value)}
    made.filters |= {"spoken": phrases.spoken}
    return made


_TEMPLATES = _environment()
