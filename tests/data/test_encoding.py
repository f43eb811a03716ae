"""Which encoding a file is in: found where it can be known, refused where it cannot."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertie.core.errors import DataError, UsageError
from bertie.data.encoding import HEAD, detect, foreign
from bertie.data.readers import read_rows

CHINESE = "text,label\n这家酒店的服务非常好，早餐也不错,好评\n等了两个小时，房间又小又吵,差评\n"
ENGLISH = "text,label\nthe café was lovely,good\nnever again,bad\n"
TRADITIONAL = "text,label\n這間酒店環境和服務態度亦算不錯,好評\n房間太小，價錢不平宜,差評\n"


def found(data: bytes, encoding: str | None = None) -> str:
    return detect(io.BytesIO(data), "file.csv", encoding)


@pytest.mark.parametrize("text", [CHINESE, ENGLISH, TRADITIONAL, "text,label\nplain,1\n"])
@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_unicode_encodings_are_recognised(text: str, codec: str) -> None:
    data = text.encode(codec)
    assert data.decode(found(data)) == text


@pytest.mark.parametrize("text", [CHINESE, TRADITIONAL])
@pytest.mark.parametrize("codec", ["gbk", "gb18030"])
def test_gb18030_is_recognised(text: str, codec: str) -> None:
    assert found(text.encode(codec)) == "gb18030"


@pytest.mark.parametrize(
    "codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gb18030", "gbk", "utf-32"]
)
@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_the_same_rows_in_every_encoding(tmp_path: Path, codec: str, suffix: str) -> None:
    text = (
        CHINESE
        if suffix == ".csv"
        else '{"text": "服务非常好", "label": "好评"}\n{"text": "太吵了", "label": "差评"}\n'
    )
    plain, other = tmp_path / f"plain{suffix}", tmp_path / f"other{suffix}"
    plain.write_bytes(text.encode())
    other.write_bytes(text.encode(codec))
    assert read_rows(other).fingerprint() == read_rows(plain).fingerprint()
    assert len(read_rows(other)) == 2


@pytest.mark.parametrize("codec", ["big5", "shift-jis"])
def test_what_cannot_be_known_is_refused_and_can_be_forced(codec: str) -> None:
    text = {"big5": TRADITIONAL, "shift-jis": "text,label\nこの店のラーメンはとても美味しいです,良い\n"}[codec]
    data = text.encode(codec)
    with pytest.raises(DataError, match="--encoding"):
        found(data)
    assert data.decode(found(data, codec)) == text


def test_latin_1_is_not_taken_for_chinese() -> None:
    with pytest.raises(DataError, match="neither UTF-8"):
        found("text,label\na naïve façade, débâcle and élan\n".encode("latin-1"))


def test_one_damaged_byte_in_utf8_is_named_with_its_offset_and_line() -> None:
    lines = CHINESE.encode().split(b"\n")
    lines[2] = lines[2][:3] + b"\xff" + lines[2][4:]
    data = b"\n".join(lines)
    with pytest.raises(DataError, match=rf"file.csv:3: byte {data.index(0xFF)} \(ff.*not UTF-8 though"):
        found(data)


def test_the_offset_is_right_behind_the_first_chunk_and_inside_a_character() -> None:
    data = "好".encode() * 500_000 + b"\n" + "好".encode()[:2]
    with pytest.raises(DataError, match=rf"file.csv:2: byte {len(data) - 2} \(e5 a5\)"):
        found(data)


def test_a_stray_nul_does_not_make_utf8_utf16() -> None:
    assert found(b"text,label\nsome\0thing,a\n" + b"more text,b\n" * 20) == "utf-8"


def test_a_wrong_forced_encoding_is_never_replaced() -> None:
    with pytest.raises(DataError, match=r"file.csv:2: byte 11 .* does not fit --encoding ascii"):
        found(CHINESE.encode(), "ascii")
    with pytest.raises(UsageError, match="no such text encoding"):
        found(b"", "klingon")
    with pytest.raises(UsageError, match="no such text encoding"):
        found(b"", "base64")


def test_a_broken_byte_order_mark_is_refused() -> None:
    with pytest.raises(DataError, match="first bytes promise"):
        found(b"\xff\xfea\x00b")


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_any_bytes_are_decodable_or_a_data_error(data: bytes) -> None:
    try:
        codec = found(data)
    except DataError:
        return
    data.decode(codec)


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200))
@settings(deadline=None)
def test_utf8_with_a_mark_is_always_read_back(text: str) -> None:
    data = text.encode("utf-8-sig")
    assert data.decode(found(data)) == text


def test_what_is_packed_or_made_by_another_program_is_told_by_its_beginning() -> None:
    packed = [(gzip.compress, "a gzip file"), (bz2.compress, "a bzip2 file"), (lzma.compress, "an xz file")]
    for pack, expected in packed:
        assert foreign(pack(CHINESE.encode())[:HEAD]) == expected
    assert foreign(bz2.compress(b"text", 1)[:HEAD]) == "a bzip2 file"
    assert foreign(b"\x28\xb5\x2f\xfd\x24\x00") == "a zstd file"
    assert foreign(b"PK\x03\x04") == "a zip, Excel or Word file" and foreign(b"%PDF-1.7") == "a PDF file"
    for text in (CHINESE.encode(), b"BZhang,label\n", b"(a)", b"PK", b"", b"PAR1"):
        assert foreign(text[:HEAD]) is None
