"""Contrastive learning from few examples (Tunstall et al. 2022, SetFit): pairs tune the encoder, then a linear head.

    rows --pairs--> encoder brings texts of a class together --features--> linear head on the tuned encoder

In:  Few: rows, descriptions of their labels, an encoder
Out: an ordinary classification model
Knows nothing of files, or of how a model is judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, overload

import numpy as np
import torch
from torch import Tensor

from bertie.data.batches import Batch, Example
from bertie.data.descriptions import says_something
from bertie.data.label_pairs import LabelPairs
from bertie.evaluation.features import pooled_features
from bertie.evaluation.linear import Floats
from bertie.evaluation.probe import LinearProbe
from bertie.learning.belief import Belief, Head, Seen, believe
from bertie.learning.few import Few
from bertie.learning.request import Contrast
from bertie.learning.settings import fill
from bertie.learning.zero_shot import described_head
from bertie.nn.encoder import Encoder
from bertie.nn.losses import cosine_targets, supervised_contrastive
from bertie.tasks.embedding import Embedding, EmbeddingExample, EmbeddingSettings
from bertie.text.tokenizer import Encoded
from bertie.training.hooks import reporters
from bertie.training.loop import fit
from bertie.training.model import StepLoss, TrainingModel, Wrapper
from bertie.training.run import RunFolder
from bertie.training.state import Evaluation
from bertie.training.tuning import Tuner, penalised, share
from bertie.workflow.preparation import Notes

PAIRS_A_ROW = 20
COMPUTE = 1e13
"""Floating point operations of the tuning at most, where the number of pairs is left open: a minute or two of two
cores."""
FEWEST_PAIRS = 64
PAIRS_A_BATCH = 8
RATE = 4e-5


@dataclass(frozen=True)
class PairExample(EmbeddingExample):
    """Two texts; the target is 1 where they are of one class, else 0."""

    rows: tuple[int, int] = (0, 0)
    """Which texts they are."""
    classes: tuple[int, int] = (0, 0)


class PairExamples(Sequence[Example]):
    """The pairs as the encoder sees them, each made when it is asked for."""

    def __init__(self, texts: Sequence[Encoded], classes: Sequence[int], pairs: LabelPairs) -> None:
        self._texts, self._classes, self._pairs = texts, classes, pairs

    def __len__(self) -> int:
        return len(self._pairs)

    @overload
    def __getitem__(self, index: int) -> Example: ...
    @overload
    def __getitem__(self, index: slice) -> list[Example]: ...
    def __getitem__(self, index: int | slice) -> Example | list[Example]:
        if isinstance(index, slice):
            return [self[k] for k in range(len(self))[index]]
        one, other, same = self._pairs[index]
        return PairExample(
            (self._texts[one], self._texts[other]),
            float(same),
            windows=(1, 1),
            second="vector_b",
            rows=(one, other),
            classes=(self._classes[one], self._classes[other]),
        )


@dataclass(frozen=True)
class Compared:
    """A step's loss over the vectors of a batch of pairs, in place of the task's own."""

    task: Embedding
    loss: Literal["supervised", "cosine"]
    temperature: float

    def __call__(self, encoder: Encoder, batch: Batch) -> Tensor:
        """One number, the mean over texts or pairs."""
        vectors = self.task.forward(encoder, batch)  # (2R, D)
        if self.loss == "cosine":
            assert batch.targets is not None, "a pair says whether it is of one class"
            return cosine_targets((vectors[0::2] * vectors[1::2]).sum(dim=-1), batch.targets)
        pairs = [example for example in batch.examples if isinstance(example, PairExample)]
        classes = torch.tensor([one for pair in pairs for one in pair.classes], device=vectors.device)  # (2R,)
        rows = torch.tensor([one for pair in pairs for one in pair.rows], device=vectors.device)  # (2R,)
        return supervised_contrastive(vectors, classes, rows, self.temperature)


@dataclass(frozen=True)
class Known:
    """Everything that is learned from, encoded: the rows, then the descriptions."""

    texts: list[Encoded]
    labels: list[str]
    classes: list[int]
    rows: int
    """How many of them are rows; the rest are descriptions."""

    @property
    def described(self) -> bool:
        """Whether there are descriptions."""
        return len(self.texts) > self.rows

    @classmethod
    def of(cls, few: Few, length: int) -> Known:
        """Descriptions are examples too where the settings want it, they say something, and a row is one text."""
        task, rows = few.task, [dict(row) for row in few.prepared.splits.train]
        if few.recipe.contrast.describe and not task.pair and says_something(few.descriptions):
            rows += [{"text": text, "label": label} for label, texts in few.descriptions.items() for text in texts]
        whole = replace(task.settings, long_texts="cut")
        columns = [[row[column] for row in rows] for column in task.columns]
        found = whole.sequences(few.prepared.start.tokenizer, columns[0], columns[1] if task.pair else None, length)
        labels = [row["label"] for row in rows]
        return cls(
            [one for (one,) in found], labels, [task.index[label] for label in labels], len(few.prepared.splits.train)
        )


def learn_by_contrast(few: Few, run: RunFolder, notes: Notes) -> Few:
    """Tunes the encoder by pairs, in place, and gives the head the linear solution on what it then sees."""
    prepared, options = few.prepared, few.recipe.contrast
    encoder, method = prepared.start.encoder, prepared.method
    known = Known.of(few, min(options.length, prepared.recipe.max_length))
    belief = first_belief(few, known) if known.described else None
    training = fill(prepared, epochs=1, rows=PAIRS_A_BATCH, rate=RATE)
    pairs = LabelPairs(known.classes, pair_count(options, known, encoder, training.epochs), training.seed)
    method.apply(encoder)
    notes.say(share(method, encoder, prepared.task))
    judging = EmbeddingSettings(temperature=options.temperature)
    contrast = Embedding(prefix="", settings=judging)
    contrast.build_head(encoder.config.hidden_size)
    model = TrainingModel(encoder, contrast, [*wrappers(contrast, options), penalised(method)])
    hooks = [Tuner(method, encoder), *reporters(training, run)]
    fitted = fit(
        model, PairExamples(known.texts, known.classes, pairs), training, run, lambda: nearest_mean(few, known), hooks
    )
    method.settle(encoder)
    for warning in fitted.warnings:
        notes.say(warning)
    notes.say(
        f"tuned by {len(pairs)} pairs of {len(known.texts)} texts ({len(known.texts) - known.rows} of them "
        f"descriptions of labels), {fitted.steps} steps in {fitted.seconds:.0f} s"
    )
    if belief is not None:
        notes.say(
            f"descriptions have {belief.share:.0%} of the say beside the rows, by what they told of the rows before "
            "the tuning; --set contrast.describe=false leaves them out"
        )
    head = tuned_head(few, known, belief)
    few.task.start_from(head.weight, head.bias)
    return replace(
        few, steps=fitted.steps, prepared=replace(prepared, recipe=replace(prepared.recipe, training=training))
    )


def first_belief(few: Few, known: Known) -> Belief:
    """How far descriptions are believed, by an encoder that nobody has tuned."""
    seen = Seen.of(_features(few, known)[: known.rows], known.labels[: known.rows], few.task.labels)
    return believe(seen, described_head(few))


def tuned_head(few: Few, known: Known, belief: Belief | None) -> Head:
    """The linear solution on what the tuned encoder sees, with the descriptions as far as they are believed."""
    features, names = _features(few, known), few.task.labels
    learned = Head(*LinearProbe.fit(features, known.labels, names).linear())
    if belief is None:
        return learned
    seen = Seen.of(features[: known.rows], known.labels[: known.rows], names)
    return belief.mixed(learned, described_head(few), seen)


def pair_count(options: Contrast, known: Known, encoder: Encoder, passes: int) -> int:
    """Pairs of a pass: so many for each row, fewer where that takes long, or what was asked for."""
    if options.pairs:
        return options.pairs
    weights = sum(parameter.numel() for parameter in encoder.layers.parameters())
    tokens = 2 * float(np.mean([len(text) for text in known.texts]))
    affordable = int(COMPUTE / (6.0 * weights * tokens * passes))  # Kaplan et al. 2020, table 1
    return max(min(PAIRS_A_ROW * len(known.texts), affordable), FEWEST_PAIRS)


def wrappers(task: Embedding, options: Contrast) -> list[Wrapper]:
    """The loss that was asked for; `order` is what the task does itself."""
    if options.loss == "order":
        return []
    compared = Compared(task, options.loss, options.temperature)

    def instead(own: StepLoss) -> StepLoss:
        return compared

    return [instead]


def nearest_mean(few: Few, known: Known) -> Evaluation:
    """Share of the texts that are nearest to the mean of their own class, their own vector left out of it.

    All that few examples can say of how far the tuning is; nothing is chosen by it.
    """
    vectors = _features(few, known)
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(min=1e-12)  # (N, D)
    classes = np.array(known.classes)
    belongs = np.eye(int(classes.max()) + 1, dtype=np.float32)[classes]  # (N, C)
    sums = belongs.T @ vectors  # (C, D)
    cosines = vectors @ (sums / np.linalg.norm(sums, axis=1, keepdims=True).clip(min=1e-12)).T  # (N, C)
    others = sums[classes] - vectors  # (N, D)
    own = (vectors * others).sum(1) / np.linalg.norm(others, axis=1).clip(min=1e-12)  # (N,)
    cosines[np.arange(len(classes)), classes] = own
    share = float((cosines.argmax(1) == classes).mean())
    return Evaluation(share, {"accuracy": share})


def _features(few: Few, known: Known) -> Floats:
    """What the encoder makes of the texts as it is now (N, D)."""
    start, dtype = few.prepared.start, few.prepared.dtype
    examples = [Example((text,)) for text in known.texts]
    return pooled_features(start.encoder, examples, start.tokenizer.pad_id, dtype)
