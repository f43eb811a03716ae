"""Entities: a text with places in it to pieces that say where these are, in sequences that fit a model.

In:  a tokenizer, texts, places [start, end) of each in characters, perhaps marker pieces to put around them
Out: `EntityText`: an Encoded that knows the pieces of each entity; its offsets point into the text that was given
Knows nothing of tensors, tasks or what the entities are to each other.

    text       Bob knows Ann.
    places     [0, 3) and [10, 13)
    pieces     [CLS]  $  bob  $  knows  #  ann  #  .  [SEP]       with the markers $ $ and # #
    entities   (2,) and (6,)

Markers tell an encoder which two entities are meant (Baldini Soares et al. 2019, section 3.2). They are pieces that the
vocabulary has already, so that the table of word vectors stays as it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bertie.core.errors import ModelError, UsageError
from bertie.text.tokenizer import Encoded, Tokenizer

Place = tuple[int, int]
"""[start, end): characters of a text, or pieces of it."""
Places = tuple[Place, ...]
"""Those of the entities, in their order; a text has at least one."""
Markers = tuple[tuple[int, int], ...]
"""Ids of the pieces in front of and behind each entity, in their order."""
Piece = tuple[int, int, Place, int | None]
"""Id, type id, offsets, side: a column of an Encoded."""

UNUSED = ("[unused1]", "[unused2]", "[unused3]", "[unused4]")
"""BERT's vocabularies keep such pieces free for their users; no text is ever cut into them."""
PUNCTUATION = "$#@*^~|&%+=_<>/!?;:.,"
"""The first two of these that a vocabulary has stand for the two entities, `$` and `#` as in R-BERT (Wu & He 2019)."""
MOST = 64
"""Windows of one text; where it takes more, one sequence around the entities is read."""
_WHOLE = 10**9
_WORD = "▁"
"""With it a SentencePiece vocabulary begins a word, as a mark between spaces is one."""


@dataclass(frozen=True, slots=True)
class EntityText(Encoded):
    """A text, or a part of one, as pieces, with the pieces of its entities."""

    entities: tuple[tuple[int, ...], ...]
    """Where the pieces of each entity stand, markers not among them; empty for one that is not in this part, or of
    whose characters the tokenizer makes nothing."""

    def with_types(self) -> EntityText:
        """The same with type 1 at the pieces of the entities, 0 elsewhere."""
        marked = {place for places in self.entities for place in places}
        return replace(self, type_ids=[int(i in marked) for i in range(len(self.ids))])


@dataclass(frozen=True)
class Whole:
    """A text in full length: what sequences are cut from."""

    front: list[Piece]
    """Specials."""
    body: list[Piece]
    back: list[Piece]
    """Specials."""
    entities: Places
    """In pieces of the body."""

    @classmethod
    def of(cls, one: Encoded, places: Places) -> Whole:
        """Parts an encoded text from its specials and finds the pieces of the places, which are in characters."""
        pieces = list(zip(one.ids, one.type_ids, one.offsets, one.sequence, strict=True))
        inside = [i for i, side in enumerate(one.sequence) if side is not None]
        start, end = (inside[0], inside[-1] + 1) if inside else (len(pieces), len(pieces))
        body = pieces[start:end]
        return cls(pieces[:start], body, pieces[end:], tuple(_pieces_at(body, place) for place in places))

    def sequence(self, kept: Sequence[int], markers: Markers | None, truncated: bool) -> EntityText:
        """The body's pieces with these rising indices, between the specials, with markers around the entities."""
        found: list[Piece] = list(self.front)
        entities: list[list[int]] = [[] for _ in self.entities]
        before, behind = self._marks(set(kept), markers)
        for i in kept:
            found += before[i]
            for entity, (start, end) in zip(entities, self.entities, strict=True):
                if start <= i < end:
                    entity.append(len(found))
            found += [self.body[i], *behind[i]]
        ids, types, offsets, sides = map(list, zip(*found, *self.back, strict=True))
        return EntityText(ids, types, offsets, sides, truncated, tuple(map(tuple, entities)))

    def _marks(
        self, kept: set[int], markers: Markers | None
    ) -> tuple[defaultdict[int, list[Piece]], defaultdict[int, list[Piece]]]:
        """The markers in front of and behind each piece; of two entities inside each other, the outer one's outside."""
        before, behind = defaultdict[int, list[Piece]](list), defaultdict[int, list[Piece]](list)
        if markers is None:
            return before, behind
        each = [markers[min(i, len(markers) - 1)] for i in range(len(self.entities))]
        pairs = sorted(zip(self.entities, each, strict=True), key=lambda pair: pair[0][0] - pair[0][1])
        for (start, end), (opening, closing) in pairs:  # the longer one first
            inside = [i for i in range(start, end) if i in kept]
            if inside:
                before[inside[0]].append((opening, 0, (0, 0), None))
                behind[inside[-1]].insert(0, (closing, 0, (0, 0), None))
        return before, behind


def find_markers(tokenizer: Tokenizer, *, unused: bool = True) -> Markers:
    """Pieces of the vocabulary to mark two entities with: four that no text needs, else punctuation.

    Args:
        tokenizer: the same one finds the same markers, so that nothing has to be stored.
        unused: False takes punctuation in any case.

    Raises:
        ModelError: the vocabulary has neither.
    """
    free = [piece for name in UNUSED if (piece := tokenizer.piece_id(name)) is not None]
    if unused and len(free) == len(UNUSED):
        return (free[0], free[1]), (free[2], free[3])
    known = [piece for mark in PUNCTUATION if (piece := _mark(tokenizer, mark)) is not None]
    if len(known) < 2:
        raise ModelError(
            f"the vocabulary has neither {', '.join(UNUSED)} nor two of {PUNCTUATION} to mark entities with; choose "
            "another model, or mark entities by types"
        )
    return (known[0], known[0]), (known[1], known[1])


def encode_entities(
    tokenizer: Tokenizer,
    texts: Sequence[str],
    places: Sequence[Places],
    max_length: int,
    *,
    markers: Markers | None = None,
    overlap: float | None = None,
) -> list[tuple[EntityText, ...]]:
    """Encodes texts with their entities, at most `max_length` pieces with specials and markers.

    Args:
        tokenizer: with `han_isolated`, or a piece may reach over the border of an entity.
        texts: any Python strings.
        places: the entities of each text, in its characters; they may overlap.
        max_length: of a sequence.
        markers: what is put around the entities, those of the last one around all that follow; None: nothing.
        overlap: None: of a text longer than the model one sequence, the pieces with all entities in the middle or,
            where they are too far apart, the pieces around each; it says `truncated`. A number, 0 to below 1: all of
            the text in several sequences, of which neighbours share this part of their pieces.

    Raises:
        UsageError: `max_length` leaves no room for two pieces.
    """
    found = []
    for one, those in zip(tokenizer.encode_batch(texts, None, _WHOLE), places, strict=True):
        whole = Whole.of(one, those)
        room = max_length - len(whole.front) - len(whole.back) - (2 * len(those) if markers else 0)
        if room < 2:
            raise UsageError(f"max_length {max_length} leaves no room for text beside specials and markers; give more")
        parts = _parts(len(whole.body), whole.entities, room, overlap)
        cut = len(parts) == 1 and len(parts[0]) < len(whole.body)
        found.append(tuple(whole.sequence(part, markers, cut) for part in parts))
    return found


def _mark(tokenizer: Tokenizer, mark: str) -> int | None:
    word = tokenizer.piece_id(_WORD + mark)
    return tokenizer.piece_id(mark) if word is None else word


def _pieces_at(body: Sequence[Piece], place: Place) -> Place:
    """The pieces that share a character with a place; (0, 0) where there are none. Offsets rise, so no gap is in it."""
    inside = [i for i, (_, _, (start, end), _) in enumerate(body) if start < place[1] and place[0] < end]
    return (inside[0], inside[-1] + 1) if inside else (0, 0)


def _parts(count: int, entities: Places, room: int, overlap: float | None) -> list[Sequence[int]]:
    """Which of `count` pieces stand in each sequence."""
    if count <= room:
        return [range(count)]
    windows: list[Sequence[int]] = [] if overlap is None else list(_windows(count, room, overlap))
    return windows if 0 < len(windows) <= MOST else [_around(count, entities, room)]


def _windows(count: int, room: int, overlap: float) -> Iterator[range]:
    step = room - int(overlap * room)
    for start in range(0, count - room + step, step):
        yield range(start, min(start + room, count))


def _around(count: int, entities: Places, room: int) -> Sequence[int]:
    """`room` of the pieces: all entities with what is around them, or an equal part of it around each."""
    there = [entity for entity in entities if entity[0] < entity[1]] or [(0, 0)]
    start, end = min(start for start, _ in there), max(end for _, end in there)
    if end - start <= room or len(there) == 1:
        return _centred(start, end, room, count)
    bounds = [room * k // len(there) for k in range(len(there) + 1)]
    parts = zip(there, bounds, bounds[1:], strict=False)
    return sorted({i for place, low, high in parts for i in _centred(*place, high - low, count)})


def _centred(start: int, end: int, size: int, count: int) -> range:
    """`size` of `count` pieces with [start, end) in the middle; the beginning of what is longer."""
    first = start if end - start > size else (start + end - size) // 2
    first = min(max(first, 0), count - size)
    return range(first, first + size)
