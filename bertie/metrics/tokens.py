"""Tokens: what two texts are compared by, in Chinese and in languages with spaces.

In:  a text
Out: its tokens: a Han character each, a word each
Knows nothing of a model's tokenizer, of dictionaries, or of metrics.
"""

from __future__ import annotations

import re

HAN = r"\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""Han characters, as they stand inside the brackets of a regular expression."""

_WIDE = {0x3000: " ", **{0xFF01 + i: chr(0x21 + i) for i in range(94)}}
_WORD = re.compile(rf"[{HAN}]|[^\W_{HAN}]+")


def fold_width(text: str) -> str:
    """Full-width letters, digits and marks, and the ideographic space, as their ASCII forms: `ＡＢ１，` is `AB1,`."""
    return text.translate(_WIDE)


def words(text: str) -> list[str]:
    """Each Han character, and each run of other letters and digits in lower case; marks and spaces are dropped.

    A text of marks alone keeps them, one a token. Of an ASCII text with words these are the tokens of rouge-score.
    """
    plain = fold_width(text).lower()
    return _WORD.findall(plain) or [mark for mark in plain if not mark.isspace()]
