"""Shards: token ids and marks of many documents as arrays on disk, opened without being read.

    ids.npy     (tokens,) uint16 where the vocabulary allows it, else int32; no specials
    marks.npy   (tokens,) uint8, sums of WORD and SENTENCE
    bounds.npy  (documents + 1,) int64: document i is ids[bounds[i]:bounds[i + 1]]
    shard.json  what it was made of, and how many bytes each file has

In:  texts and a tokenizer; the folder of a shard
Out: the folder, whole or not at all; documents of several shards by their number
Knows nothing of sources, cleaning and processes.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bertie.core.errors import DataError
from bertie.core.files import new_folder, write_json
from bertie.data.rows import blocks
from bertie.text.marks import marks
from bertie.text.tokenizer import Tokenizer

_ARRAYS = ("ids", "marks", "bounds")
_ABOUT = "shard.json"
_AT_ONCE = 1 << 18  # characters whose pieces lie in memory as Python objects
_OPEN = 64  # shards whose files are mapped at a time; each takes two of the thousand that a process may have open
_NO_CUT = 1 << 40


@dataclass(frozen=True)
class Document:
    """One document as pieces; both arrays are views of a file, which is read where they are looked at."""

    ids: NDArray[np.integer]
    """(T,) piece ids."""
    marks: NDArray[np.uint8]
    """(T,) sums of WORD and SENTENCE."""


class Shards:
    """All documents of one part of a corpus, in order. Indices are those of a list."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = list(folders)
        self._bounds: list[NDArray[np.int64]] = [np.load(folder / "bounds.npy") for folder in folders]
        self._starts = np.cumsum([0, *(len(bounds) - 1 for bounds in self._bounds)])
        self._open: OrderedDict[int, Document] = OrderedDict()
        self._chosen: NDArray[np.int64] | None = None
        parts = [np.diff(bounds) for bounds in self._bounds]
        self.lengths: NDArray[np.int64] = np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
        """(documents,) tokens of each."""
        self.tokens = int(self.lengths.sum())
        """Tokens of all documents."""

    def __getstate__(self) -> dict[str, Any]:
        """Without the mapped files, of which a pickle would hold every byte: another process maps them itself."""
        return {**self.__dict__, "_open": OrderedDict()}

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, i: int) -> Document:
        if not -len(self) <= i < len(self):
            raise IndexError(f"document {i} of {len(self)}")
        i = i % len(self) if self._chosen is None else int(self._chosen[i % len(self)])
        number = int(np.searchsorted(self._starts, i, side="right")) - 1
        bounds, whole = self._bounds[number], self._mapped(number)
        start, end = bounds[i - self._starts[number]], bounds[i - self._starts[number] + 1]
        return Document(whole.ids[start:end], whole.marks[start:end])

    def __iter__(self) -> Iterator[Document]:
        return (self[i] for i in range(len(self)))

    def only(self, numbers: Sequence[int]) -> Shards:
        """The documents with these numbers alone, in this order."""
        part, chosen = copy(self), np.array(numbers, dtype=np.int64)
        part._chosen = chosen if self._chosen is None else self._chosen[chosen]
        part.lengths = self.lengths[chosen]
        part.tokens = int(part.lengths.sum())
        return part

    def counts(self, vocab_size: int) -> NDArray[np.int64]:
        """(V,) how often each piece stands in these documents."""
        found = np.zeros(vocab_size, dtype=np.int64)
        whole = (self._mapped(number) for number in range(len(self._folders)))
        for document in whole if self._chosen is None else self:
            found += np.bincount(document.ids, minlength=vocab_size)
        return found

    def _mapped(self, number: int) -> Document:
        """The arrays of one shard; the one that was not used for the longest time is closed for it."""
        if number not in self._open:
            folder = self._folders[number]
            ids, kinds = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("ids", "marks"))
            self._open[number] = Document(ids, kinds)
            if len(self._open) > _OPEN:
                self._open.popitem(last=False)
        self._open.move_to_end(number)
        return self._open[number]


def write_shard(folder: Path, texts: Sequence[str], tokenizer: Tokenizer, user_words: tuple[str, ...], key: str) -> int:
    """Tokenises documents into the folder of a shard, and returns how many tokens they have.

    `key` stands for everything that the shard depends on. StorageError: the bytes needed and those free.
    """
    kind = np.uint16 if tokenizer.vocab_size < 1 << 16 else np.int32
    ids: list[NDArray[np.integer]] = []
    kinds: list[NDArray[np.uint8]] = []
    for batch in blocks(texts, characters=_AT_ONCE):
        for text, encoded in zip(batch, tokenizer.encode_batch(batch, max_length=_NO_CUT), strict=True):
            inside = [i for i, part in enumerate(encoded.sequence) if part is not None]
            ids.append(np.array([encoded.ids[i] for i in inside], dtype=kind))
            kinds.append(marks(text, [encoded.offsets[i] for i in inside], user_words))
    bounds = np.cumsum([0, *map(len, ids)]).astype(np.int64)
    joined = {"ids": np.concatenate(ids), "marks": np.concatenate(kinds), "bounds": bounds}
    with new_folder(folder, sum(array.nbytes for array in joined.values())) as making:
        for name, array in joined.items():
            np.save(making / f"{name}.npy", array)
        sizes = {name: (making / f"{name}.npy").stat().st_size for name in joined}
        write_json(making / _ABOUT, {"key": key, "bytes": sizes})
    return int(bounds[-1])


def is_whole(folder: Path, key: str) -> bool:
    """Whether the shard is there, made of the same, with all its bytes."""
    try:
        about = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
        return bool(about["key"] == key) and all(
            (folder / f"{name}.npy").stat().st_size == about["bytes"][name] for name in _ARRAYS
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def open_shards(folders: Sequence[Path]) -> Shards:
    """DataError where an array of a shard is missing or broken."""
    try:
        return Shards(folders)
    except (OSError, ValueError) as error:
        raise DataError(f"a shard cannot be read: {error}; prepare the corpus again with another folder") from error
