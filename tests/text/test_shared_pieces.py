"""What one vocabulary has for the pieces of another, whatever way they are written in."""

from __future__ import annotations

import itertools

import pytest

from bertie.text.shared_pieces import Spelling, shared_pieces, spellings
from bertie.text.tokenizer import Tokenizer
from bertie.text.vocabulary import KINDS, VocabularyOptions, train_vocabulary

ENGLISH = ["we are going home", "the going was slow", "they are sleeping at home", "slow sleeping"]
CHINESE = ["我们今天回家。", "今天天气很好,我们很好。", "他们说:回家很好。"]


def learned(kind: str, size: int, texts: list[str] | None = None) -> Tokenizer:
    return train_vocabulary((texts or ENGLISH + CHINESE) * 20, VocabularyOptions(size=size, kind=kind))


@pytest.fixture(scope="module")
def kinds() -> dict[str, Tokenizer]:
    return {kind: learned(kind, {"wordpiece": 70, "bpe": 316, "unigram": 50}[kind]) for kind in KINDS}


def test_one_piece_is_read_alike_in_every_kind_of_vocabulary(kinds: dict[str, Tokenizer]) -> None:
    for kind, tokenizer in kinds.items():
        found = spellings(tokenizer)
        assert Spelling("home", "start") in found, kind
        assert {"家", "我们"} & {one.text for one in found if one is not None}, kind
        assert [found[tokenizer.pad_id], found[tokenizer.unk_id]] == [None, None]
    assert Spelling("g", "inside") in spellings(kinds["wordpiece"])
    assert any(one is not None and one.place == "bytes" for one in spellings(kinds["bpe"]))


def test_a_vocabulary_has_all_of_itself(kinds: dict[str, Tokenizer]) -> None:
    for tokenizer in kinds.values():
        shared = shared_pieces(tokenizer, tokenizer)
        assert shared.parts == [[i] for i in range(tokenizer.vocab_size)]
        assert (shared.copied, shared.composed, shared.drawn) == (tokenizer.vocab_size, 0, 0)


@pytest.mark.parametrize(("one", "other"), itertools.permutations(KINDS, 2))
def test_what_both_know_is_taken_as_it_is_and_the_rest_is_composed(
    one: str, other: str, kinds: dict[str, Tokenizer]
) -> None:
    new, old = kinds[one], kinds[other]
    shared = shared_pieces(new, old)
    assert [shared.parts[new.mask_id or 0], shared.parts[new.cls_id]] == [[old.mask_id], [old.cls_id]]
    assert shared.copied + shared.composed + shared.drawn == new.vocab_size == len(shared.parts)
    assert shared.copied > 20 and (one == "bpe" or shared.drawn < 10)  # most bytes stand in no text
    was, now = spellings(old), spellings(new)
    for piece, parts in enumerate(shared.parts):
        spelling = now[piece]
        if spelling is None or not parts or spelling.place == "bytes":
            continue
        texts = [found.text for part in parts if (found := was[part]) is not None and found.place != "bytes"]
        # Bytes of a character are no text; all others spell the piece again.
        assert len(texts) < len(parts) or "".join(texts) == spelling.text.lower()


def test_a_piece_inside_a_word_is_composed_of_such() -> None:
    old, new = learned("wordpiece", 42, ENGLISH), learned("wordpiece", 56, ENGLISH)
    was, now = spellings(old), spellings(new)
    shared = shared_pieces(new, old)
    longer = [i for i, one in enumerate(now) if one is not None and one.place == "inside" and len(shared.parts[i]) > 1]
    assert longer
    for piece in longer:
        assert all(was[part] is not None and was[part].place == "inside" for part in shared.parts[piece])  # type: ignore[union-attr]


def test_what_the_old_one_cannot_read_has_no_parts() -> None:
    shared = shared_pieces(learned("wordpiece", 19, CHINESE), learned("wordpiece", 42, ENGLISH))
    assert (shared.copied, shared.composed, shared.drawn) == (5, 0, 14)
