"""A vocabulary from raw text: a folder with a tokenizer.

In:  files, folders or hub:NAME; how many pieces, of which kind or of which model; a folder to write
Out: tokenizer.json and what goes with it, and how well it cuts the text
Knows nothing of the command line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bertie.bundle.checksums import stay_outside
from bertie.core.errors import DataError, UsageError
from bertie.core.files import new_folder
from bertie.core.stderr import tell
from bertie.data.catalogue import resolve
from bertie.data.corpus_cleaning import clean
from bertie.data.corpus_reader import Source, open_sources
from bertie.data.encoding import lines_of
from bertie.text.fewer_pieces import fewer_pieces
from bertie.text.tokenizer import Tokenizer
from bertie.text.vocabulary import VocabularyOptions, save_vocabulary, train_vocabulary
from bertie.workflow.options import check_options
from bertie.workflow.request import Say

FILES = ("tokenizer.json", "tokenizer_config.json", "vocab.txt")
MEASURED = 2_000_000
"""Characters from the beginning of the text on which the vocabulary is measured."""
_WORD_LIMIT = 50  # characters; a longer line is no word


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer on disk, and how it cuts the text that it was learned from."""

    folder: str
    kind: str
    pieces: int
    characters_per_piece: float
    unknown: float
    """Part of the pieces of the text that are unknown, 0 to 1."""
    fingerprint: str

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)

    def readable(self) -> str:
        """The same as lines for a person."""
        return (
            f"tokenizer: {self.folder}\npieces: {self.pieces:,} ({self.kind})\n"
            f"characters a piece: {self.characters_per_piece:.2f}\nunknown: {self.unknown:.3%} of the pieces"
        )


@dataclass(frozen=True, kw_only=True)
class VocabularyRequest:
    """A vocabulary as a person asks for it."""

    corpus: tuple[str, ...]
    """Files, folders or hub:NAME."""
    out: Path
    """Folder to write."""
    size: int
    """Pieces, specials included."""
    kind: str | None = None
    """wordpiece, bpe or unigram; None: wordpiece, or that of `model`."""
    model: str | None = None
    """A model of whose pieces the most used are kept, instead of learning new ones."""
    words: Path | None = None
    """File with a word a line; each becomes a whole piece."""
    keep_case: bool | None = None
    """Tell capitals from small letters; None: in bpe and unigram."""
    text_column: str | None = None
    """Column that holds the text."""
    encoding: str | None = None
    """Encoding of the files, where it is not recognised."""
    overwrite: bool = False
    """Replace the tokenizer in `out`."""


def train_tokenizer(
    corpus: str | Path | Sequence[str | Path], *, out: str | Path, size: int, say: Say | None = None, **options: Any
) -> Vocabulary:
    """Learns a vocabulary from raw text, or keeps what it uses of a model's, and writes it to `out`.

    `options` are the other fields of `VocabularyRequest`.

    Raises:
        BertieError: with what was found, where, what was expected and what to do.
    """
    check_options("train_tokenizer", options, VocabularyRequest)
    names = [corpus] if isinstance(corpus, str | Path) else corpus
    if options.get("words") is not None:
        options["words"] = Path(options["words"])
    request = VocabularyRequest(corpus=tuple(map(str, names)), out=Path(out), size=size, **options)
    return run_vocabulary(request, say or tell)


def run_vocabulary(request: VocabularyRequest, say: Say) -> Vocabulary:
    """Makes the vocabulary, measures it and writes it, whole or not at all."""
    make = _maker(request, say)
    _free(request.out, request.overwrite)
    sources = open_sources(request.corpus, request.text_column, request.encoding)
    for source in sources:
        say(source.note)
    tokenizer = make(_texts(sources))
    characters_per_piece, unknown = measured(tokenizer, _texts(sources))
    with new_folder(request.out, len(str(tokenizer.spec)) * 4) as making:
        save_vocabulary(tokenizer, making)
    return Vocabulary(
        folder=str(request.out),
        kind=tokenizer.spec["model"]["type"].lower(),
        pieces=tokenizer.vocab_size,
        characters_per_piece=round(characters_per_piece, 4),
        unknown=round(unknown, 6),
        fingerprint=tokenizer.fingerprint,
    )


def _maker(request: VocabularyRequest, say: Say) -> Callable[[Iterator[str]], Tokenizer]:
    """What makes a tokenizer of texts. All that the request names beside them is read and checked here."""
    if request.model is not None:
        if request.kind or request.words or request.keep_case is not None:
            raise UsageError("--type, --words and --keep-case are for new pieces; leave them out, or --model")
        old = Tokenizer.from_folder(resolve(request.model).folder)
        return lambda texts: fewer_pieces(old, texts, request.size)
    words = read_words(request.words) if request.words else ()
    lower = None if request.keep_case is None else not request.keep_case
    options = VocabularyOptions(size=request.size, kind=request.kind or "wordpiece", lower=lower, words=words)
    return lambda texts: train_vocabulary(texts, options, say)


def measured(tokenizer: Tokenizer, texts: Iterator[str]) -> tuple[float, float]:
    """Characters a piece (spaces count), and the part of pieces that is unknown."""
    characters = pieces = unknown = 0
    for text in texts:
        encoded = tokenizer.encode(text, max_length=1 << 40)
        inside = [piece for piece, part in zip(encoded.ids, encoded.sequence, strict=True) if part is not None]
        characters, pieces = characters + len(text), pieces + len(inside)
        unknown += inside.count(tokenizer.unk_id)
        if characters >= MEASURED:
            break
    return characters / max(1, pieces), unknown / max(1, pieces)


def read_words(path: Path) -> tuple[str, ...]:
    """A word a line; empty lines and repeated words count once. DataError names lines that are no words."""
    words = lines_of(path, "name a file with a word a line")
    problems = [
        f"{path}:{number}: {len(word)} characters with {word[:20]!r} first, expected a word of at most {_WORD_LIMIT}"
        for number, word in enumerate(words, start=1)
        if len(word) > _WORD_LIMIT or "\0" in word
    ]
    if problems:
        raise DataError(problems)
    found = tuple(dict.fromkeys(word for word in words if word))
    if not found:
        raise DataError(f"{path}:1: found no words, expected one on each line; add some or leave --words out")
    return found


def _texts(sources: Sequence[Source]) -> Iterator[str]:
    counts: Counter[str] = Counter()
    for source in sources:
        for _, text in source.read():
            if made := clean(text, counts):
                yield made


def _free(folder: Path, overwrite: bool) -> None:
    """UsageError unless a tokenizer may be written there: a new or empty folder, or a tokenizer to replace."""
    stay_outside(folder)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is a file, expected a folder; choose another name with --out")
    found = sorted(path.name for path in folder.glob("*"))
    if not found:
        return
    strange = [name for name in found if name not in FILES]
    if strange:
        raise UsageError(
            f"{folder}: holds {', '.join(strange[:5])} and is no tokenizer; choose another folder with --out"
        )
    if not overwrite:
        raise UsageError(
            f"{folder}: holds a tokenizer; choose another folder with --out, or replace it with --overwrite"
        )
