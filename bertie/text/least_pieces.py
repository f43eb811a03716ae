"""How many pieces a text has at least, before any vocabulary is known.

In:  a text
Out: a number
Knows nothing of tokenizers.
"""

from __future__ import annotations

import re

_PIECES = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]|[^\W\u3400-\u9fff\uf900-\ufaff]+")


def least_pieces(text: str) -> int:
    """One of each Han character, where each is its own, and of each other word."""
    return len(_PIECES.findall(text))
