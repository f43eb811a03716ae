"""Encoding: which of the encodings that Chinese and English files come in these bytes are, or a refusal.

In:  a binary stream, its name for messages, perhaps the encoding that a person named
Out: the name of a codec that decodes all of it strictly
Knows nothing of lines, columns or formats.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from bertie.core.errors import DataError, UsageError

_CHUNK = 1 << 20
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is its first half
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
HEAD = 10
"""Bytes of a file's beginning by which `foreign` tells what it is."""
_FOREIGN = (
    (rb"PK\x03\x04", "a zip, Excel or Word file"),
    (rb"\xd0\xcf\x11\xe0", "an old Excel or Word file"),
    (rb"\x1f\x8b", "a gzip file"),
    (rb"%PDF", "a PDF file"),
    (rb"BZh[1-9]1AY&SY", "a bzip2 file"),  # its first letters alone may begin a text
    (rb"\xfd7zXZ\x00", "an xz file"),
    (rb"\x28\xb5\x2f\xfd", "a zstd file"),
)
_ADVICE = "save the file as UTF-8, or name its encoding with --encoding"
_COMMON = re.compile(r"[\t\n\r\x20-\x7e\u00a0-\u024f\u2000-\u206f\u3000-\u30ff\u4e00-\u9fff\uff00-\uffef]")
_PRIVATE = re.compile(r"[\ue000-\uf8ff]")
_UTF8_HAN = re.compile(rb"[\xe2-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_NOT_ASCII = re.compile(rb"[\x80-\xff]")


def detect(stream: BinaryIO, where: str, encoding: str | None = None) -> str:
    """The codec that decodes `stream` from its start to its end; rewinds the stream.

    Order: what the person named, a byte order mark, UTF-8, UTF-16 by its pattern of NUL bytes, GB18030. DataError names
    the first byte that does not fit. Memory stays at a chunk however long the file is.
    """
    try:
        return _detected(stream, where) if encoding is None else _forced(stream, where, encoding)
    finally:
        stream.seek(0)


def foreign(head: bytes) -> str | None:
    """What a file is that is no text and no Parquet, by its first `HEAD` bytes; None where it may be one."""
    return next((what for magic, what in _FOREIGN if re.match(magic, head)), None)


def lines_of(path: Path, use: str) -> list[str]:
    """The lines of a small file in whatever encoding it has, without spaces around them.

    DataError where it cannot be read, which says what it is good for: `use`.
    """
    try:
        with path.open("rb") as binary:
            encoding = detect(binary, str(path))
        lines = path.read_text(encoding=encoding).split("\n")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}); {use}") from error
    return [line.removeprefix("\ufeff").strip() for line in lines]


def _forced(stream: BinaryIO, where: str, encoding: str) -> str:
    _check_name(encoding)
    failure = _first_failure(stream, encoding)
    if failure:
        raise DataError(f"{failure.at(where)} does not fit --encoding {encoding}; {_ADVICE}")
    return encoding


def _detected(stream: BinaryIO, where: str) -> str:
    head = _sample(stream, 0)
    marked = next((name for bom, name in _BOMS if head.startswith(bom)), None)
    if marked:
        failure = _first_failure(stream, marked)
        if failure:
            raise DataError(
                f"{failure.at(where)} does not fit the {marked} that the file's first bytes promise; {_ADVICE}"
            )
        return marked
    return _unmarked(stream, where, head)


def _unmarked(stream: BinaryIO, where: str, head: bytes) -> str:
    not_utf8 = _first_failure(stream, "utf-8")
    wide = _utf16(head, valid_utf8=not_utf8 is None)
    if wide and _first_failure(stream, wide) is None:
        return wide
    if not_utf8 is None:
        return "utf-8"
    sample = _sample(stream, max(0, not_utf8.offset - _CHUNK // 2))
    if _damaged_utf8(sample):
        raise DataError(f"{not_utf8.at(where)} is not UTF-8 though the text around it is; repair it or {_ADVICE}")
    not_gb = _first_failure(stream, "gb18030")
    if not_gb is None and _plausible_gb18030(sample):
        return "gb18030"
    failure = not_gb or not_utf8
    raise DataError(f"{failure.at(where)} is neither UTF-8, UTF-16 nor GB18030 text; {_ADVICE}")


class _Failure:
    """The first byte that a codec refuses."""

    def __init__(self, offset: int, line: int, found: bytes) -> None:
        self.offset, self.line, self.found = offset, line, found

    def at(self, where: str) -> str:
        """`file:line: byte ...`, the start of a message."""
        return f"{where}:{self.line}: byte {self.offset} ({self.found.hex(' ') or 'end of file'})"


def _first_failure(stream: BinaryIO, encoding: str) -> _Failure | None:
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    offset, line = 0, 1
    for chunk in _chunks(stream):
        try:
            decoder.decode(chunk, final=not chunk)
        except UnicodeError as error:
            if not isinstance(error, UnicodeDecodeError):  # utf-16 without its mark, when it is asked for
                return _Failure(offset, line, chunk[:4])
            pending = len(error.object) - len(chunk)  # bytes of a character that began in the chunk before
            found = error.object[error.start : error.start + 4]
            return _Failure(offset - pending + error.start, line + error.object.count(b"\n", 0, error.start), found)
        offset += len(chunk)
        line += chunk.count(b"\n")
    return None


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    """The whole stream and one empty chunk, which tells the decoder that this was the end."""
    stream.seek(0)
    while chunk := stream.read(_CHUNK):
        yield chunk
    yield b""


def _sample(stream: BinaryIO, start: int) -> bytes:
    stream.seek(start)
    return stream.read(_CHUNK)


def _utf16(head: bytes, valid_utf8: bool) -> str | None:
    """UTF-16 without a mark: its ASCII characters leave NUL bytes, all on even or all on odd positions.

    English in UTF-16 is valid UTF-8 full of NULs, so there the NULs must be many; a stray NUL in UTF-8 stays one.
    """
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if not even + odd or min(even, odd) > 0.02 * max(even, odd):
        return None
    if valid_utf8 and even + odd < 0.2 * len(head):
        return None
    name = "utf-16-le" if odd > even else "utf-16-be"
    text = head[: len(head) // 2 * 2].decode(name, errors="ignore")
    return name if len(_COMMON.findall(text)) >= 0.95 * len(text) else None


def _damaged_utf8(sample: bytes) -> bool:
    """GB18030 text seldom forms UTF-8 sequences of three bytes; damaged UTF-8 is full of them."""
    covered = sum(len(sequence) for sequence in _UTF8_HAN.findall(sample))
    return covered >= 0.5 * len(_NOT_ASCII.findall(sample))


def _plausible_gb18030(sample: bytes) -> bool:
    """Big5, Latin-1 and Shift-JIS often decode as GB18030, into private and rare characters."""
    text = sample.decode("gb18030", errors="ignore")
    foreign = [character for character in text if character > "\x7f"]
    if "\0" in text or len(_PRIVATE.findall(text)) > 0.01 * len(foreign):
        return False
    everyday = len("".join(foreign).encode("gb2312", errors="ignore")) / 2
    return everyday >= 0.4 * len(foreign)


def _check_name(encoding: str) -> None:
    try:
        "".encode(encoding)
        codecs.getincrementaldecoder(encoding)
    except (LookupError, UnicodeError, ValueError) as error:
        advice = "try utf-8, gb18030, utf-16, big5 or latin-1"
        raise UsageError(f"--encoding {encoding!r}: there is no such text encoding; {advice}") from error
