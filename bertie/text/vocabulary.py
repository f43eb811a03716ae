"""Vocabulary: pieces learned from text, as a tokenizer of our own.

In:  texts, the number of pieces, a kind (wordpiece, bpe, unigram), words that shall be whole pieces
Out: a Tokenizer with [PAD] [UNK] [CLS] [SEP] [MASK] at 0 to 4 that needs nothing but its tokenizer.json
Knows nothing of files, corpora and models.

    wordpiece  BERT's: each Han character alone, other words from their beginning, `##` inside (Devlin et al. 2019)
    bpe        of bytes, as RoBERTa's: nothing is unknown (Radford et al. 2019)
    unigram    as XLM-R's: the likeliest cut, so that Chinese words are pieces (Kudo 2018)

The same texts give the same vocabulary, byte for byte, in whatever order they come.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import tokenizers
from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers, processors

from bertie.core.errors import DataError, UsageError
from bertie.text.learned_pieces import SPECIALS, learn_bpe, learn_unigram, learn_wordpiece
from bertie.text.tokenizer import Tokenizer
from bertie.text.user_words import BORDER, HAN_WORD, WordBorders, at_word_borders, pattern_of

KINDS = ("wordpiece", "bpe", "unigram")
_DISTINCT = 8_000_000  # words that are counted at a time; of more, those met once are forgotten
_PROBE = models.WordLevel({"[UNK]": 0}, unk_token="[UNK]")
_TEMPLATE = processors.TemplateProcessing(
    single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
)

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class VocabularyOptions:
    """What kind of vocabulary is learned."""

    size: int
    """Pieces, specials included."""
    kind: str = "wordpiece"
    """wordpiece, bpe or unigram."""
    lower: bool | None = None
    """Capitals become small (in wordpiece accents go, too); None: in wordpiece alone."""
    words: tuple[str, ...] = ()
    """Words that shall be whole pieces."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UsageError(f"--type {self.kind!r}: there is no such vocabulary; there are {', '.join(KINDS)}")
        if self.size <= len(SPECIALS):
            raise UsageError(f"--size {self.size}: expected more than the {len(SPECIALS)} specials, such as 8000")

    @property
    def lowers(self) -> bool:
        """Whether capitals become small."""
        return self.kind == "wordpiece" if self.lower is None else self.lower


def train_vocabulary(texts: Iterable[str], options: VocabularyOptions, say: Say = lambda line: None) -> Tokenizer:
    """A tokenizer of exactly `options.size` pieces. `say` is told which of `options.words` cannot be pieces.

    DataError: there is no text, or it gives fewer pieces. UsageError: the size has no room for its characters.
    """
    normalizer = _normalizer(options, isolate_han=False)
    asked = dict.fromkeys(normalizer.normalize_str(word).strip() for word in options.words)
    borders = WordBorders([word for word in asked if HAN_WORD.search(word)])
    cutter = _cutter(options, [])
    counts = _counted(texts, cutter, borders, clauses=options.kind != "wordpiece")
    if not counts:
        raise DataError("found no text to learn a vocabulary from, expected some; name another file")
    wrong = borders.wrong() if options.kind != "unigram" else {}  # there the likelier cut wins wherever words overlap
    han = [word for word in asked if HAN_WORD.search(word) and word not in wrong]
    rust = cutter if options.kind == "unigram" else _cutter(options, han)
    words = _whole(rust, [word for word in asked if word and word not in wrong], options.kind)
    for word in asked:
        if word not in words:
            say(f"{word!r} does not become a piece: {wrong.get(word, 'it has spaces or marks, where pieces end')}")
    learn = {"wordpiece": learn_wordpiece, "bpe": learn_bpe, "unigram": learn_unigram}[options.kind]
    rust.model = learn(counts, options.size, [piece for pieces in words.values() for piece in pieces])
    rust.add_special_tokens([AddedToken(token, special=True) for token in SPECIALS])
    return Tokenizer(json.loads(rust.to_str()), where="the vocabulary that was learned")


def save_vocabulary(tokenizer: Tokenizer, folder: Path) -> None:
    """The files of `Tokenizer.save`, and BERT's vocab.txt where it says the same: readable by transformers."""
    tokenizer.save(folder)
    spec = tokenizer.spec
    if spec["model"]["type"] != "WordPiece" or spec["pre_tokenizer"]["type"] != "BertPreTokenizer":
        return  # with Chinese words as pieces vocab.txt alone would not tell how a text is cut
    pieces = sorted(spec["model"]["vocab"].items(), key=lambda item: item[1])
    (folder / "vocab.txt").write_text("".join(f"{piece}\n" for piece, _ in pieces), encoding="utf-8")
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    lowers = spec["normalizer"]["lowercase"]
    settings |= {"do_lower_case": lowers, "strip_accents": None, "tokenize_chinese_chars": True}
    path.write_text(json.dumps(settings, indent=1, sort_keys=True), encoding="utf-8")


def _normalizer(options: VocabularyOptions, isolate_han: bool) -> normalizers.Normalizer:
    lowers: list[normalizers.Normalizer] = [normalizers.Lowercase()] if options.lowers else []
    if options.kind == "wordpiece":
        return normalizers.BertNormalizer(
            clean_text=True, handle_chinese_chars=isolate_han, strip_accents=None, lowercase=options.lowers
        )
    if options.kind == "bpe":
        return normalizers.Sequence([normalizers.NFC(), *lowers])
    return normalizers.Sequence([normalizers.NFKC(), *lowers, normalizers.Replace(Regex(r"\s+"), " ")])


def _cutter(options: VocabularyOptions, han: list[str]) -> tokenizers.Tokenizer:
    """Everything of the tokenizer but its pieces. Where `han` are given they are cut out before all else."""
    rust = tokenizers.Tokenizer(_PROBE)
    # Where a pattern finds the words it isolates the other Han characters, too: spaces would hide the words from it.
    rust.normalizer, rust.post_processor = _normalizer(options, isolate_han=not han), _TEMPLATE
    steps: list[pre_tokenizers.PreTokenizer] = []
    if han:
        steps += [pre_tokenizers.Split(Regex(pattern_of(han, options.kind == "wordpiece")), "isolated")]
    if options.kind == "wordpiece":
        rust.decoder = decoders.WordPiece()
        steps += [pre_tokenizers.BertPreTokenizer()]
    elif options.kind == "bpe":
        rust.decoder = decoders.ByteLevel()
        steps += [pre_tokenizers.ByteLevel(add_prefix_space=False)]
        rust.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=True), _TEMPLATE])
    else:
        rust.decoder = decoders.Metaspace()
        steps += [pre_tokenizers.Metaspace(prepend_scheme="first"), pre_tokenizers.Punctuation("isolated")]
    rust.pre_tokenizer = steps[0] if len(steps) == 1 else pre_tokenizers.Sequence(steps)
    return rust


def _counted(texts: Iterable[str], rust: tokenizers.Tokenizer, borders: WordBorders, clauses: bool) -> Counter[str]:
    """How often each word stands in the texts, as the tokenizer will see it.

    `clauses`: it will see Chinese clauses whole. They are cut by the dictionary here, so that no piece is learned that
    joins parts of two words, and a clause is not counted as a word that stands there once.
    """
    counts: Counter[str] = Counter()
    cut = pre_tokenizers.Sequence([pre_tokenizers.Split(BORDER, "removed"), rust.pre_tokenizer])
    for text in texts:
        readable = text.encode("utf-8", "replace").decode()
        borders.look(readable)
        normal = rust.normalizer.normalize_str(readable)
        counts.update(word for word, _ in cut.pre_tokenize_str(at_word_borders(normal) if clauses else normal))
        if len(counts) > _DISTINCT:
            counts = Counter({word: count for word, count in counts.items() if count > 1})
    return counts


def _whole(rust: tokenizers.Tokenizer, asked: list[str], kind: str) -> dict[str, list[str]]:
    """Word to its pieces as the vocabulary has them (bpe has another behind a space), if nothing cuts it."""
    found: dict[str, list[str]] = {}
    for word in asked:
        normal = rust.normalizer.normalize_str(word)
        inside = [piece for piece, _ in rust.pre_tokenizer.pre_tokenize_str(normal)]
        if len(inside) != 1:
            continue
        if HAN_WORD.search(normal):
            found[word] = [normal] if kind == "unigram" else inside
        else:
            behind = [piece for piece, _ in rust.pre_tokenizer.pre_tokenize_str("a " + normal)][1:]
            found[word] = list(dict.fromkeys([*inside, *behind]))
    return found
