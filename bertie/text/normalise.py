"""Normalisation: one key for texts that a person would call the same.

In:  a text
Out: its folded form
Knows nothing of offsets, words or pieces: a folded text is compared, never shown and never encoded.
"""

from __future__ import annotations

import re
import unicodedata

_NOT_WORD = re.compile(r"[\W_]+")


def fold(text: str) -> str:
    """Compatibility forms, case, spacing and punctuation taken away; a text of marks alone keeps its marks.

    Between two words of letters one space stays, so that "no one" and "noone" differ; Chinese needs none.
    """
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    words = _NOT_WORD.sub(" ", plain).strip()
    if not words:
        return unicodedata.normalize("NFKC", "".join(plain.split()))  # marks that met have an order of their own
    return re.sub(r"(?<=[^\x00-\u024f]) | (?=[^\x00-\u024f])", "", words)
