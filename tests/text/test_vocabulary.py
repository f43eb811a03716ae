"""Vocabularies: the size that was asked for, the same bytes each time, read by transformers as by us."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
from transformers import BertTokenizerFast, PreTrainedTokenizerFast

from bertie.core.errors import DataError, UsageError
from bertie.text.tokenizer import Tokenizer
from bertie.text.vocabulary import KINDS, VocabularyOptions, save_vocabulary, train_vocabulary

ROOT = Path(__file__).parents[2]
ZH = [
    "我们",
    "研究",
    "人工",
    "智能",
    "生命",
    "起源",
    "产品",
    "和",
    "服务",
    "提供",
    "今天",
    "天气",
    "很",
    "好",
    "城市",
    "河流",
    "历史",
    "音乐",
    "喜欢",
    "学习",
]
EN = [
    "The",
    "river",
    "walks",
    "of",
    "learning",
    "machines",
    "Café",
    "unbelievable",
    "music",
    "iPhone",
    "history",
    "today",
    "weather",
    "provides",
]
SYLLABLES = ["ba", "ket", "lo", "min", "ra", "sto", "ing", "er", "tion", "un", "fi", "gral"]
SIZES = {"wordpiece": 160, "bpe": 340, "unigram": 160}
MIXED = [
    "今天我们学习, iPhone 很好!",
    "The Café — unbelievable",
    "",
    " \n\t",
    "ＦＵＬＬ １２３",
    "未知的字 xyzzy 👍",
    "a" * 150,
    "和服 [MASK]",
]


def corpus(seed: int = 0) -> list[str]:
    rng = random.Random(seed)
    made = ["".join(rng.choices(SYLLABLES, k=rng.randint(2, 4))) for _ in range(300)]
    chinese = ["".join(rng.choices(ZH, k=8)) + "。我们提供产品和服务，" for _ in range(150)]
    return [*chinese, *(" ".join(rng.choices(EN, k=8) + rng.choices(made, k=9)) + ". " for _ in range(150))]


def train(kind: str, words: tuple[str, ...] = (), size: int | None = None, **more: bool) -> Tokenizer:
    return train_vocabulary(corpus(), VocabularyOptions(size=size or SIZES[kind], kind=kind, words=words, **more))


@pytest.mark.parametrize("kind", KINDS)
def test_size_and_specials(kind: str) -> None:
    tokenizer = train(kind)
    assert tokenizer.vocab_size == SIZES[kind]
    assert [tokenizer.token(i) for i in range(5)] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pair = tokenizer.encode("今天", "today")
    assert (pair.ids[0], pair.ids[-1], pair.ids.count(3)) == (2, 3, 2)
    assert pair.type_ids == [0 if part == 0 or i <= pair.ids.index(3) else 1 for i, part in enumerate(pair.sequence)]
    assert 1 not in tokenizer.encode("我们提供产品和服务. The river").ids


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_texts_in_any_order_and_process_give_the_same(kind: str) -> None:
    code = (
        "from tests.text.test_vocabulary import *\n"
        f"options = VocabularyOptions(size={SIZES[kind]}, kind='{kind}', words=('人工智能', 'river'))\n"
        "print(train_vocabulary(corpus()[::-1], options).fingerprint)"
    )
    once = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert once.stdout.strip() == train(kind, ("人工智能", "river")).fingerprint


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("words", [(), ("人工智能", "Unbelievable")])
def test_transformers_reads_it_as_we_do(kind: str, words: tuple[str, ...], tmp_path: Path) -> None:
    tokenizer = train(kind, words)
    save_vocabulary(tokenizer, tmp_path)
    again = Tokenizer.from_folder(tmp_path)
    theirs = [PreTrainedTokenizerFast.from_pretrained(tmp_path)]
    assert (tmp_path / "vocab.txt").exists() == (kind == "wordpiece" and not words)
    if (tmp_path / "vocab.txt").exists():
        theirs.append(BertTokenizerFast.from_pretrained(tmp_path))
        (tmp_path / "tokenizer.json").unlink()
        assert Tokenizer.from_folder(tmp_path).encode_batch(MIXED) == tokenizer.encode_batch(MIXED)
    for text in MIXED:
        ids = tokenizer.encode(text).ids
        assert again.encode(text).ids == ids
        assert [one(text)["input_ids"] for one in theirs] == [ids] * len(theirs), text
        assert [one(text, "好 ok")["input_ids"] for one in theirs] == [tokenizer.encode(text, "好 ok").ids] * len(
            theirs
        )


@pytest.mark.parametrize("kind", KINDS)
def test_words_are_whole_pieces_and_cut_no_others(kind: str) -> None:
    tokenizer = train(kind, ("人工智能", "Walks", "城市河流"), size=SIZES[kind] + 20)
    for text, word in (("我们研究人工智能很好", "人工智能"), ("the Walks of", "Walks"), ("去城市河流", "城市河流")):
        pieces = [text[a:b].strip() for a, b in tokenizer.encode(text).offsets]
        assert word in pieces, pieces
    assert "walks" not in [text[a:b] for text in ["cakewalks"] for a, b in tokenizer.encode(text).offsets]


@pytest.mark.parametrize("kind", KINDS)
def test_a_word_that_mostly_stands_across_others_is_told(kind: str) -> None:
    said: list[str] = []
    options = VocabularyOptions(size=SIZES[kind] + 20, kind=kind, words=("和服", "New York"))
    tokenizer = train_vocabulary(corpus(), options, said.append)
    assert any("does not become a piece: it has spaces or marks" in line for line in said)
    text = "提供产品和服务"
    assert "和服" not in [text[a:b] for a, b in tokenizer.encode(text).offsets]
    if kind != "unigram":
        assert any(re.match(r"'和服' does not become a piece: in (\d+) of \1 places", line) for line in said)


def test_words_that_end_as_they_begin_are_unigram_pieces() -> None:
    tokenizer = train("unigram", size=220)
    text = "我们 喜欢 unbelievable"
    assert {"我们", "喜欢", "unbelievable"} <= {text[a:b].strip() for a, b in tokenizer.encode(text).offsets}


def test_capitals() -> None:
    lower, keep = train("wordpiece"), train("wordpiece", lower=False)
    assert lower.encode("RIVER café").ids == lower.encode("river Cafe").ids
    assert keep.encode("The").ids != keep.encode("the").ids
    assert train("bpe").encode("The").ids != train("bpe").encode("the").ids
    assert train("bpe", lower=True).encode("The").ids == train("bpe", lower=True).encode("the").ids


@pytest.mark.parametrize(("kind", "size"), [("wordpiece", 60), ("bpe", 200), ("unigram", 40)])
def test_too_small(kind: str, size: int) -> None:
    with pytest.raises(UsageError, match=rf"--size {size} has no room for 5 specials, \d+ pieces .* at least \d+"):
        train(kind, size=size)


@pytest.mark.parametrize("kind", KINDS)
def test_too_large(kind: str) -> None:
    with pytest.raises(
        DataError, match=r"the text gives [\d,]+ pieces .* fewer than the 50,000 asked for; .* --size \d+"
    ):
        train(kind, size=50_000)


def test_nothing_to_learn_from() -> None:
    with pytest.raises(DataError, match="found no text"):
        train_vocabulary(["", "  "], VocabularyOptions(size=100))
    with pytest.raises(UsageError, match="there is no such vocabulary; there are wordpiece, bpe, unigram"):
        VocabularyOptions(size=100, kind="sentencepiece")
    with pytest.raises(UsageError, match="more than the 5 specials"):
        VocabularyOptions(size=5)
