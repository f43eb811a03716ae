"""Shared pieces: what an old vocabulary has for each piece of a new one.

In:  two tokenizers of any kind
Out: for each new piece the old pieces of its text: itself where both know it, else those that the old tokenizer cuts it
     into, or none
Knows nothing of vectors or models.

Vocabularies write the same piece in their own ways (`##ing`, `▁going`, `Ġgoing`); here all are read as a text and where
in a word it stands.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from tokenizers import decoders

from bertie.core.errors import UsageError
from bertie.text.tokenizer import Tokenizer
from bertie.text.user_words import HAN_WORD

METASPACE = "▁"
UNREADABLE = "\ufffd"
_LONG = 10**6  # more pieces than one is cut into


class Spelling(NamedTuple):
    """A piece, in whatever way its vocabulary writes it."""

    text: str
    place: Literal["start", "inside", "bytes"]
    """It begins a word, or goes on with one; or it is a part of a character, and `text` is how the vocabulary writes
    it."""


@dataclass(frozen=True)
class SharedPieces:
    """The new vocabulary in pieces of the old one."""

    parts: list[list[int]]
    """Of each new id the old ids; empty where the old vocabulary has nothing for it."""
    copied: int
    """New pieces that the old vocabulary has itself, specials among them."""

    @property
    def drawn(self) -> int:
        """New pieces for which the old vocabulary has nothing."""
        return sum(not ids for ids in self.parts)

    @property
    def composed(self) -> int:
        """New pieces that the old tokenizer cuts into known ones."""
        return len(self.parts) - self.copied - self.drawn


def shared_pieces(new: Tokenizer, old: Tokenizer) -> SharedPieces:
    """The pieces of `new` by those of `old`; specials by their role."""
    spelled = spellings(old)
    known: dict[Spelling, int] = {}
    for piece, spelling in enumerate(spelled):
        if spelling is not None:
            known.setdefault(spelling, piece)
    wanted = spellings(new)
    same = {piece: _same(spelling, known) for piece, spelling in enumerate(wanted) if spelling is not None}
    parts: list[list[int]] = [[] for _ in wanted]
    for role, token in new.specials.items():
        same[_id(new, token)] = _id(old, old.specials[role]) if role in old.specials else None
    for piece, twin in same.items():
        parts[piece] = [] if twin is None else [twin]
    copied = sum(map(len, parts))
    asked = [
        (piece, spelling)
        for piece, spelling in enumerate(wanted)
        if spelling is not None and not parts[piece] and spelling.place != "bytes"
    ]
    for (piece, spelling), cut in zip(asked, _cut([spelling for _, spelling in asked], old), strict=True):
        first = spelled[cut[0]] if cut else None
        if first is not None and not _needs_no_space(spelling.text[0]):
            # The cut begins a word, the piece may stand inside of one.
            cut[0] = known.get(Spelling(first.text, spelling.place), cut[0])
        parts[piece] = cut
    return SharedPieces(parts, copied)


def spellings(tokenizer: Tokenizer) -> list[Spelling | None]:
    """Of each id; None for specials and for numbers that no piece has."""
    read = _reader(tokenizer.spec)
    specials = set(tokenizer.specials.values())
    found: list[Spelling | None] = []
    for piece in range(tokenizer.vocab_size):
        try:
            token = tokenizer.token(piece)
        except UsageError:
            token = None
        found.append(None if token is None or token in specials else read(token))
    return found


def _reader(spec: dict[str, Any]) -> Callable[[str], Spelling]:
    """How the pieces of a tokenizer.json are read."""
    steps = json.dumps([spec.get(part) for part in ("normalizer", "pre_tokenizer", "decoder")], ensure_ascii=False)
    if '"ByteLevel"' in steps:
        return _read_bytes
    if METASPACE in steps or spec["model"]["type"] == "Unigram":
        return lambda token: _marked(token, METASPACE)
    prefix = spec["model"].get("continuing_subword_prefix")
    return lambda token: _continued(token, prefix)


def _read_bytes(token: str) -> Spelling:
    text = decoders.ByteLevel().decode([token])
    return Spelling(token, "bytes") if UNREADABLE in text else _marked(text, " ")


def _marked(text: str, mark: str) -> Spelling:
    return Spelling(text[len(mark) :], "start") if text.startswith(mark) else Spelling(text, "inside")


def _continued(text: str, prefix: str | None) -> Spelling:
    inside = bool(prefix) and text != prefix and text.startswith(str(prefix))
    return Spelling(text.removeprefix(str(prefix)), "inside") if inside else Spelling(text, "start")


def _same(spelling: Spelling, known: dict[Spelling, int]) -> int | None:
    """The old id of a piece. Before a Han character or a mark no space tells where a word begins, so there it may stand
    anywhere."""
    found = known.get(spelling)
    if found is None and spelling.text and spelling.place != "bytes" and _needs_no_space(spelling.text[0]):
        other: Literal["start", "inside"] = "inside" if spelling.place == "start" else "start"
        found = known.get(Spelling(spelling.text, other))
    return found


def _needs_no_space(letter: str) -> bool:
    return bool(HAN_WORD.match(letter)) or not letter.isalnum()


def _cut(asked: Sequence[Spelling], old: Tokenizer) -> list[list[int]]:
    """What the old tokenizer makes of each text, without specials, the unknown piece and pieces of no text."""
    spaced = '"ByteLevel"' in json.dumps(old.spec.get("pre_tokenizer"))  # there the space is part of the piece
    texts = [" " + one.text if spaced and one.place == "start" else one.text for one in asked]
    found = []
    for encoded in old.encode_batch(texts, None, _LONG) if texts else []:
        pieces = zip(encoded.ids, encoded.sequence, encoded.offsets, strict=True)
        found.append([i for i, side, (a, b) in pieces if side is not None and a < b and i != old.unk_id])
    return found


def _id(tokenizer: Tokenizer, token: str) -> int:
    piece = tokenizer.piece_id(token)
    assert piece is not None, "a special has an id"
    return piece
