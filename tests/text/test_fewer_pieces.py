"""Fewer pieces: texts are cut as before, whatever they use is kept, and ids stand for the same pieces."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from bertie.core.errors import DataError, UsageError
from bertie.text.fewer_pieces import fewer_pieces
from bertie.text.tokenizer import Tokenizer
from tests.text.test_vocabulary import MIXED, corpus, train


def tokens(tokenizer: Tokenizer, text: str, pair: str | None = None) -> list[str]:
    return [tokenizer.token(piece) for piece in tokenizer.encode(text, pair).ids]


@pytest.mark.parametrize("kind", ["wordpiece", "unigram"])
def test_what_the_texts_use_is_cut_as_before(kind: str) -> None:
    old = train(kind)
    some = random.Random(3).sample(corpus(), 12)
    with pytest.raises(DataError, match="the text gives") as found:
        fewer_pieces(old, some, old.vocab_size)
    all_used = int(str(found.value).split("gives ")[1].split(" ")[0])
    new = fewer_pieces(old, some, all_used)
    assert new.vocab_size == all_used < old.vocab_size
    assert new.specials == old.specials
    for text in some:
        assert tokens(new, text) == tokens(old, text)
        assert tokens(new, text, some[0]) == tokens(old, text, some[0])
        assert new.encode(text).offsets == old.encode(text).offsets


@pytest.mark.parametrize("kind", ["wordpiece", "unigram"])
def test_fewer_than_used_can_still_spell(kind: str) -> None:
    old, texts = train(kind), corpus()
    with pytest.raises(UsageError, match="has no room for 5 specials") as found:
        fewer_pieces(old, texts, 10)
    least = int(str(found.value).split("at least ")[1].split(" ")[0])
    new = fewer_pieces(old, texts, least)
    assert new.vocab_size == least
    for text in texts[:50]:
        assert new.unk_id not in new.encode(text).ids
    for text in MIXED:  # what the old one did not know is still unknown, and nothing fails
        assert new.encode(text).ids[0] == new.cls_id


def test_a_saved_one_is_read_again(tmp_path: Path) -> None:
    new = fewer_pieces(train("unigram"), corpus(), 100)
    new.save(tmp_path)
    assert Tokenizer.from_folder(tmp_path).fingerprint == new.fingerprint


def test_what_is_refused() -> None:
    with pytest.raises(UsageError, match="pieces of this BPE vocabulary are made of each other"):
        fewer_pieces(train("bpe"), corpus(), 300)
    with pytest.raises(DataError, match="found no text of which this model knows any piece"):
        fewer_pieces(train("wordpiece"), ["", "  "], 100)
