"""Kept parts: pairs of texts to sequences that fit a model, with one part of each pair whole in all of them.

In:  a tokenizer, pairs of texts, the part of each that is kept
Out: `Encoded`: one sequence a pair, or with an overlap as many as it takes; what was cut is said by `truncated`
Knows nothing of tensors, tasks or what the part is.

    pair       a long question, a choice   |   a long context            the choice is kept
    cut        [CLS] a long question choice [SEP] a long co [SEP]        the longer one of the others loses its end
    windows    [CLS] a long question choice [SEP] a long co [SEP]        the longer one of the others goes into windows,
               [CLS] a long question choice [SEP] context   [SEP]        with at most half of what is left for the other
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from bertie.core.errors import UsageError
from bertie.text.tokenizer import MOST_WINDOWS, Encoded, Tokenizer, longest_first

Value = TypeVar("Value")

_WHOLE = 10**9
_AT_ONCE = 1000
"""Pairs of which all pieces are held, until they are cut."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The part of a pair from a character of one of its texts to the end of that text."""

    side: int
    """0 first text, 1 second text."""
    start: int = 0


@dataclass(frozen=True, slots=True)
class _Pieces:
    """The pieces of a pair by their places in it, in their order."""

    whole: Encoded
    specials: list[int]
    first: list[int]
    """Of the first text, without the part."""
    second: list[int]
    """Of the second text, without the part."""
    kept: list[int]

    @classmethod
    def of(cls, whole: Encoded, part: Kept) -> _Pieces:
        sides: dict[int | None, list[int]] = {None: [], 0: [], 1: []}
        kept = list[int]()
        for i, (side, (start, _)) in enumerate(zip(whole.sequence, whole.offsets, strict=True)):
            (kept if side == part.side and start >= part.start else sides[side]).append(i)
        return cls(whole, sides[None], sides[0], sides[1], kept)

    def sequence(self, chosen: Sequence[int], truncated: bool) -> Encoded:
        """These pieces and the specials, in their order."""
        places, whole = sorted([*self.specials, *chosen]), self.whole

        def at(values: Sequence[Value]) -> list[Value]:
            return [values[i] for i in places]

        return Encoded(at(whole.ids), at(whole.type_ids), at(whole.offsets), at(whole.sequence), truncated)


def encode_kept(
    tokenizer: Tokenizer,
    texts: Sequence[str],
    pairs: Sequence[str],
    kept: Sequence[Kept],
    max_length: int,
    *,
    overlap: float | None = None,
) -> list[tuple[Encoded, ...]]:
    """Encodes pairs of texts, at most `max_length` pieces with specials.

    The part is whole in each sequence where it leaves an eighth of the room to the rest. A longer one is cut, or with
    windows stands in as many of these as it takes.

    Args:
        tokenizer: any.
        texts: the first of each pair.
        pairs: the second of each pair.
        kept: the part of each pair.
        max_length: of a sequence.
        overlap: None: one sequence a pair. A number, 0 to below 1: all of the pair in several sequences, of which
            neighbours share this part of their pieces.

    Raises:
        UsageError: `max_length` leaves no room for two pieces.
    """
    found = list[tuple[Encoded, ...]]()
    for whole, part in zip(_wholes(tokenizer, texts, pairs), kept, strict=True):
        room = max_length - whole.sequence.count(None)
        if room < 2:
            raise UsageError(f"max_length {max_length} leaves no room for text beside the special tokens; give more")
        if len(whole) <= max_length:
            found.append((whole,))
        elif overlap is None:
            found.append((_cut(_Pieces.of(whole, part), room),))
        else:
            found.append(_windows(_Pieces.of(whole, part), room, overlap))
    return found


def _wholes(tokenizer: Tokenizer, texts: Sequence[str], pairs: Sequence[str]) -> Iterator[Encoded]:
    """The pairs without any limit."""
    for i in range(0, len(texts), _AT_ONCE):
        yield from tokenizer.encode_batch(texts[i : i + _AT_ONCE], pairs[i : i + _AT_ONCE], _WHOLE)


def _most_kept(room: int) -> int:
    return room - max(1, room // 8)


def _cut(pieces: _Pieces, room: int) -> Encoded:
    kept = pieces.kept[: max(_most_kept(room), room - len(pieces.first) - len(pieces.second))]
    first, second = longest_first(len(pieces.first), len(pieces.second), room - len(kept))
    return pieces.sequence([*pieces.first[:first], *pieces.second[:second], *kept], truncated=True)


def _windows(pieces: _Pieces, room: int, overlap: float) -> tuple[Encoded, ...]:
    short, long, kept = pieces.first, pieces.second, pieces.kept
    if len(kept) > _most_kept(room):
        long, kept = sorted([*kept, *long]), []
    elif len(short) > len(long):
        short, long = long, short
    room -= len(kept)
    beside = short[: room // 2]
    size = room - len(beside)
    step = size - int(overlap * size)
    starts = range(0, max(len(long) - size, 0) + step, step)
    lost = len(beside) < len(short) or len(starts) > MOST_WINDOWS
    shown = starts[:MOST_WINDOWS]
    return tuple(
        pieces.sequence([*beside, *long[start : start + size], *kept], lost and start == shown[-1]) for start in shown
    )
