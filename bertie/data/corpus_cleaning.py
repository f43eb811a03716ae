"""Cleaning of a corpus: what no model should read is taken out, and a document is read once.

In:  raw documents
Out: clean documents; which of a batch were seen before, exactly or nearly; counts
Knows nothing of files, tokenizers and shards.

Exact duplicates are told by a hash of the folded text, 8 bytes a document. Near duplicates by MinHash: each document
leaves its signature, and its band hashes point to it, in tables of a fixed size (~125 MB when full). A copy that
stands more than about REACH documents after its original is no longer found; an exact one always is.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bertie.data.near_duplicates import (
    NARROW,
    WIDE,
    band_keys,
    is_mixed,
    shingle_hashes,
    shingle_width,
    signatures,
)

ALIKE = 0.8
"""Part of two signatures that agrees, an estimate of the Jaccard similarity of what the texts hold."""
REACH = 1 << 18
"""Documents whose signatures are remembered."""
COMPARED = 10_000
"""Characters of a document that are looked at: many begin with the same notice, few go on alike for so long."""
SHORTEST = 20
"""Characters, folded: of shorter texts one in five may differ and they say something else."""
_BANDS, _ROWS = 20, 5  # at a similarity of 0.8 a pair is missed once in 2,800, at 0.9 never

_SPACES = re.compile(r"[^\S\n]+")
_EDGES = re.compile(r"^ | $", re.MULTILINE)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060\ufeff\ufff9-\ufffb]")
_SURROGATE = re.compile("[\ud800-\udfff]")

Hashes = NDArray[np.uint64]
_Signed = tuple[NDArray[np.uint32], NDArray[np.int64]]


def clean(text: str, counts: Counter[str]) -> str:
    """Without control characters, runs of spaces and empty lines; `counts` takes how many of each were removed."""
    text, found = _CONTROL.subn("", text)
    counts["control characters"] += found
    text, found = _SURROGATE.subn("\ufffd", text)
    counts["lone surrogates"] += found
    runs = _SPACES.findall(text)
    counts["runs of spaces"] += sum(len(run) > 1 for run in runs)
    text = _EDGES.sub("", _SPACES.sub(" ", text))
    lines = text.split("\n")
    kept = [line for line in lines if line]
    counts["empty lines"] += len(lines) - len(kept) if kept else 0
    return "\n".join(kept)


def fingerprints(folded: Sequence[str]) -> Hashes:
    """(documents,) 64 bits of each folded text, the same on every machine."""
    digests = (hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest() for text in folded)
    return np.frombuffer(b"".join(digests), dtype="<u8")


class Seen:
    """A set of hashes in 8 bytes each: sorted runs, each at least twice as long as the one behind it."""

    def __init__(self) -> None:
        self._runs: list[Hashes] = []

    def new(self, hashes: Hashes) -> NDArray[np.bool_]:
        """(documents,): True where a hash is met for the first time; all of them are remembered."""
        is_new = np.zeros(len(hashes), dtype=np.bool_)
        is_new[np.unique(hashes, return_index=True)[1]] = True
        for run in self._runs:
            places = np.minimum(np.searchsorted(run, hashes), len(run) - 1)
            is_new &= run[places] != hashes
        self._runs.append(np.sort(hashes[is_new]))
        while len(self._runs) > 1 and len(self._runs[-2]) < 2 * len(self._runs[-1]):
            last = self._runs.pop()
            self._runs[-1] = np.sort(np.concatenate([self._runs[-1], last]))
        self._runs = [run for run in self._runs if len(run)]
        return is_new


class NearlySeen:
    """The signatures of the last REACH documents, and for every band where its hash was met last."""

    def __init__(self) -> None:
        self._signatures = np.zeros((REACH, _BANDS * _ROWS), dtype=np.uint32)
        self._last = np.full((_BANDS, REACH), -1, dtype=np.int32)
        self._count = 0

    def new(self, folded: Sequence[str]) -> NDArray[np.bool_]:
        """(documents,): False where a document is nearly one that was kept before; new ones are remembered."""
        is_new = np.ones(len(folded), dtype=np.bool_)
        texts = [text[:COMPARED] for text in folded]
        compared = [i for i, text in enumerate(texts) if len(text) >= SHORTEST]
        mixed = [i for i in compared if is_mixed(texts[i])]
        own = _signed([shingle_hashes(texts[i]) for i in compared])
        # In a copy another script may prevail; each is remembered by its own shingles and looked up by both kinds.
        others = dict(
            zip(mixed, _signed([shingle_hashes(texts[i], _other_width(texts[i])) for i in mixed]), strict=True)
        )
        for i, signed in zip(compared, own, strict=True):
            is_new[i] = not self._knows(signed) and not (i in others and self._knows(others[i]))
            if is_new[i]:
                self._remember(signed)
        return is_new

    def _knows(self, signed: _Signed) -> bool:
        signature, slot = signed
        before = self._last[np.arange(_BANDS), slot]
        candidates = np.unique(before[before >= 0])
        return bool(len(candidates) and ((self._signatures[candidates] == signature).mean(axis=1) >= ALIKE).any())

    def _remember(self, signed: _Signed) -> None:
        place = self._count % REACH
        self._signatures[place], slot = signed
        self._last[np.arange(_BANDS), slot] = place
        self._count += 1


def _other_width(text: str) -> int:
    return NARROW if shingle_width(text) == WIDE else WIDE


def _signed(shingles: Sequence[NDArray[np.uint32]]) -> list[_Signed]:
    """The signature of each document, and the place of each of its bands in the tables."""
    found = signatures(shingles, _BANDS * _ROWS)
    bands = [band_keys(found[:, b * _ROWS : (b + 1) * _ROWS]) % REACH for b in range(_BANDS)]
    return list(zip(found, np.stack(bands, axis=1).astype(np.int64), strict=True))
