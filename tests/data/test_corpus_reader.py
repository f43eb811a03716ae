"""Documents out of files of every kind; bad files are named with their place."""

from __future__ import annotations

import bz2
import json
import random
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bertie.core.errors import DataError
from bertie.core.lock import FolderLock
from bertie.data import hub_rows
from bertie.data.corpus_cleaning import NearlySeen, Seen, clean, fingerprints
from bertie.data.corpus_reader import open_sources
from bertie.data.near_duplicates import near_duplicates


def texts(*names: object, column: str | None = None, encoding: str | None = None) -> list[str]:
    sources = open_sources([str(name) for name in names], column, encoding)
    return [text for source in sources for _, text in source.read()]


def test_an_empty_line_ends_a_document(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("\n一\n二\n \n\n三\n\n", encoding="utf-8")
    assert texts(path) == ["一\n二", "三"]
    assert [line for line, _ in open_sources([str(path)], None, None)[0].read()] == [2, 6]
    path.write_text("\n\n一\n二\n三\n\n", encoding="utf-8")
    assert texts(path) == ["一", "二", "三"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_encodings_are_recognised(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("今天天气很好。\n我们去公园。\n", encoding=encoding)
    assert texts(path) == ["今天天气很好。", "我们去公园。"]
    assert f"plain text in {encoding}; no empty line" in open_sources([str(path)], None, None)[0].note


def test_tables_and_folders(tmp_path: Path) -> None:
    (tmp_path / "b" / ".git").mkdir(parents=True)
    (tmp_path / "b" / ".git" / "x.txt").write_text("hidden")
    (tmp_path / "b" / "picture.png").write_bytes(b"\x89PNG")
    (tmp_path / "b" / "2.txt").write_text("plain")
    (tmp_path / "a.jsonl").write_text('{"id": 1, "content": "one"}\n{"content": null}\n{"content": "two\\nlines"}\n')
    pq.write_table(pa.table({"text": ["three"], "title": ["no"]}), tmp_path / "c.parquet")
    assert texts(tmp_path) == ["one", "", "two\nlines", "plain", "three"]
    assert texts(tmp_path / "c.parquet", column="title") == ["no"]


@pytest.mark.parametrize("name", ["wiki_00", "corpus.txt", "dump.log"])
def test_json_lines_are_told_by_their_first_line(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text('\n{"id": 1, "text": "\\u4eca\\u5929"}\n{"id": 2, "text": "two"}\n')
    assert texts(tmp_path / name) == ["今天", "two"]
    (tmp_path / name).write_text("{1} is a set\nof numbers\n")
    assert texts(tmp_path / name) == ["{1} is a set", "of numbers"]


def test_the_column_is_that_of_most_records_not_of_the_first(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"title": "A"}\n' + '{"title": "B", "text": "long"}\n' * 3)
    assert texts(path) == ["", "long", "long", "long"]
    path.write_text('{"id": 1}\n{"id": 2, "body": "long"}\n')
    assert texts(path, column="body") == ["", "long"]
    path.write_text('{"content": "long"}\n' * 9 + '{"content": "long", "text": "note"}\n')
    assert texts(path) == ["long"] * 10


def test_models_tokenizers_and_trainings_in_a_folder_are_no_texts(tmp_path: Path) -> None:
    for name in ("a.txt", "model/bundle.json", "model/README.md", "tok/tokenizer.json", "tok/vocab.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("text\n")
    with FolderLock(tmp_path / "runs" / "one" / "run"):
        (tmp_path / "runs" / "one" / "run" / "general-zh.txt").write_text("other\n")
        assert texts(tmp_path) == ["text"]
    (tmp_path / "a.txt").unlink()
    with pytest.raises(DataError, match="beside models, tokenizers and trainings"):
        texts(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"", r"a.txt:1: the file is empty"),
        ("a.txt", b"good\nb\xffd\nline " * 9, r"a.txt:2: byte 6 \(ff"),
        ("a.txt", "好的。\n坏".encode() + b"\xe5\n" + "我们".encode() * 9, r"a.txt:2: byte 13"),
        ("a.txt", b"a\nb\0c\n" + b"text " * 99, r"a.txt:2: the line holds a NUL"),
        ("a.txt", b"\x1f\x8b\x08\x00", r"is a gzip file"),
        ("a.txt", bz2.compress(b"text"), r"is a bzip2 file, expected plain text"),
        ("a.bin", bytes(range(256)) * 4, r"a.bin:\d+: byte"),
        ("a.jsonl", b'{"text": "a"}\n{oops\n', r"a.jsonl:2: this is not valid JSON"),
        ("a.jsonl", b'{"text": "a"}\n{"text": 5}\n', r"a.jsonl:2: 'text' is a int, expected a text"),
        ("a.jsonl", b'{"words": "a"}\n', r"a.jsonl:1: no column is named text; found 'words'; name"),
        ("a.parquet", b"PAR1xxxx", r"not a readable Parquet file"),
    ],
)
def test_bad_files_are_named(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        texts(tmp_path / name)


def test_missing_and_repeated_sources(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a\n")
    for names, message in (
        ([tmp_path / "none.txt"], "there is no such file or folder"),
        ([], "found no corpus"),
        ([tmp_path, tmp_path / "a.txt"], "is named twice"),
    ):
        with pytest.raises(DataError, match=message):
            texts(*names)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"holds nothing, expected files that end with \.txt"):
        texts(tmp_path / "empty")
    with pytest.raises(DataError, match="there is no column 'body'; found 'text'"):
        (tmp_path / "a.jsonl").write_text(json.dumps({"text": "x"}))
        texts(tmp_path / "a.jsonl", column="body")


def test_the_hub_gives_its_train_split(monkeypatch: pytest.MonkeyPatch) -> None:
    class Split(list[dict[str, str]]):
        _fingerprint = "abc"

    data = {"train": Split([{"text": "one"}, {"text": "two"}]), "test": Split()}
    monkeypatch.setattr(hub_rows, "datasets", SimpleNamespace(load_dataset=lambda name, config: data))
    assert texts("hub:some/thing") == ["one", "two"]
    assert open_sources(["hub:some/thing"], None, None)[0].identity == "abc"


def test_cleaning_counts_what_it_removes() -> None:
    counts: Counter[str] = Counter()
    assert clean("\ufeff a\x00 \t b\u3000c \r\n\n \nd\ud800", counts) == "a b c\nd\ufffd"
    assert (counts["control characters"], counts["lone surrogates"], counts["empty lines"]) == (2, 1, 2)
    assert clean(" \n\n ", counts) == ""


def test_seen_equals_a_set() -> None:
    rng, seen, known = random.Random(0), Seen(), set[int]()
    for _ in range(60):
        values = [rng.randint(0, 900) for _ in range(rng.randint(1, 40))]
        wanted = [value not in known and value not in values[:i] for i, value in enumerate(values)]
        assert seen.new(np.array(values, dtype=np.uint64)).tolist() == wanted
        known.update(values)


def test_near_copies_by_their_signatures() -> None:
    rng, nearly = random.Random(0), NearlySeen()
    letters = "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动"
    originals = ["".join(rng.choices(letters, k=200)) for _ in range(50)]
    copies = [text[:90] + "新" + text[91:] for text in originals]
    assert nearly.new(originals).all()
    assert not nearly.new(copies).any()
    assert nearly.new(["短的话", "短的话"]).all(), "short texts are never near copies"
    assert len(set(fingerprints(originals).tolist())) == 50


def test_a_near_copy_in_which_another_script_prevails() -> None:
    text = "".join(chr(0x4E00 + 7 * n) for n in range(101)) + "".join(chr(97 + n * n % 26) for n in range(100))
    for pair in ([text, text + " v2"], [text + " v2", text]):
        assert NearlySeen().new(pair).tolist() == [True, False]
        assert [(found.first, found.second) for found in near_duplicates(pair)] == [(0, 1)]
