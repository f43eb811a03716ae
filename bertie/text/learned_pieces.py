"""Learned pieces: counted words to the pieces of a WordPiece, BPE or unigram model.

In:  how often each word stands in the text, a number of pieces, pieces that must be among them
Out: a model of the `tokenizers` library
Knows nothing of texts, normalisation and files.

The library takes its words from hash tables that are in another order in every process. What would depend on that
order is given to it sorted (the `##` characters of WordPiece) or is put right afterwards (scores of unigram).
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import tokenizers
from tokenizers import models, pre_tokenizers, trainers

from bertie.core.errors import DataError, UsageError

SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
COVERAGE = 0.9999
"""Part of the text's characters that the vocabulary can spell; the rarest of all are unknown (in bpe nothing is)."""
_LONGEST = 100  # characters of a word; BERT calls longer ones unknown
_TOTAL = 30_000_000  # words that the library is shown; of a larger text the counts are scaled down
_LINE = 1000
_PREFIX = "##"
_GOES_ON = "\ue001"
_STEP = 0.0001  # in the library's code

Counts = Mapping[str, int]


def learn_wordpiece(counts: Counts, size: int, wanted: list[str]) -> models.Model:
    """Merges as BPE has them, without their order: at encoding the longest piece wins, so that is all of the model."""
    letters = _alphabet(counts)
    spelled = {word: count for word, count in counts.items() if letters.issuperset(word) and len(word) <= _LONGEST}
    inside = sorted({f"{_PREFIX}{letter}" for word in spelled for letter in word[1:]})
    needed = len(inside) + len({letter for word in spelled for letter in word})
    _need_room(size, needed, wanted)
    trainer = trainers.WordPieceTrainer(
        vocab_size=size, min_frequency=2, special_tokens=[*SPECIALS, *inside], show_progress=False
    )
    rust = _trained(models.WordPiece(unk_token="[UNK]"), trainer, spelled)
    pieces = _in_order(rust)
    chosen = _with_wanted(pieces, size, wanted)
    _need_pieces(len(chosen), size)
    vocab = {piece: i for i, piece in enumerate(chosen)}
    return models.WordPiece(vocab, unk_token="[UNK]", max_input_chars_per_word=_LONGEST)


def learn_bpe(counts: Counts, size: int, wanted: list[str]) -> models.Model:
    """Merges of bytes; a wanted word is looked up before any merge is tried."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    _need_room(size, len(alphabet), wanted)
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=2,
        special_tokens=list(SPECIALS),
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        show_progress=False,
    )
    rust = _trained(models.BPE(), trainer, counts)
    chosen = _with_wanted(_in_order(rust), size, wanted)
    _need_pieces(len(chosen), size)
    vocab = {piece: i for i, piece in enumerate(chosen)}
    merges = [(a, b) for a, b in _model(rust)["merges"] if {a, b, a + b} <= vocab.keys()]
    return models.BPE(vocab=vocab, merges=merges, ignore_merges=bool(wanted))


def learn_unigram(counts: Counts, size: int, wanted: list[str]) -> models.Model:
    """Pieces with their log probabilities, learned by expectation maximisation."""
    letters = _alphabet(counts)
    spelled: Counter[str] = Counter()
    for word, count in counts.items():
        for run in "".join(letter if letter in letters else " " for letter in word).split():
            spelled[run] += count
    _need_room(size, len(letters), wanted)
    # The library takes as candidates only what two different characters follow, and the end of a word is one to it: a
    # word that goes on nowhere (`我们`, `bought`) would never be a piece.
    spelled.update({run + _GOES_ON: 1 for run in list(spelled)})
    trainer = trainers.UnigramTrainer(
        vocab_size=size + 1, special_tokens=list(SPECIALS), unk_token="[UNK]", show_progress=False
    )
    rust = _trained(models.Unigram(), trainer, spelled)
    scores = _settled({piece: score for piece, score in _model(rust)["vocab"] if piece not in (*SPECIALS, _GOES_ON)})
    pieces = sorted(scores, key=lambda piece: (len(piece) > 1, -scores[piece], piece))  # characters are not given up
    chosen = _with_wanted([*SPECIALS, *pieces], size, wanted)[len(SPECIALS) :]
    _need_pieces(len(SPECIALS) + len(chosen), size)
    kept = {piece: scores[piece] for piece in chosen if piece in scores}
    return _unigram(_with_words(kept, [piece for piece in wanted if len(piece) > 1]))


def _settled(scores: dict[str, float]) -> dict[str, float]:
    """Scores that do not depend on the order of the words.

    Characters that are no likely pieces get the lowest score from the library, each a little more than the one before
    it, in the order of a hash table; here they all get the lowest. What is left of any order is that in which
    floating-point numbers are summed, far below the digits that are kept.
    """
    least, characters = min(scores.values()), sum(len(piece) == 1 for piece in scores)
    reached = least + _STEP * (characters + 1)
    return {
        piece: round(least if len(piece) == 1 and score <= reached else score, 4) for piece, score in scores.items()
    }


def _with_words(scores: dict[str, float], wanted: list[str]) -> dict[str, float]:
    """Each wanted word is likelier than any cut of it, and only so much: where words overlap the likelier cut wins."""
    made = dict(scores)
    for word in sorted(wanted, key=lambda word: (len(word), word)):
        cut = _unigram(made).tokenize(word)
        if [token.value for token in cut] != [word]:
            made[word] = round(min(sum(made.get(token.value, -20.0) for token in cut) + 1.0, -1.0), 4)
    return made


def _unigram(scores: Mapping[str, float]) -> models.Unigram:
    ordered = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
    return models.Unigram([*((token, 0.0) for token in SPECIALS), *ordered], unk_id=1, byte_fallback=False)


def _trained(model: models.Model, trainer: Any, counts: Counts) -> tokenizers.Tokenizer:
    rust = tokenizers.Tokenizer(model)
    rust.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    try:
        rust.train_from_iterator(_shown(counts), trainer=trainer)
    except Exception as error:  # the library raises the bare class, so nothing narrower can be caught
        raise DataError(
            f"no vocabulary can be learned from this text ({error}); give more text or fewer pieces"
        ) from error
    return rust


def _shown(counts: Counts) -> Iterator[str]:
    """Every word as often as it was counted, which is how the library counts."""
    scale = min(1.0, _TOTAL / sum(counts.values()))
    for word in sorted(counts):
        left = math.ceil(counts[word] * scale)
        while left > 0:
            yield " ".join([word] * min(left, _LINE))
            left -= _LINE


def _alphabet(counts: Counts) -> set[str]:
    """The commonest characters that make up COVERAGE of the text; of equally common ones, those with small numbers."""
    letters: Counter[str] = Counter()
    for word, count in counts.items():
        for letter in word:
            letters[letter] += count
    most, covered, found = COVERAGE * letters.total(), 0, set[str]()
    for letter, count in sorted(letters.items(), key=lambda item: (-item[1], item[0])):
        if covered >= most:
            break
        found.add(letter)
        covered += count
    return found


def _with_wanted(pieces: list[str], size: int, wanted: Iterable[str]) -> list[str]:
    """The pieces, the last of which make room for those that must be there."""
    asked = list(dict.fromkeys(wanted))
    keep = size
    while True:
        kept = pieces[:keep]
        missing = [piece for piece in asked if piece not in set(kept)]
        if len(kept) + len(missing) <= size:
            return [*kept, *missing]
        keep = size - len(missing)


def _need_room(size: int, characters: int, wanted: list[str]) -> None:
    least = len(SPECIALS) + characters + len(wanted)
    if size < least:
        words = f" and {len(wanted):,} for words of your own" if wanted else ""
        raise UsageError(
            f"--size {size:,} has no room for {len(SPECIALS)} specials, {characters:,} pieces of one character{words}; "
            f"give at least {least:,} (bertie pretrain: --set vocabulary={least}, or --new-vocabulary)"
        )


class FewPieces(DataError):
    """The text gives only so many pieces."""

    def __init__(self, found: int, size: int, how: str = "") -> None:
        super().__init__(
            f"the text gives {found:,} pieces{how}, fewer than the {size:,} asked for; "
            f"give more text, or --size {found}"
        )
        self.found = found


def _need_pieces(found: int, size: int) -> None:
    if found < size:
        raise FewPieces(found, size, " (each seen twice or more)")


def _in_order(rust: tokenizers.Tokenizer) -> list[str]:
    vocab: dict[str, int] = rust.get_vocab()
    return sorted(vocab, key=lambda piece: vocab[piece])


def _model(rust: tokenizers.Tokenizer) -> dict[str, Any]:
    model: dict[str, Any] = json.loads(rust.to_str())["model"]
    return model
