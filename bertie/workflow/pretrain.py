"""Pre-training, from a request to a bundle: raw text to an encoder.

    1 vocabulary  2 corpus, tokenised once  3 encoder  4 objectives  5 rounds of passages  6 train  7 judge, publish

In:  PretrainRequest
Out: a bundle in a folder, and its evaluation
Knows nothing of the command line.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from bertie.bundle.checksums import RUN_FOLDER
from bertie.bundle.folder import Model
from bertie.core.config import from_dict
from bertie.core.errors import DataError, UsageError
from bertie.core.runtime import autocast, choose_device, choose_dtype, seed_everything
from bertie.data.batches import pack
from bertie.data.catalogue import resolve
from bertie.data.corpus import Corpus, CorpusOptions, prepare_corpus
from bertie.data.passages import FEWEST, Arrangement, Curriculum, Pace, Passages, readable
from bertie.data.rows import Rows
from bertie.evaluation.judge import Judgement, judge, to_json
from bertie.nn import checkpoint
from bertie.nn.encoder import Encoder
from bertie.objectives.pretraining import OBJECTIVES, Pretraining, PretrainingSettings, read_objectives
from bertie.predict import ROWS_PER_BATCH, TOKENS_PER_BATCH, Predictor, load
from bertie.tasks.base import Answer
from bertie.text.learned_pieces import FewPieces
from bertie.text.tokenizer import Tokenizer
from bertie.training.decisions import same_run
from bertie.training.estimate import estimate_seconds
from bertie.training.hooks import reporters
from bertie.training.loop import fit
from bertie.training.model import TrainingModel
from bertie.training.run import RunFolder
from bertie.training.settings import Training
from bertie.training.state import Evaluation
from bertie.workflow.claim import claim_folder, claim_run
from bertie.workflow.preparation import Notes
from bertie.workflow.pretrain_publication import Outcome, publish
from bertie.workflow.pretrain_request import PretrainRecipe, PretrainRequest, shape
from bertie.workflow.probe import Probe, usual_probe
from bertie.workflow.train import TrainResult
from bertie.workflow.vocabulary import VocabularyRequest, read_words, run_vocabulary

TOKENIZER = "tokenizer"
"""Folder of the vocabulary that is learned here, in that of the run."""
ROUND_TOKENS = 1_000_000
"""Tokens of a round at most; a model is judged after each."""
FEWEST_ROUNDS = 10
"""Rounds of a training that takes its whole time, so that its curve can be seen."""
SPARE = 1.1
"""Rounds are planned for so much more than the time, as the first steps that tell how long one takes are slow."""
JUDGED_TOKENS = 60_000
"""Held-out tokens by which a model is judged in between: some seconds."""
RATES = {128: 2e-3, 256: 1e-3, 512: 7e-4, 768: 4e-4}
"""Highest learning rate from random weights, by width."""
CONTINUED_RATE = 1e-4
"""Highest learning rate of an encoder that has learned already."""
RESERVE = 15.0
"""Seconds kept for judging at the end and for writing the bundle."""


@dataclass(frozen=True)
class Ready:
    """What training starts from."""

    encoder: Encoder
    tokenizer: Tokenizer
    task: Pretraining
    corpus: Corpus
    recipe: PretrainRecipe
    origin: str

    @property
    def how(self) -> Arrangement:
        """How its passages are made."""
        return self.task.arrangement(self.tokenizer, min(self.recipe.max_length, self.encoder.config.max_length))

    def held_out(self, tokens: int | None = None) -> Passages:
        """Passages of the held-out documents, every place shown as the mask; at most so many tokens, evenly spread."""
        shards, seed = self.corpus.held_out, self.recipe.training.seed
        chosen = np.arange(len(shards))
        if tokens is not None and shards.tokens > tokens:
            chosen = chosen[:: math.ceil(shards.tokens / tokens)]
        return Passages(shards, chosen.tolist(), replace(self.how, judging=True, unit="token"), (seed, 9))


def run_pretraining(request: PretrainRequest, say: Callable[[str], None]) -> TrainResult:
    """Pre-trains and leaves a bundle in the request's folder. Stopped by a signal, it saves and `resume` goes on."""
    began = time.monotonic()
    folder, recipe, notes = request.folder, request.settings(), Notes(say)
    run = RunFolder(folder / RUN_FOLDER)
    claim_folder(request, run)
    with run:
        claim_run(request, run)
        if not request.resume:
            run.clear()
            shutil.rmtree(run.path / TOKENIZER, ignore_errors=True)
        seed_everything(recipe.training.seed)
        check(request, recipe)
        ready = prepare(request, recipe, run, notes)
        same_terms(ready, request, run)
        model = TrainingModel(ready.encoder, ready.task, whole_vocabulary=True)
        training, rounds = plan(ready, model, request, run, began)
        ready = replace(ready, recipe=replace(recipe, training=training))
        probe = usual_probe(ready.tokenizer, notes.say)
        notes.say(
            f"training: {training.epochs} rounds of about {ready.corpus.train.tokens // rounds.pace.a_pass:,} tokens, "
            f"{training.seconds or 0:.0f} s at most"
        )
        evaluate = evaluation(ready, model, probe)
        fitted = fit(model, rounds, training, run, evaluate, reporters(training, run))
        for warning in fitted.warnings:
            notes.say(warning)
        notes.say(f"trained {fitted.rows:,} passages in {fitted.steps} steps and {fitted.seconds:.0f} s ({fitted.end})")
        parts = Model(ready.encoder, ready.task, ready.tokenizer, ready.how.length, origin=ready.origin)
        predictor = Predictor(parts, folder.name)
        rows, judgement = judged(predictor, ready)
        result = to_json(judgement, time.monotonic() - began)
        outcome = Outcome(judgement, result, fitted.best_step, notes.lines, rows)
        publish(predictor, ready.corpus, ready.recipe, outcome, run, folder)
        predictor = load(folder)
    return TrainResult(folder, result, predictor)


def check(request: PretrainRequest, recipe: PretrainRecipe) -> None:
    """UsageError or ConfigError for what is wrong whatever the corpus holds: reading that may take hours."""
    if not any(OBJECTIVES.get(name).answers for name in read_objectives(request.objective)):
        # It is judged by its guesses in the end.
        raise UsageError(f"--objective {request.objective}: guesses no pieces; add masked_lm or causal_lm")
    from_dict(PretrainingSettings, recipe.task, "task")
    if request.model is None:
        shape(request.preset, recipe.vocabulary, 0, recipe.dropout)


def prepare(request: PretrainRequest, recipe: PretrainRecipe, run: RunFolder, notes: Notes) -> Ready:
    """Vocabulary, corpus, encoder and objectives."""
    words = read_words(request.words) if request.words else ()
    folder = run.path / TOKENIZER
    loaded = None
    if request.model is not None:
        source = resolve(request.model)
        loaded, tokenizer, origin = checkpoint.load(source.folder), Tokenizer.from_folder(source.folder), source.name
    elif request.tokenizer is not None:
        tokenizer, origin = Tokenizer.from_folder(request.tokenizer), f"random weights, {request.preset}"
    else:
        origin = f"random weights, {request.preset}"
        if not (folder / "tokenizer.json").exists():
            learn_vocabulary(request, recipe.vocabulary, folder, notes.say)
        tokenizer = Tokenizer.from_folder(folder)
    options = CorpusOptions(
        held_out=recipe.held_out,
        seed=recipe.training.seed,
        text_column=request.text_column,
        encoding=request.encoding,
        user_words=words,
    )
    # What a run that was killed has tokenised is of use to the next one; what does not fit is made anew.
    corpus = prepare_corpus(
        request.corpus, tokenizer, run.path / "corpus", options, notes.say, overwrite=not request.resume
    )
    for note in corpus.notes:
        notes.say(note)
    notes.say(
        f"corpus: {len(corpus.train):,} documents with {corpus.train.tokens:,} tokens to learn from, "
        f"{len(corpus.held_out):,} with {corpus.held_out.tokens:,} held out"
    )
    for name, part in (("to learn from", corpus.train), ("held out", corpus.held_out)):
        if not len(readable(part)):
            raise DataError(
                f"{request.corpus[0]}: of the {len(part)} documents {name} none has {FEWEST} pieces, expected longer "
                "ones; give more text, put paragraphs that belong together without an empty line, or hold out another "
                "part with --set held_out=0.1"
            )
    if loaded is None:
        encoder = Encoder(shape(request.preset, tokenizer.vocab_size, tokenizer.pad_id, recipe.dropout))
    else:
        encoder = loaded.encoder.train()
        encoder.set_dropout(recipe.dropout)
    device = choose_device(recipe.training.device)
    encoder.to(device)
    task = Pretraining.of(request.objective, encoder, tokenizer, recipe.task)
    task.build_head(encoder.config.hidden_size)
    if loaded is not None:
        task.take_heads(loaded.heads)
    task.know(corpus.unigrams)
    task.to(device)
    return Ready(encoder, tokenizer, task, corpus, recipe, origin)


def same_terms(ready: Ready, request: PretrainRequest, run: RunFolder) -> None:
    """UsageError where a resumed run would be another one; the text and the settings have checks of their own."""
    task = ready.task.description()
    now = {"start": request.model or request.preset, "objectives": task["objectives"], "task": task["settings"]}
    now |= {"max_length": ready.recipe.max_length, "short": [ready.recipe.short_length, ready.recipe.short_share]}
    before = run.read("choice")
    if before is None:
        run.write("choice", now)
    else:
        same_run(run, before, now)


def learn_vocabulary(request: PretrainRequest, size: int, folder: Path, say: Callable[[str], None]) -> None:
    """A vocabulary of the corpus in `folder`, of as many pieces as it gives where that is fewer."""
    asked = VocabularyRequest(
        corpus=request.corpus,
        out=folder,
        size=size,
        words=request.words,
        text_column=request.text_column,
        encoding=request.encoding,
    )
    try:
        made = run_vocabulary(asked, say)
    except FewPieces as few:
        made = run_vocabulary(replace(asked, size=few.found), say)
    say(f"vocabulary: {made.pieces:,} pieces of the corpus; --tokenizer takes another")


def plan(
    ready: Ready, model: TrainingModel, request: PretrainRequest, run: RunFolder, began: float
) -> tuple[Training, Curriculum]:
    """The settings with rate, time and rounds, decided once and kept for a resume; and the rounds themselves."""
    training, config = ready.recipe.training, ready.encoder.config
    rate = training.optimizer.rate or (CONTINUED_RATE if request.model else _rate(config.hidden_size))
    training = replace(training, optimizer=replace(training.optimizer, rate=rate))
    decided = run.read("plan")
    if decided is None:
        seconds = training.seconds or max(request.seconds - (time.monotonic() - began) - RESERVE, 1.0)
        decided = {"seconds": seconds, **rounds_for(ready, model, training, seconds)}
        run.write("plan", decided)
    training = replace(training, epochs=decided["rounds"], seconds=decided["seconds"])
    return training, curriculum(ready, decided["rounds"], decided["a_pass"])


def rounds_for(ready: Ready, model: TrainingModel, training: Training, seconds: float) -> dict[str, int]:
    """How many rounds there are, and how many of them are one pass over the corpus."""
    documents = len(readable(ready.corpus.train))
    a_pass = min(max(1, math.ceil(ready.corpus.train.tokens / ROUND_TOKENS)), documents)  # no round is empty
    if training.epochs:
        return {"rounds": training.epochs, "a_pass": a_pass}
    first = curriculum(ready, 1, a_pass).at(0)
    fitting = seconds / max(estimate_seconds(model, first, replace(training, epochs=1)).per_epoch, 1e-3)
    if fitting < FEWEST_ROUNDS:
        a_pass = min(math.ceil(a_pass * FEWEST_ROUNDS / max(fitting, 0.05)), max(1, documents // 8))
        fitting = FEWEST_ROUNDS
    return {"rounds": math.ceil(SPARE * fitting), "a_pass": a_pass}


def curriculum(ready: Ready, rounds: int, a_pass: int) -> Curriculum:
    """The rounds of this training."""
    recipe = ready.recipe
    pace = Pace(rounds=rounds, a_pass=a_pass, short=(recipe.short_length, recipe.short_share))
    return Curriculum(ready.corpus.train, ready.how, recipe.training.seed, pace, ready.corpus.fingerprint)


def _rate(width: int) -> float:
    """That of the nearest width in the table."""
    return RATES[min(RATES, key=lambda known: abs(known - width))]


def evaluation(ready: Ready, model: TrainingModel, probe: Probe | None) -> Callable[[], Evaluation]:
    """What the loop calls to judge the model as it is: losses on held-out passages, and the probe."""
    passages = ready.held_out(JUDGED_TOKENS)
    device = next(ready.encoder.parameters()).device
    dtype, _ = choose_dtype(device, ready.recipe.training.dtype)
    batches = pack(range(len(passages)), passages.costs, ROWS_PER_BATCH, TOKENS_PER_BATCH)

    def evaluate() -> Evaluation:
        nats: dict[str, list[torch.Tensor]] = {}
        right: dict[str, list[torch.Tensor]] = {}
        for indices in batches:
            batch = model.collate([passages[i] for i in indices]).to(device)
            with autocast(device, dtype):
                found = ready.task.outcomes(ready.task(ready.encoder, batch))
            for name, outcome in found.items():
                nats.setdefault(name, []).append(outcome.nats)
                right.setdefault(name, []).append(outcome.right)
        losses = {name: float(torch.cat(parts).mean()) for name, parts in nats.items()}
        metrics = {f"{name}_loss": loss for name, loss in losses.items()}
        metrics |= {f"{name}_accuracy": float(torch.cat(parts).float().mean()) for name, parts in right.items()}
        if ready.task.asking is not None:
            metrics["perplexity"] = math.exp(min(losses[ready.task.asking], 700.0))
        if probe is not None:
            metrics["probe_accuracy"] = probe.score(ready.encoder, dtype)
        return Evaluation(-sum(ready.task.weights[name] * loss for name, loss in losses.items()), metrics)

    return evaluate


def judged(predictor: Predictor, ready: Ready) -> tuple[Rows, Judgement]:
    """The model on all held-out passages; beside it the shares of single pieces in the training text."""
    passages = ready.held_out()
    answers = predictor.answers(passages)
    rows = ready.task.rows_of(passages, ready.tokenizer)
    floor = [unigram_answer(answer) for answer in answers]
    return rows, judge(ready.task, rows, answers, [("unigrams", floor)])


def unigram_answer(answer: Answer) -> Answer:
    """What somebody says who knows only how often each piece is written."""
    loss = answer["unigram"]
    return {
        **answer,
        "loss": loss,
        "perplexity": math.exp(min(loss, 700.0)),
        "right": answer["unigram_right"],
    }
