"""In what language a corpus is looked at: that of its text, where the vocabulary can read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bertie.data.catalogue import resolve
from bertie.data.corpus import CorpusOptions, prepare_corpus
from bertie.text.tokenizer import Tokenizer
from bertie.workflow.probe import in_chinese
from tests.data.corpora import EN, ZH, character_tokenizer

SMALL = CorpusOptions(processes=1, held_out=0.3)


def held_out_is_chinese(words: list[str], tokenizer: Tokenizer, folder: Path) -> bool:
    lines = [" ".join(words[(i * k) % len(words)] for k in range(1, 12)) + f" {i}" for i in range(30)]
    (folder / "text.txt").write_text("\n".join(lines), encoding="utf-8")
    corpus = prepare_corpus([str(folder / "text.txt")], tokenizer, folder / "corpus", SMALL, lambda line: None)
    return in_chinese(tokenizer, corpus.held_out)


def test_a_vocabulary_of_many_languages_reads_a_corpus_in_its_own(tmp_path: Path) -> None:
    """`e5-small` knows Chinese: English text is still looked at by English rows."""
    tokenizer = Tokenizer.from_folder(resolve("e5-small").folder)
    for words, chinese in ((ZH, True), (EN, False)):
        folder = tmp_path / str(chinese)
        folder.mkdir()
        assert held_out_is_chinese(words, tokenizer, folder) is chinese


@pytest.mark.parametrize("words", [ZH, EN])
def test_a_vocabulary_without_the_usual_characters_is_never_asked_in_chinese(words: list[str], tmp_path: Path) -> None:
    assert not held_out_is_chinese(words, character_tokenizer(), tmp_path)
