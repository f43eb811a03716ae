"""General text that is also in the corpus measures nothing and is not replayed."""

from __future__ import annotations

from pathlib import Path

import pytest

from bertie.core.errors import DataError
from bertie.data.corpus import Corpus, CorpusOptions, Shards, prepare_corpus
from bertie.workflow.pretrain_general import apart
from tests.data.corpora import character_tokenizer, corpus_file


def prepared(folder: Path, held_out: float) -> Corpus:
    source, options = corpus_file(folder / "text.txt", 60), CorpusOptions(processes=1, held_out=held_out)
    return prepare_corpus([str(source)], character_tokenizer(), folder / str(held_out), options)


def texts(documents: Shards) -> set[tuple[int, ...]]:
    return {tuple(one.ids.tolist()) for one in documents}


def test_no_document_is_on_two_sides(tmp_path: Path) -> None:
    few, many = prepared(tmp_path, 0.02), prepared(tmp_path, 0.5)
    for general, corpus in ((few, many), (many, few)):
        said: list[str] = []
        made = apart(general, corpus, said.append)
        assert texts(made.held_out) == texts(general.held_out) - texts(corpus.train)
        assert texts(made.train) == texts(general.train) - texts(corpus.held_out)
        assert made.held_out.tokens == sum(map(len, texts(made.held_out)))
        assert made.fingerprint != general.fingerprint and "general text" in said[0]
    assert apart(few, few, print) is few


def test_general_text_that_is_all_in_the_corpus_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="all of it stands in the corpus too"):
        apart(prepared(tmp_path, 0.02), prepared(tmp_path, 0.0), print)
