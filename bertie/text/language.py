"""Language: which scripts a text is written in, and what that says about a model for it.

In:  texts
Out: shares of Han, Latin and other letters, and "zh", "en", "mixed" or "other"
Knows nothing of models and of any language beyond its script.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Language = Literal["zh", "en", "mixed", "other"]

_HAN = re.compile(r"[\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_LATIN_WORD = re.compile(r"[A-Za-z\u00c0-\u024f]+")
_OTHER_LETTER = re.compile(
    r"[^\W\d_A-Za-z\u00c0-\u024f\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
_CLEAR = 0.8  # share from which one script names the text; brand names in Chinese text stay below the rest
_OTHER = 0.5


@dataclass(frozen=True, slots=True)
class LanguageMix:
    """Shares of the writing units, together 1 unless there is no letter at all."""

    han: float
    latin: float
    other: float
    language: Language


def detect(texts: Iterable[str]) -> LanguageMix:
    """Count units, not letters: a Han character, a Latin word, and three letters of another script weigh the same.

    Without this an English product name would outweigh a Chinese sentence. Texts without any letter are "other".
    """
    han = latin = other = 0.0
    for text in texts:
        han += len(_HAN.findall(text))
        latin += len(_LATIN_WORD.findall(text))
        other += len(_OTHER_LETTER.findall(text)) / 3
    total = han + latin + other
    if not total:
        return LanguageMix(0.0, 0.0, 0.0, "other")
    shares = han / total, latin / total, other / total
    return LanguageMix(*shares, _name(*shares))


def _name(han: float, latin: float, other: float) -> Language:
    if other > _OTHER:
        return "other"
    if han >= _CLEAR * (han + latin):
        return "zh"
    if latin >= _CLEAR * (han + latin):
        return "en"
    return "mixed"
