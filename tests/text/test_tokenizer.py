"""Ids equal transformers'; offsets stay true for every string that Python can hold."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tokenizers import BertWordPieceTokenizer
from transformers import AutoTokenizer

from bertie.core.errors import ModelError, UsageError
from bertie.text.tokenizer import Encoded, Tokenizer

MIXED = [
    "怎么修改银行卡密码?",
    "Hello, World! It's 3.50€ — isn't it?",
    "我的 iPhone15 在 Apple Store 买的，￥6,999。",
    "👨‍👩‍👧 family 😀 ok",
    "ＦＵＬＬ　ｗｉｄｔｈ １２３ ﬁne",
    "café naïve Zürich",
    "한국어 русский 日本語のテキスト",
    "",
    "   \t\n ",
    "a" * 150,
    "繁體中文測試，質量不錯！",
]


@pytest.fixture(params=["minilm", "e5"])
def folder(request: pytest.FixtureRequest) -> Path:
    chosen: Path = request.getfixturevalue(f"{request.param}_folder")
    return chosen


@pytest.fixture
def tokenizer(folder: Path) -> Tokenizer:
    return Tokenizer.from_folder(folder)


def reference(folder: Path) -> Any:
    return AutoTokenizer.from_pretrained(folder)


def test_ids_equal_transformers(folder: Path, tokenizer: Tokenizer) -> None:
    theirs = reference(folder)
    for text in MIXED:
        assert tokenizer.encode(text).ids == theirs(text, truncation=True, max_length=512)["input_ids"], text


@pytest.mark.parametrize("max_length", [8, 9, 12, 31])
def test_truncation_equals_transformers(folder: Path, tokenizer: Tokenizer, max_length: int) -> None:
    theirs = reference(folder)
    for first in MIXED:
        for second in filter(None, MIXED):  # transformers takes an empty second text for none
            ours = tokenizer.encode(first, second, max_length)
            wanted = theirs(first, second, truncation="longest_first", max_length=max_length)
            assert ours.ids == wanted["input_ids"], (first, second)
            assert len(ours) <= max_length
        assert (
            tokenizer.encode(first, None, max_length).ids
            == theirs(first, truncation=True, max_length=max_length)["input_ids"]
        )


def test_stored_truncation_and_padding_are_not_used(minilm_folder: Path) -> None:
    assert json.loads((minilm_folder / "tokenizer.json").read_text("utf-8"))["truncation"]["max_length"] == 128
    tokenizer = Tokenizer.from_folder(minilm_folder)
    assert len(tokenizer.encode("word " * 300)) == 302
    assert len(tokenizer.encode("word")) == 3
    assert not tokenizer.encode("word " * 300).truncated
    assert tokenizer.encode("word " * 600).truncated
    assert len(tokenizer.encode("word " * 600)) == 512


def test_batch_equals_single(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode_batch(MIXED) == [tokenizer.encode(text) for text in MIXED]
    pairs = MIXED[::-1]
    together = tokenizer.encode_batch(MIXED, pairs, 16)
    assert together == [tokenizer.encode(text, pair, 16) for text, pair in zip(MIXED, pairs, strict=True)]
    assert tokenizer.encode_batch([]) == []


def test_a_pair_says_where_each_piece_belongs(tokenizer: Tokenizer) -> None:
    first, second = "什么 time", "now 是"
    encoded = tokenizer.encode(first, second)
    assert encoded.sequence[0] is None
    assert {encoded.type_ids[i] for i, part in enumerate(encoded.sequence) if part == 1} == {1}
    for part, text in enumerate((first, second)):
        spans = [span for span, whose in zip(encoded.offsets, encoded.sequence, strict=True) if whose == part]
        assert "".join(text[start:end] for start, end in spans) == text.replace(" ", "")


def test_surrogates_and_control_characters_keep_offsets(tokenizer: Tokenizer) -> None:
    text = "\x00\x01\ud800 密码 \udfff\u200bok"
    encoded = tokenizer.encode(text)
    found = "".join(text[start:end] for start, end in encoded.offsets)
    assert "密码" in found
    assert found.endswith("ok")


@pytest.mark.parametrize("text", ["我住在New York的3楼。", "𠮷野家 is open", "王小明2024年", " 银行 卡"])
def test_isolated_han(folder: Path, text: str) -> None:
    tokenizer = Tokenizer.from_folder(folder, han_isolated=True)
    encoded = tokenizer.encode(text)
    sources = [text[start:end] for start, end in encoded.offsets if start < end]
    assert "".join(sources) == text.replace(" ", "")
    for source in sources:
        assert len(source) == 1 or source.isascii(), sources


def test_isolated_han_survives_saving_and_is_not_added_twice(folder: Path, tmp_path: Path) -> None:
    tokenizer = Tokenizer.from_folder(folder, han_isolated=True)
    tokenizer.save(tmp_path)
    again = Tokenizer.from_folder(tmp_path, han_isolated=True)
    assert again.fingerprint == tokenizer.fingerprint != Tokenizer.from_folder(folder).fingerprint


def test_saving_and_loading_gives_the_same(folder: Path, tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokenizer.save(tmp_path)
    again = Tokenizer.from_folder(tmp_path)
    assert again.fingerprint == tokenizer.fingerprint
    assert again.specials == tokenizer.specials
    assert again.encode_batch(MIXED) == tokenizer.encode_batch(MIXED)
    assert [reference(tmp_path)(text)["input_ids"] for text in MIXED] == [tokenizer.encode(text).ids for text in MIXED]


@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("chinese", [True, False])
def test_vocab_txt_alone(minilm_folder: Path, tmp_path: Path, lower: bool, chinese: bool) -> None:
    shutil.copy(minilm_folder / "vocab.txt", tmp_path)
    settings = {"do_lower_case": lower, "tokenize_chinese_chars": chinese}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    ours = Tokenizer.from_folder(tmp_path)
    theirs = BertWordPieceTokenizer(
        str(tmp_path / "vocab.txt"), lowercase=lower, handle_chinese_chars=chinese, strip_accents=None
    )
    assert [ours.encode(text).ids for text in MIXED] == [theirs.encode(text).ids for text in MIXED]
    pair = ours.encode("a 中", "b")
    assert pair == Encoded(
        ids=theirs.encode("a 中", "b").ids,
        type_ids=theirs.encode("a 中", "b").type_ids,
        offsets=pair.offsets,
        sequence=pair.sequence,
        truncated=False,
    )
    assert (ours.pad_id, ours.unk_id, ours.cls_id, ours.sep_id, ours.mask_id) == (0, 100, 101, 102, 103)


def test_ids_and_sizes(minilm_folder: Path, e5_folder: Path) -> None:
    minilm, e5 = Tokenizer.from_folder(minilm_folder), Tokenizer.from_folder(e5_folder)
    assert (minilm.pad_id, minilm.cls_id, minilm.sep_id, minilm.mask_id, minilm.vocab_size) == (0, 101, 102, 103, 30522)
    assert (e5.cls_id, e5.pad_id, e5.sep_id, e5.unk_id, e5.mask_id) == (0, 1, 2, 3, e5.vocab_size - 1)
    assert e5.token(e5.mask_id) == "<mask>"
    assert e5.decode(e5.encode("银行卡 pin").ids) == "银行卡 pin"
    with pytest.raises(UsageError, match="not in the vocabulary"):
        e5.token(10**6)


def test_many_threads_with_different_lengths(tokenizer: Tokenizer) -> None:
    text = "一个 long text " * 50
    lengths = [4 + i % 60 for i in range(400)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda n: len(tokenizer.encode(text, None, n)), lengths)) == lengths


def test_no_room_is_an_error(tokenizer: Tokenizer) -> None:
    with pytest.raises(UsageError, match="max_length 2 leaves no room"):
        tokenizer.encode("a", None, 2)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("tokenizer.json", "{", "cannot be read as JSON"),
        ("tokenizer.json", "[]", "found a list"),
        ("tokenizer.json", "{}", "not a tokenizer"),
        ("vocab.txt", "a\nb\n", r"2 pieces without \[PAD\]"),
        ("readme.md", "", "found readme.md, expected tokenizer.json"),
    ],
)
def test_bad_folders_are_named(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ModelError, match=message) as caught:
        Tokenizer.from_folder(tmp_path)
    assert str(tmp_path) in str(caught.value)
