"""What a pre-training starts from: vocabulary, corpus, encoder and objectives.

In:  PretrainRequest, its recipe and run folder
Out: Ready
Knows nothing of the loop, of rounds or of how a model is judged.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from bertie.core.errors import UsageError
from bertie.core.runtime import choose_device
from bertie.data.catalogue import resolve
from bertie.data.cooccurrence import cooccurrence_vectors
from bertie.data.corpus import Corpus, CorpusOptions, prepare_corpus
from bertie.data.corpus_reader import open_sources
from bertie.data.passages import Arrangement, Passages
from bertie.nn import checkpoint
from bertie.nn.checkpoint import LoadedEncoder
from bertie.nn.encoder import Encoder
from bertie.nn.fewer_layers import with_layers
from bertie.nn.first_attention import start_attention
from bertie.nn.first_words import start_words
from bertie.nn.new_vocabulary import with_vocabulary
from bertie.objectives.pretraining import JUDGED_RATE, Pretraining
from bertie.text.learned_pieces import FewPieces
from bertie.text.shared_pieces import shared_pieces
from bertie.text.tokenizer import Tokenizer
from bertie.training.run import RunFolder
from bertie.workflow.preparation import Notes
from bertie.workflow.pretrain_general import apart, read_general, refuse_unreadable
from bertie.workflow.pretrain_request import PretrainRecipe, PretrainRequest, shape
from bertie.workflow.probe import in_chinese
from bertie.workflow.vocabulary import VocabularyRequest, read_words, run_vocabulary

JUDGED_TOKENS = 60_000
"""Held-out tokens by which a model is judged, about: some seconds, however much is held out."""
FIRST_TASK: dict[str, Any] = {"rate": 0.3, "unit": "mixed"}
"""What is hidden from an encoder that starts from nothing, where the recipe leaves it open: twice as much as from one
that goes on, and of half of the texts single pieces, whose neighbours say most of them."""
TOKENIZER = "tokenizer"
"""Folder of the vocabulary that is learned here, in that of the run."""


@dataclass(frozen=True)
class Ready:
    """What training starts from."""

    encoder: Encoder
    tokenizer: Tokenizer
    task: Pretraining
    corpus: Corpus
    recipe: PretrainRecipe
    origin: str
    chinese: bool
    """Whether the corpus is written in Chinese, which decides in what language texts stand that are not asked for."""
    general: Corpus | None = None
    """Text of no field in particular, for an encoder that goes on."""
    headless: bool = False
    """Whether the encoder came without the output layer that guesses pieces."""

    @property
    def how(self) -> Arrangement:
        """How its passages are made."""
        return self.task.arrangement(self.tokenizer, min(self.recipe.max_length, self.encoder.config.max_length))

    def held_out(self) -> Passages:
        """Passages by which the model is judged, in between and at the end."""
        return self.judging(self.corpus, JUDGED_TOKENS)

    def judging(self, corpus: Corpus, tokens: int) -> Passages:
        """Passages of a corpus' held-out documents, every place shown as the mask: all, or about so many tokens, evenly
        spread."""
        shards, seed = corpus.held_out, self.recipe.training.seed
        # Of passages and not of documents some are left out: one document may be as long as all others together.
        every = max(1, math.ceil(shards.tokens / tokens))
        how = replace(self.how, judging=True, unit="token", rate=min(self.how.rate, JUDGED_RATE))
        return Passages(shards, range(len(shards)), how, (seed, 9), every)


def find(request: PretrainRequest) -> None:
    """Looks whether everything that the request names is there, before an earlier run makes room for this one.

    Raises:
        DataError: a text is not there, or is none.
        ModelError: a model or a tokenizer is not there.
    """
    open_sources(request.corpus, request.text_column, request.encoding)
    if request.general:
        open_sources(request.general, request.text_column, None)
    if request.words is not None:
        read_words(request.words)
    for name in (request.model, request.teacher):
        if name is not None:
            resolve(name)
    if request.tokenizer is not None:
        Tokenizer.from_folder(request.tokenizer)


def prepare(request: PretrainRequest, recipe: PretrainRecipe, run: RunFolder, notes: Notes) -> Ready:
    """Vocabulary, corpus, encoder and objectives."""
    loaded, tokenizer, origin = first_weights(request, recipe, run.path / TOKENIZER, notes.say)
    longest = min(recipe.max_length, loaded.encoder.config.max_length if loaded else recipe.max_length)
    teacher = None if request.teacher is None else read_teacher(request.teacher, tokenizer, longest)
    general = read_general(request, recipe, tokenizer, run, notes.say) if loaded and request.general else None
    corpus = read_corpus(request, recipe, tokenizer, run, notes.say)
    chinese = in_chinese(tokenizer, corpus.held_out)
    if loaded and general is None and (recipe.replay or not recipe.layers):
        general = read_general(request, recipe, tokenizer, run, notes.say, chinese=chinese)
    general = general and apart(general, corpus, notes.say)
    if loaded is None:
        encoder = Encoder(shape(request.preset, tokenizer.vocab_size, tokenizer.pad_id, recipe.dropout))
    else:
        encoder = loaded.encoder.train()
        encoder.set_dropout(recipe.dropout)
    device = choose_device(recipe.training.device)
    encoder.to(device)
    settings = recipe.task if loaded else FIRST_TASK | recipe.task
    task = Pretraining.of(request.objective, encoder, tokenizer, settings)
    if teacher is not None:
        task.learn_from(teacher.to(device))
    task.build_head(encoder.config.hidden_size)
    headless = loaded is not None and task.asking not in task.take_heads(loaded.heads)
    task.know(corpus.unigrams)
    if loaded is None or (headless and recipe.layers):
        task.start_from_shares()
    if loaded is None:
        if recipe.word_vectors == "cooccurrence":
            start_from_cooccurrences(encoder, corpus, recipe.training.seed)
        if recipe.attention == "neighbours":
            start_attention(encoder, recipe.training.seed)
    task.to(device)
    return Ready(encoder, tokenizer, task, corpus, recipe, origin, chinese, general, headless)


def start_from_cooccurrences(encoder: Encoder, corpus: Corpus, seed: int) -> None:
    """Words begin with which pieces stand together in the corpus."""
    table = encoder.embeddings.word_embeddings
    vectors = cooccurrence_vectors(corpus.train, table.num_embeddings, table.embedding_dim, seed)
    start_words(encoder, torch.from_numpy(vectors))


def first_weights(
    request: PretrainRequest, recipe: PretrainRecipe, folder: Path, say: Callable[[str], None]
) -> tuple[LoadedEncoder | None, Tokenizer, str]:
    """The encoder to go on with, if any, the tokenizer, and what to call them; a vocabulary is learned in `folder`."""
    if request.model is None:
        return None, new_tokenizer(request, recipe.vocabulary, folder, say), f"random weights, {request.preset}"
    source = resolve(request.model)
    loaded, tokenizer, origin = checkpoint.load(source.folder), Tokenizer.from_folder(source.folder), source.name
    checkpoint.refuse_pieces(loaded.encoder, tokenizer.vocab_size, source.folder)
    if recipe.layers:
        loaded = replace(loaded, encoder=with_layers(loaded.encoder, recipe.layers))
        origin += f", {recipe.layers} of its layers"
    if not request.renews_vocabulary:
        return loaded, tokenizer, origin
    new = new_tokenizer(request, request.new_vocabulary or 0, folder, say)
    shared = shared_pieces(new, tokenizer)
    say(
        f"word vectors for {len(shared.parts):,} new pieces: {shared.copied:,} copied from the model's own, "
        f"{shared.composed:,} composed of several, {shared.drawn:,} drawn at random"
    )
    return with_vocabulary(loaded, shared.parts, new.pad_id), new, f"{origin}, a new vocabulary"


def new_tokenizer(request: PretrainRequest, size: int, folder: Path, say: Callable[[str], None]) -> Tokenizer:
    """The tokenizer that was asked for, else one of `size` pieces that is learned on the corpus, in `folder`."""
    if request.teacher is not None and request.tokenizer is None and request.model is None:
        return Tokenizer.from_folder(resolve(request.teacher).folder)
    if request.tokenizer is None and not (folder / "tokenizer.json").exists():
        learn_vocabulary(request, size, folder, say)
    return Tokenizer.from_folder(request.tokenizer or folder)


def read_teacher(name: str, tokenizer: Tokenizer, length: int) -> Encoder:
    """An encoder to learn from, which reads the student's pieces; UsageError where it cannot read the passages."""
    source = resolve(name)
    loaded, its_own = checkpoint.load(source.folder), Tokenizer.from_folder(source.folder)
    checkpoint.refuse_pieces(loaded.encoder, its_own.vocab_size, source.folder)
    known, asked = its_own.pieces, tokenizer.pieces
    if strange := sorted(asked.keys() - known.keys()):
        raise UsageError(
            f"--teacher {name}: of the student's {tokenizer.vocab_size:,} pieces it does not know {len(strange):,}, "
            f"such as {strange[0]!r}; teacher and student must read the same pieces: start from a --model with this "
            f"vocabulary, or give --tokenizer {source.folder}, or a part of it (bertie tokenizer --model {name})"
        )
    teacher = loaded.encoder
    if known != asked:
        parts: list[list[int]] = [[] for _ in range(tokenizer.vocab_size)]
        for piece, number in asked.items():
            parts[number] = [known[piece]]
        teacher = with_vocabulary(loaded, parts, tokenizer.pad_id).encoder
    if teacher.config.positions == "absolute" and teacher.config.max_length < length:
        raise UsageError(
            f"--teacher {name}: it reads {teacher.config.max_length} tokens, a passage has up to {length}; "
            f"take --set max_length={teacher.config.max_length}"
        )
    return teacher


def read_corpus(
    request: PretrainRequest,
    recipe: PretrainRecipe,
    tokenizer: Tokenizer,
    run: RunFolder,
    say: Callable[[str], None],
) -> Corpus:
    """The corpus in pieces of the tokenizer; DataError where no document of a part is long enough."""
    options = CorpusOptions(
        held_out=recipe.held_out,
        seed=recipe.training.seed,
        text_column=request.text_column,
        encoding=request.encoding,
        user_words=read_words(request.words) if request.words else (),
    )
    # What a run that was killed has tokenised is of use to the next one; what does not fit is made anew.
    corpus = prepare_corpus(request.corpus, tokenizer, run.path / "corpus", options, say, overwrite=not request.resume)
    for note in corpus.notes:
        say(note)
    say(
        f"corpus: {len(corpus.train):,} documents with {corpus.train.tokens:,} tokens to learn from, "
        f"{len(corpus.held_out):,} with {corpus.held_out.tokens:,} held out"
        + (f", about {JUDGED_TOKENS:,} of them to judge by" if corpus.held_out.tokens > JUDGED_TOKENS else "")
    )
    refuse_unreadable(corpus, request.corpus[0], ", or hold out another part with --set held_out=0.1")
    return corpus


def learn_vocabulary(request: PretrainRequest, size: int, folder: Path, say: Callable[[str], None]) -> None:
    """A vocabulary of the corpus in `folder`, of as many pieces as it gives where that is fewer.

    The person's words are hidden as a whole and are no pieces for that: most of a dictionary the text may never have.
    """
    asked = VocabularyRequest(
        corpus=request.corpus,
        out=folder,
        size=size,
        text_column=request.text_column,
        encoding=request.encoding,
    )
    try:
        made = run_vocabulary(asked, say)
    except FewPieces as few:
        made = run_vocabulary(replace(asked, size=few.found), say)
    say(f"vocabulary: {made.pieces:,} pieces of the corpus; --tokenizer takes another")
