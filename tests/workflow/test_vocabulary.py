"""`bertie tokenizer` and `bertie.train_tokenizer`: from files to a folder, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerFast

import bertie
from bertie.cli.app import run
from bertie.core.errors import DataError, UsageError
from bertie.text.tokenizer import Tokenizer
from bertie.workflow.vocabulary import read_words
from tests.data.corpora import corpus_file


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return corpus_file(tmp_path / "corpus.txt", 80)


def test_the_command(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words, out = tmp_path / "words.txt", tmp_path / "t"
    words.write_text("人工智能\n\n机器学习\n人工智能\n", encoding="gb18030")
    command = ["tokenizer", str(source), "--size", "150", "--out", str(out), "--words", str(words)]
    assert run(command) == 0
    printed = capsys.readouterr()
    assert f"tokenizer: {out}\npieces: 150 (wordpiece)\ncharacters a piece: " in printed.out
    assert "an empty line ends a document" in printed.err
    assert run(command) == 2
    assert "holds a tokenizer; choose another folder" in capsys.readouterr().err
    assert run([*command, "--overwrite", "--json", "--type", "unigram"]) == 0
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert (found["pieces"], found["kind"], found["unknown"]) == (150, "unigram", 0.0)
    tokenizer = Tokenizer.from_folder(out)
    assert tokenizer.fingerprint == found["fingerprint"]
    assert tokenizer.piece_id("机器学习") is not None
    assert not printed.err


def test_from_python(source: Path, tmp_path: Path) -> None:
    said: list[str] = []
    found = bertie.train_tokenizer(source, out=tmp_path / "t", size=300, kind="bpe", say=said.append)
    assert found.unknown == 0.0
    assert found.characters_per_piece > 0.8
    assert len(said) == 1
    assert sorted(path.name for path in (tmp_path / "t").iterdir()) == ["tokenizer.json", "tokenizer_config.json"]


def test_what_is_refused(source: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.doc").write_text("x")
    with pytest.raises(UsageError, match=r"holds thesis\.doc and is no tokenizer"):
        bertie.train_tokenizer(source, out=tmp_path / "mine", size=150, overwrite=True, say=print)
    with pytest.raises(DataError, match="there is no such file"):
        bertie.train_tokenizer(tmp_path / "none.txt", out=tmp_path / "t", size=150, say=print)
    with pytest.raises(UsageError, match="has no room for"):
        bertie.train_tokenizer(source, out=tmp_path / "t", size=20, say=print)
    with pytest.raises(UsageError, match="--type, --words and --keep-case are for new pieces"):
        bertie.train_tokenizer(source, out=tmp_path / "t", size=150, kind="bpe", model="minilm", say=print)
    assert not (tmp_path / "t").exists()


def test_the_pieces_of_a_model_that_a_text_uses(
    source: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "t"
    assert run(["tokenizer", str(source), "--model", str(tiny_model), "--size", "93", "--out", str(out)]) == 0
    assert "pieces: 93 (wordpiece)" in capsys.readouterr().out
    assert Tokenizer.from_folder(out).pieces.keys() < Tokenizer.from_folder(tiny_model).pieces.keys()
    transformed = PreTrainedTokenizerFast.from_pretrained(out)
    text = source.read_text(encoding="utf-8").splitlines()[0]
    assert transformed(text)["input_ids"] == Tokenizer.from_folder(out).encode(text).ids


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "found no words"), (b"ok\n" + b"x" * 60, r":2: 60 characters"), (b"\xff\xff\xff", "byte 0")],
)
def test_bad_word_files(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "w.txt").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_words(tmp_path / "w.txt")
