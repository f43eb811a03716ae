"""The plan of a corpus: one pass over all documents that decides what becomes of each.

In:  sources, how much is held out, a seed, how long a shard may be
Out: for every raw document the shard that it goes to, or that it is left out; the clean documents of each shard
Knows nothing of tokenizers and arrays of tokens.

Some 25 bytes a document stay in memory; texts do not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bertie.core.errors import DataError
from bertie.core.files import new_file
from bertie.data.corpus_cleaning import NearlySeen, Seen, clean, fingerprints
from bertie.data.corpus_reader import Source
from bertie.data.rows import blocks
from bertie.text.normalise import fold

TRAIN, HELD_OUT = 0, 1
NAMES = ("train", "held_out")
DROPPED = -1
LEAST = 8
"""Documents that are held out where the share gives fewer and the corpus has twice as many."""
_BATCH = 500  # documents, or
_BATCH_CHARACTERS = 1 << 21

Hashes = NDArray[np.uint64]


@dataclass(frozen=True)
class Cut:
    """How a corpus is divided."""

    held_out: float
    seed: int
    shard_characters: int
    near_duplicates: bool


@dataclass(frozen=True)
class Plan:
    """`shard[i]` is where raw document i goes: DROPPED, or 2 * number + TRAIN or HELD_OUT."""

    shard: NDArray[np.int32]
    counts: dict[str, int]
    """What was found, and what was removed, by its name."""

    def shards(self) -> list[int]:
        """All shards, in order of their names."""
        return sorted((int(one) for one in np.unique(self.shard[self.shard >= 0])), key=lambda one: (one % 2, one // 2))


def shard_name(shard: int) -> str:
    """Its folder."""
    return f"{NAMES[shard % 2]}-{shard // 2:05d}"


def make_plan(sources: Sequence[Source], cut: Cut, say: Callable[[str], None]) -> Plan:
    """Reads everything once. DataError: what cannot be read, or too little to hold some out."""
    counts: Counter[str] = Counter()
    seen, nearly = Seen(), NearlySeen() if cut.near_duplicates else None
    sizes: list[NDArray[np.int32]] = []  # characters of each raw document, 0 where it is left out
    draws: list[Hashes] = []
    for batch in blocks(_clean(sources, counts), _BATCH, _BATCH_CHARACTERS):
        folded = [fold(text) for text in batch]
        hashes = fingerprints(folded)
        keep = np.array([bool(text) for text in batch])
        is_new = np.ones(len(batch), dtype=np.bool_)
        is_new[keep] = seen.new(hashes[keep])
        counts["exact duplicates"] += int((keep & ~is_new).sum())
        keep &= is_new
        if nearly is not None:
            is_new[keep] = nearly.new([text for text, kept in zip(folded, keep, strict=True) if kept])
            counts["near duplicates"] += int((keep & ~is_new).sum())
            keep &= is_new
        sizes.append(np.where(keep, [len(text) for text in batch], 0).astype(np.int32))
        draws.append(hashes)
        if counts["documents read"] // 200_000 != (counts["documents read"] + len(batch)) // 200_000:
            say(f"{counts['documents read'] + len(batch):,} documents read")
        counts["documents read"] += len(batch)
    if not sizes:
        raise DataError(f"{sources[0].name}:1: found no documents, expected text; add some")
    size, draw = np.concatenate(sizes), np.concatenate(draws)
    counts["documents"], counts["characters"] = int((size > 0).sum()), int(size.sum(dtype=np.int64))
    return Plan(_assigned(size, _held_out(size > 0, draw, cut, sources), cut.shard_characters), dict(counts))


def documents(sources: Sequence[Source], plan: Plan) -> Iterator[tuple[int, list[str]]]:
    """(shard, its clean documents), each shard as soon as it is full; at most one of each part is held.

    DataError where the sources are no longer what was planned.
    """
    left = Counter(plan.shard[plan.shard >= 0].tolist())
    open_: dict[int, list[str]] = {}
    number = -1
    for number, text in enumerate(_clean(sources, Counter())):
        shard = int(plan.shard[number]) if number < len(plan.shard) else DROPPED
        if shard == DROPPED:
            continue
        open_.setdefault(shard, []).append(text)
        left[shard] -= 1
        if not left[shard]:
            yield shard, open_.pop(shard)
    if number + 1 != len(plan.shard):
        raise DataError(
            f"{sources[0].name}: {number + 1} documents, expected the {len(plan.shard)} that were there a while ago; "
            "leave the files alone while they are read, and start again"
        )


def save_plan(path: Path, plan: Plan) -> None:
    """The array of shards; the counts go where the notes are."""
    with new_file(path, plan.shard.nbytes) as making, making.open("wb") as file:
        np.save(file, plan.shard)


def _clean(sources: Sequence[Source], counts: Counter[str]) -> Iterator[str]:
    """All raw documents, cleaned; one without text is empty, so that numbers stay."""
    for _, text in chain.from_iterable(source.read() for source in sources):
        made = clean(text, counts)
        counts["empty documents"] += not made
        yield made


def _held_out(keep: NDArray[np.bool_], hashes: Hashes, cut: Cut, sources: Sequence[Source]) -> NDArray[np.bool_]:
    """Documents by a hash of their text and the seed, so that a document stays where it is when others are added."""
    if cut.held_out == 0:
        return np.zeros_like(keep)
    total = int(keep.sum())
    if total < 2:
        raise DataError(
            f"{sources[0].name}:1: found {total} document{'' if total == 1 else 's'}, expected two or more, as some "
            "are held out; put an empty line between documents or one document on each line, or hold out nothing"
        )
    mixed = (hashes ^ np.uint64(cut.seed & (1 << 64) - 1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    draw = (mixed ^ (mixed >> np.uint64(32))).astype(np.float64) / 2.0**64
    chosen = keep & (draw < cut.held_out)
    least = min(LEAST, total // 2)
    if chosen.sum() < least:
        chosen[np.flatnonzero(keep)[np.argsort(draw[keep], kind="stable")[:least]]] = True
    if chosen.sum() == total:  # a large share of very few
        chosen[np.flatnonzero(keep)[np.argmax(draw[keep])]] = False
    return chosen


def _assigned(sizes: NDArray[np.int32], held: NDArray[np.bool_], most: int) -> NDArray[np.int32]:
    """A shard takes documents of its part in their order, until it has `most` characters."""
    shard = np.full(len(sizes), DROPPED, dtype=np.int32)
    for part in (TRAIN, HELD_OUT):
        mine = np.flatnonzero((sizes > 0) & (held == (part == HELD_OUT)))
        before = np.cumsum(sizes[mine], dtype=np.int64) - sizes[mine]
        numbers = np.unique(before // most, return_inverse=True)[1]  # no gaps where a document fills more than one
        shard[mine] = 2 * numbers.astype(np.int32) + part
    return shard
