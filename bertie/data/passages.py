"""Passages: what a model reads in pre-training, cut out of tokenised documents anew in each round.

    documents --cut--> chunks --join--> one part, or two of which the second may be another's --mask--> Example

In:  tokenised documents with their words and sentences, lengths, a seed
Out: Examples with `Passage` targets; the same seed and round give the same ones in whatever order they are read
Knows nothing of models, losses or of how documents were tokenised.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice, pairwise
from typing import Literal, Protocol, overload

import numpy as np
from numpy.typing import NDArray

from bertie.data.batches import Example
from bertie.data.masking import Flags, Ids, Unit, Vocabulary, choose, hidden, shown
from bertie.text.marks import SENTENCE, WORD
from bertie.text.tokenizer import Encoded

# T tokens, M masked ones
Join = Literal["next", "order"]
"""How two parts are joined: the part that follows or one of another text; in their order or swapped."""
NEIGHBOURS, NEAR, NEAREST = 200, 40, 5
"""A part of another text is taken from one of about the same length, at most so many places away in order of length:
else its length alone would tell that it does not belong. Of few passages that is one in so many, and at least so many
places."""
FEWEST = 4
"""Tokens from which a piece of text is worth reading."""
SEVERAL = 8
"""Documents of a round, at least, where rounds are made of whole ones; and passages, where they are not."""


class Document(Protocol):
    """One tokenised text."""

    @property
    def ids(self) -> NDArray[np.integer]:
        """(T,), without specials."""

    @property
    def marks(self) -> NDArray[np.uint8]:
        """(T,), bits of WORD and SENTENCE."""


class Documents(Protocol):
    """Tokenised texts, one at a time."""

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each."""

    def __getitem__(self, index: int, /) -> Document: ...


@dataclass(frozen=True)
class Passage:
    """What a sequence, as the model sees it, was made from; the target of an example holds one for each sequence."""

    plain: Ids
    """(T,), specials included, nothing masked."""
    places: Ids
    """(M,), ascending: where pieces are to be guessed."""
    joined: int = -1
    """1: its two parts stand as they stood in the text; 0: they do not; -1: it has one part."""


@dataclass(frozen=True, kw_only=True)
class Arrangement:
    """How passages are made."""

    vocabulary: Vocabulary
    cls: int
    sep: int
    length: int
    """Most tokens, specials included."""
    join: Join | None = None
    rate: float = 0.15
    """Part of the pieces that are to be guessed; 0: none."""
    unit: Unit = "word"
    judging: bool = False
    """Every place asked for is shown as the mask, as when a model is judged."""

    @property
    def room(self) -> int:
        """Most tokens of a passage without specials."""
        return self.length - (3 if self.join else 2)

    def encoded(self, first: Ids, second: Ids) -> tuple[Ids, Ids, Flags]:
        """Two parts (the second may be empty) with specials: ids, segments, and which may be asked for; (T,) each."""
        behind = [second, [self.sep]] if len(second) else []
        ids = np.concatenate([[self.cls], first, [self.sep], *behind]).astype(np.int64)
        types = np.zeros(len(ids), dtype=np.int64)
        types[len(first) + 2 :] = 1
        askable = np.ones(len(ids), dtype=bool)
        askable[[0, len(first) + 1, len(ids) - 1]] = False
        return ids, types, askable


@dataclass(frozen=True)
class Chunk:
    """A stretch of a document that fits a passage."""

    document: int
    start: int
    middle: int
    """Where its second part begins, at a sentence or at least at a word; its end where it has only one."""
    end: int

    @property
    def parts(self) -> int:
        """One or two."""
        return 1 if self.middle == self.end else 2


class Passages(Sequence[Example]):
    """One round over some documents. Made lazily: of a passage only its place and its length are held."""

    def __init__(
        self,
        documents: Documents,
        chosen: Sequence[int],
        how: Arrangement,
        seed: Sequence[int],
        every: int = 1,
        part: tuple[int, int] = (0, 1),
    ) -> None:
        """`chosen` names the documents; `seed` the run, the round and what else makes the draws different. Of `every`
        so many passages that follow each other one is kept. `part` (k, n) takes only the k-th of each n, from 0."""
        self.documents, self.how, self.seed = documents, how, tuple(seed)
        stretches = (stretch for index in chosen for stretch in self._stretches(int(index), how.room))
        chunks = (self._chunk(*stretch) for stretch in islice(stretches, part[0], None, part[1]))
        self.chunks = _spread(chunks, every, np.random.default_rng((*self.seed, 2)))
        self.seconds, self.joined = self._joined(np.random.default_rng((*self.seed, 0)), how.room)

    def __len__(self) -> int:
        return len(self.chunks)

    @cached_property
    def costs(self) -> list[int]:
        """Tokens of each passage."""
        firsts = (chunk.middle - chunk.start for chunk in self.chunks)
        seconds = (end - start for _, start, end in self.seconds)
        return [a + b + (3 if b else 2) for a, b in zip(firsts, seconds, strict=True)]

    @overload
    def __getitem__(self, index: int) -> Example: ...
    @overload
    def __getitem__(self, index: slice) -> list[Example]: ...
    def __getitem__(self, index: int | slice) -> Example | list[Example]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        random = np.random.default_rng((*self.seed, 1, index))
        plain, types, askable, begins = self._ids(index)
        how = self.how
        places = choose(begins, askable, how.rate, how.unit, random) if how.rate else np.zeros(0, dtype=np.int64)
        seen = hidden(plain, places, how.vocabulary) if how.judging else shown(plain, places, how.vocabulary, random)
        side = [int(kind) if inside else None for kind, inside in zip(types, askable, strict=True)]
        sequence = Encoded(seen.tolist(), types.tolist(), [(0, 0)] * len(seen), side, False)
        return Example((sequence,), (Passage(plain, places, self.joined[index]),))

    def _stretches(self, index: int, room: int) -> Iterator[tuple[int, int, int]]:
        """A document in equal parts of at most `room` tokens: its number, start and end of each."""
        length = int(self.documents.lengths[index])
        count = max(1, -(-length // room))
        edges = (length * k // count for k in range(count + 1))
        return ((index, start, end) for start, end in pairwise(edges) if end - start >= FEWEST)

    def _chunk(self, index: int, start: int, end: int) -> Chunk:
        middle = _middle(np.asarray(self.documents[index].marks[start:end])) if self.how.join else end - start
        return Chunk(index, start, start + middle, end)

    def _joined(self, random: np.random.Generator, room: int) -> tuple[list[tuple[int, int, int]], list[int]]:
        """The second part of each passage as (document, start, end), and whether it is the one that belongs there."""
        own = [(chunk.document, chunk.middle, chunk.end) for chunk in self.chunks]
        if self.how.join is None:
            return own, [-1] * len(own)
        belongs = [1 if draw < 0.5 else 0 for draw in random.random(len(own))]
        joined = [flag if chunk.parts == 2 else -1 for flag, chunk in zip(belongs, self.chunks, strict=True)]
        if self.how.join == "order":
            return own, joined
        pairs = [i for i, chunk in enumerate(self.chunks) if chunk.parts == 2]
        pairs.sort(key=lambda i: self.chunks[i].end - self.chunks[i].start)
        documents = np.array([self.chunks[i].document for i in pairs])
        seconds = list(own)
        for rank, i in enumerate(pairs):
            if joined[i] == 0:
                other = _stranger(documents, rank, random)
                if other is None:
                    joined[i] = 1  # there is no other text
                else:
                    left = room - (self.chunks[i].middle - self.chunks[i].start)
                    document, start, end = own[pairs[other]]
                    seconds[i] = (document, start, min(end, start + left))
        return seconds, joined

    def _ids(self, index: int) -> tuple[Ids, Ids, Flags, Flags]:
        """Ids, segments, which may be asked for, which begin a word; (T,) each."""
        chunk, second = self.chunks[index], self.seconds[index]
        parts = [(chunk.document, chunk.start, chunk.middle), second]
        if self.how.join == "order" and self.joined[index] == 0:
            parts.reverse()
        ids = [np.asarray(self.documents[d].ids[a:b]).astype(np.int64) for d, a, b in parts]
        marks = [np.asarray(self.documents[d].marks[a:b]) for d, a, b in parts]
        whole, types, askable = self.how.encoded(*ids)
        begins = np.zeros(len(whole), dtype=bool)
        begins[askable] = (np.concatenate(marks) & WORD) > 0
        return whole, types, askable, begins


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How the rounds of a training follow each other."""

    rounds: int
    """All that are planned."""
    a_pass: int
    """Rounds of one pass over the documents."""
    short: tuple[int, float] = (64, 0.0)
    """Most tokens of a passage in the first rounds, and the part of all rounds that has so few."""

    def is_short(self, epoch: int, fitting: float = 1.0) -> bool:
        """Whether the passages of a round are short ones; `fitting` as in `Rounds`. The last round's never are: places
        that no passage of the training had would have vectors that nobody trained."""
        rounds = fitting * self.rounds
        return epoch < min(self.short[1] * rounds, rounds - 1)


def readable(documents: Documents) -> Ids:
    """The documents that are long enough to be read."""
    return np.flatnonzero(documents.lengths >= FEWEST)


def most_rounds(documents: Documents, how: Arrangement) -> int:
    """Into how many rounds one pass over the documents can be divided, each worth reading."""
    lengths = documents.lengths[readable(documents)]
    return max(1, len(lengths) // SEVERAL, int(lengths.sum()) // (SEVERAL * how.room))


class Curriculum:
    """Rounds of pre-training: each reads its part of the documents; short passages come first.

    A round, which the loop takes for an epoch, is a part of a pass over all documents, so that a model is judged often
    enough however large the corpus is. Of few long documents each round reads some passages of every one.
    """

    def __init__(self, documents: Documents, how: Arrangement, seed: int, pace: Pace, fingerprint: str) -> None:
        """`fingerprint` is that of the documents."""
        self.documents, self.how, self.seed, self.pace = documents, how, seed, pace
        self.readable = readable(documents)
        self.fingerprint = f"{fingerprint} {how} {seed} {pace}"

    def at(self, epoch: int, fitting: float = 1.0) -> Passages:
        """The examples of a round, counted from 0; `fitting` as in `Rounds`."""
        number, part = divmod(epoch, self.pace.a_pass)
        order = np.random.default_rng((self.seed, 2, number)).permutation(self.readable)
        short = self.pace.is_short(epoch, fitting)
        how = replace(self.how, length=min(self.pace.short[0], self.how.length)) if short else self.how
        seed = (self.seed, 3, epoch)
        if len(order) >= SEVERAL * self.pace.a_pass:
            return Passages(self.documents, np.array_split(order, self.pace.a_pass)[part].tolist(), how, seed)
        return Passages(self.documents, order.tolist(), how, seed, part=(part, self.pace.a_pass))


def _spread(chunks: Iterator[Chunk], every: int, random: np.random.Generator) -> list[Chunk]:
    """One by lot of `every` so many that follow each other: always the first could always be how a text begins."""
    if every == 1:
        return list(chunks)
    kept = []
    while group := list(islice(chunks, every)):
        kept.append(group[int(random.integers(len(group)))])
    return kept


def _stranger(documents: NDArray[np.integer], rank: int, random: np.random.Generator) -> int | None:
    """A passage of another document than the one at `rank` has, of about the same length; `documents` are those of all
    passages in order of length. It is farther away where all about it are of its own document; None where all are."""
    count = len(documents)
    reach = min(NEIGHBOURS, max(NEAREST, count // NEAR))
    while True:
        low, high = max(0, rank - reach), min(count, rank + reach + 1)
        for _ in range(10):
            other = int(random.integers(low, high))
            if documents[other] != documents[rank]:
                return other
        if high - low == count:
            break
        reach *= 2
    others = np.flatnonzero(documents != documents[rank])
    return int(random.choice(others)) if len(others) else None


def _middle(marks: NDArray[np.uint8]) -> int:
    """Where a chunk (T,) is parted: at the sentence nearest to its middle, else at the word; T where there is none."""
    for mark in (SENTENCE, WORD):
        places = np.flatnonzero(marks[1:] & mark) + 1
        if len(places):
            return int(places[np.abs(places - len(marks) / 2).argmin()])
    return len(marks)
