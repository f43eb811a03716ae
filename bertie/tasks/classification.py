"""Text classification: one label or several labels a text, of one text or of a pair of texts.

In:  rows with `text` or `text_a` and `text_b`; `label` a string, or a list of strings for several labels
Out: `{"label", "score", "scores"}`, or `{"labels", "scores"}`
Knows nothing of files, of the training loop or of how a model is stored.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from bertie.core.config import from_dict, to_dict
from bertie.core.errors import DataError, UsageError
from bertie.data.batches import Batch, Example, stack
from bertie.data.label_shift import label_shift
from bertie.data.rows import Rows
from bertie.metrics.labels import best_threshold, multi_label, single_label
from bertie.metrics.samples import F1Sample
from bertie.nn.encoder import Encoder
from bertie.nn.heads import ClassificationHead
from bertie.nn.losses import (
    balanced_positive_weights,
    balanced_weights,
    binary_cross_entropy,
    cross_entropy,
    focal_loss,
)
from bertie.tasks.base import Answer, Mistake, Scores
from bertie.tasks.one_label import ONE_LABEL_METRICS, CalibratedSettings, CalibratedTask, OneLabel
from bertie.text.tokenizer import Tokenizer

PAIR = ("text_a", "text_b")
SEVERAL_METRICS = ("micro_f1", "macro_f1", "weighted_f1", "samples_f1", "subset_accuracy")
CLOSE = 0.06
"""Probabilities nearer to each other, or to the threshold, may change places in bfloat16: on 2,000 texts of two sets it
moved none by more than 0.011, so a distance between two by at most 0.022, and labels only where it was below 0.02."""
THRESHOLD = 0.5
"""Probability from which one of several labels is given, where nobody has chosen another."""
FEWEST_TO_CHOOSE = 100
"""Dev rows from which on it is chosen by them: with fewer the best of so many candidates is luck."""


@dataclass(frozen=True, kw_only=True)
class ClassificationSettings(CalibratedSettings):
    """What a recipe may say about the task."""

    pooling: Literal["mean", "first", "attention", "pooler"] = "mean"
    """How token states become one vector: mean, first token, learned weights, or first token through a dense layer."""
    normalise: bool = True
    """Bring the pooled vector to mean 0 and deviation 1 before the last layer."""
    dropout: float = 0.1
    """Share of the pooled vector that is dropped in training."""
    loss: Literal["cross_entropy", "focal"] = "cross_entropy"
    """Loss for one label a row; several labels always use binary cross-entropy."""
    shares: Literal["dev", "train"] = "dev"
    """How often each label is expected: as in the dev rows, where they clearly differ from the training rows, or always
    as in those. Cross-entropy of one label without class weights only."""
    label_smoothing: float = 0.0
    """Part of the target that is spread over all classes, 0 to below 1 (Szegedy et al. 2016, section 7); cross-entropy
    of one label only."""
    focal_gamma: float = 2.0
    """Focusing exponent of the focal loss (Lin et al. 2017, equation 4)."""
    threshold: float = 0.0
    """Probability from which one of several labels is given. 0: that of the best `training.metric`, otherwise micro F1,
    on the dev rows; 0.5 where they are fewer than 100 or `calibration` is none."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("dropout", "label_smoothing"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected 0 to below 1")
        if not 0.0 <= self.threshold < 1.0:
            raise ValueError(f"threshold is {self.threshold}, expected a probability between 0 and 1, or 0")
        if not 0.0 <= self.focal_gamma < math.inf:
            raise ValueError(f"focal_gamma is {self.focal_gamma}, expected 0 or more")
        if self.loss == "focal" and self.label_smoothing:
            raise ValueError("label_smoothing is no part of the focal loss, expected one of the two; leave one out")

    @property
    def starts_linear(self) -> bool:
        """Whether the head reads what a linear solution is fitted on: normalised means of the states."""
        return self.pooling == "mean" and self.normalise


class Classification(CalibratedTask):
    """Pooled states through one linear layer; softmax for one label, sigmoids for several."""

    name = "classification"
    settings: ClassificationSettings
    head: ClassificationHead

    def __init__(
        self,
        labels: Sequence[str],
        *,
        pair: bool,
        several: bool,
        settings: ClassificationSettings,
        weights: Sequence[float] = (),
    ) -> None:
        """`weights` holds one loss weight a label (empty: all one); of several labels, that of its yes."""
        super().__init__()
        self.labels, self.pair, self.several, self.settings = list(labels), pair, several, settings
        self.columns = PAIR if pair else ("text",)
        self.index = {label: i for i, label in enumerate(self.labels)}
        self.class_weights = torch.tensor(list(weights)) if weights else None  # (C,)
        self.shift: Tensor | None = None  # (C,)

    @classmethod
    def from_rows(cls, rows: Rows, settings: dict[str, Any]) -> Classification:
        """Labels in sorted order; at least two are needed."""
        options = from_dict(ClassificationSettings, settings, "task")
        pair, several = "text_a" in rows[0], isinstance(rows[0]["label"], list)
        counts = Counter(label for row in rows for label in (row["label"] if several else [row["label"]]))
        if len(counts) < 2:
            names = ", ".join(repr(label) for label in counts) or "none"
            raise DataError(f"{rows.source}: found {len(counts)} label ({names}); classification needs at least two")
        labels = sorted(counts)
        weights: list[float] = []
        if options.class_weights == "balanced":
            found = torch.tensor([counts[label] for label in labels])  # (C,)
            weights = (balanced_positive_weights(found, len(rows)) if several else balanced_weights(found)).tolist()
        return cls(labels, pair=pair, several=several, settings=options, weights=weights)

    def accept(self, rows: Rows) -> Rows:
        """A file of its own tells one label from several only by what stands in it; the task knows."""
        if not self.several:
            return OneLabel.accept(rows)
        gold = [label if isinstance(label, list) else [label] for label in rows.column("label")]
        return rows.with_column("label", gold)

    def expect(self, rows: Rows, judged: Rows) -> list[str]:
        """Learns to answer for the shares of labels in `judged`: the loss is that of logits with log(training's share
        / expected share) added (Menon et al. 2021, equation 10), so what is answered needs no correction later.
        """
        options = self.settings
        if self.several or options.shares == "train" or options.class_weights != "none" or options.loss == "focal":
            return []
        shift = label_shift(dict(Counter(rows.column("label"))), dict(Counter(judged.column("label"))))
        if not shift:
            return []
        self.shift = torch.tensor([shift[label] for label in self.labels])
        most = max(shift, key=lambda label: abs(shift[label]))
        before, after = (part.column("label").count(most) / len(part) for part in (rows, judged))
        return [
            f"labels are given in other shares in dev ({most!r} {after:.1%}) than in train ({before:.1%}): the model "
            "learns to expect those of dev; --set task.shares=train keeps those of train"
        ]

    def description(self) -> dict[str, Any]:
        weights = [] if self.class_weights is None else self.class_weights.tolist()
        return {
            "labels": self.labels,
            "pair": self.pair,
            "several": self.several,
            "weights": weights,
            "settings": to_dict(self.settings),
        }

    @classmethod
    def from_description(cls, description: dict[str, Any]) -> Classification:
        values = dict(description)
        options = from_dict(ClassificationSettings, values.pop("settings"), "task")
        return cls(values.pop("labels"), settings=options, **values)

    def build_head(self, hidden_size: int) -> None:
        options = self.settings
        self.head = ClassificationHead(
            hidden_size, len(self.labels), dropout=options.dropout, pooling=options.pooling, normalise=options.normalise
        )
        if self.shift is not None:
            with torch.no_grad():
                self.head.output.bias.add_(self.shift)

    @property
    def label_names(self) -> list[str]:
        return [] if self.several else self.labels

    def start_from(self, weight: Tensor, bias: Tensor) -> None:
        """Puts a linear solution (C, D), (C,) on normalised means into the head (Kumar et al. 2022: probe, tune).

        UsageError where the head reads something else.
        """
        if not self.settings.starts_linear:
            raise UsageError(
                f"a linear start needs pooling 'mean' and normalise true, found {self.settings.pooling!r} and "
                f"{str(self.settings.normalise).lower()}; leave both out"
            )
        with torch.no_grad():
            self.head.output.weight.copy_(weight)
            self.head.output.bias.copy_(bias if self.shift is None else bias + self.shift.to(bias))

    def encode(self, rows: Sequence[dict[str, Any]], tokenizer: Tokenizer, max_length: int) -> list[Example]:
        first, second = self.columns if self.pair else ("text", None)
        pairs = [row[second] for row in rows] if second else None
        encoded = self.settings.sequences(tokenizer, [row[first] for row in rows], pairs, max_length)
        return [Example(one, self._target(row.get("label"))) for one, row in zip(encoded, rows, strict=True)]

    def collate(self, examples: Sequence[Example], pad_id: int) -> Batch:
        batch = stack(examples, pad_id)
        if any(example.target is None for example in examples):
            return batch
        if not self.several:
            return replace(batch, targets=torch.tensor([example.target for example in examples]))  # (R,)
        targets = torch.zeros(len(examples), len(self.labels))  # (R, C)
        for r, example in enumerate(examples):
            targets[r, example.target] = 1.0
        return replace(batch, targets=targets)

    def forward(self, encoder: Encoder, batch: Batch) -> Tensor:
        """Logits (R, C); of several windows their mean."""
        states = encoder(batch.input_ids, batch.attention_mask, batch.token_type_ids)  # (S, T, D)
        logits: Tensor = self.head(states, batch.attention_mask)  # (S, C)
        return batch.mean_of_rows(logits)

    def loss(self, output: Tensor, batch: Batch) -> Tensor:
        assert batch.targets is not None, "a batch without targets has no loss"
        options = self.settings
        weights = None if self.class_weights is None else self.class_weights.to(output.device)
        if self.several:
            return binary_cross_entropy(output, batch.targets, positive_weights=weights)
        if options.loss == "focal":
            return focal_loss(output, batch.targets, gamma=options.focal_gamma, class_weights=weights)
        learned = output if self.shift is None else output - self.shift.to(output)  # (R, C), as in the training rows
        return cross_entropy(learned, batch.targets, class_weights=weights, label_smoothing=options.label_smoothing)

    def means(self, output: Tensor, batch: Batch) -> list[tuple[Tensor, int | Tensor]]:
        """Of one label, rows count by the weights of their labels."""
        if self.several or self.class_weights is None:
            return super().means(output, batch)
        assert batch.targets is not None, "a batch without targets has no loss"
        return [(self.loss(output, batch), self.class_weights.to(output.device)[batch.targets].sum())]

    def answer(self, output: Tensor, batch: Batch) -> list[Answer]:
        rows = (output.sigmoid() if self.several else output.softmax(-1)).float().tolist()  # (R, C)
        return [self.answer_from(scores) for scores in rows]

    def answer_from(self, scores: Sequence[float]) -> Answer:
        """One probability a label to the answer a person reads."""
        named = dict(zip(self.labels, scores, strict=True))
        if self.several:
            return {"labels": _given(named, self.threshold), "scores": named}
        best = max(named, key=lambda label: named[label])
        return {"label": best, "score": named[best], "scores": named}

    @property
    def threshold(self) -> float:
        """Probability from which one of several labels is given."""
        return self.settings.threshold or THRESHOLD

    @property
    def calibrates(self) -> bool:
        if not self.several:
            return super().calibrates
        options = self.settings
        return options.calibration == "dev" and options.class_weights == "none" and not options.threshold

    def recalibrated(self, answers: Sequence[Answer], rows: Rows) -> list[Answer]:
        if not self.several:
            return super().recalibrated(answers, rows)
        threshold = self._chosen_threshold(answers, rows)
        if threshold is None:
            return list(answers)
        return [{**answer, "labels": _given(answer["scores"], threshold)} for answer in answers]

    def calibrate(self, answers: Sequence[Answer], rows: Rows) -> list[str]:
        if not self.several:
            return super().calibrate(answers, rows)
        threshold = self._chosen_threshold(answers, rows)
        if threshold is None:
            return []
        self.settings = replace(self.settings, threshold=threshold)
        return [
            f"a label is given from a probability of {threshold:g} on, which has the best "
            f"{self.metric or SEVERAL_METRICS[0]} on {len(rows)} dev rows; --set task.threshold={THRESHOLD:g} gives it "
            "from there on"
        ]

    def _chosen_threshold(self, answers: Sequence[Answer], rows: Rows) -> float | None:
        """The best one on these rows; None where it is not to be chosen by them."""
        if not self.calibrates or len(rows) < FEWEST_TO_CHOOSE:
            return None
        gold = [set(labels) for labels in rows.column("label")]
        # A label that training never saw is missed at any threshold, and counts.
        names = [*self.labels, *sorted(set[str]().union(*gold).difference(self.labels))]
        scores = np.array([[answer["scores"].get(name, 0.0) for name in names] for answer in answers])  # (R, C)
        truth = np.array([[name in labels for name in names] for labels in gold])  # (R, C)
        return best_threshold(scores, truth, self.metric or SEVERAL_METRICS[0])

    def unsure(self, answer: Answer) -> bool:
        scores = sorted(answer["scores"].values(), reverse=True)
        if self.several:
            slope = 4 * self.threshold * (1 - self.threshold)  # of the sigmoid, beside 0.5: logits are what is rounded
            return any(abs(score - self.threshold) < CLOSE * slope for score in scores)
        return bool(scores[0] - scores[1] < CLOSE)

    def kept(self, answer: Answer) -> Answer:
        name = "labels" if self.several else "label"
        return {name: answer[name]}

    @property
    def metrics(self) -> tuple[str, ...]:
        return SEVERAL_METRICS if self.several else ONE_LABEL_METRICS

    def score(self, answers: Sequence[Answer], rows: Rows) -> Scores:
        gold = rows.column("label")
        if self.several:
            judged = multi_label(gold, [answer["labels"] for answer in answers], self.labels)
            return Scores("micro_f1", judged.metrics, judged.per_row, F1Sample(judged.outcomes), judged.details)
        judged = single_label(gold, [answer["label"] for answer in answers], self.labels)
        return Scores("accuracy", judged.metrics, judged.per_row, F1Sample(judged.outcomes), judged.details)

    def tie_break(self, answers: Sequence[Answer], rows: Rows) -> float:
        """Mean probability of the right answers."""
        judged = zip(answers, rows, strict=True)
        return float(np.mean([_rightness(answer["scores"], row["label"]) for answer, row in judged]))

    def mistake(self, row: Mapping[str, Any], answer: Answer) -> Mistake | None:
        """One label: sure by the probability of the answer; several: by how far the worst label's is off."""
        text = "\n".join(self.texts(row))
        if not self.several:
            right = answer["label"] == row["label"]
            return None if right else Mistake(text, row["label"], answer["label"], float(answer["score"]))
        true, given, scores = set(row["label"]), set(answer["labels"]), answer["scores"]
        wrong = [1 - scores.get(label, 0.0) if label in true else scores[label] for label in true ^ given]
        return Mistake(text, ", ".join(sorted(true)), ", ".join(sorted(given)), max(wrong)) if wrong else None

    def counts(self, rows: Rows) -> dict[str, int]:
        labels = rows.column("label")
        names = (name for label in labels for name in (label if isinstance(label, list) else [label]))
        return dict(Counter(names).most_common())

    def _target(self, label: Any) -> Any:
        """Class index, or indices of several; None where there is no label, or one that training never saw."""
        if label is None:
            return None
        if self.several:
            return [self.index[one] for one in label if one in self.index]
        return self.index.get(label)


def _given(scores: Mapping[str, float], threshold: float) -> list[str]:
    """Labels with at least this probability, the likeliest first."""
    return sorted((name for name, score in scores.items() if score >= threshold), key=lambda name: -scores[name])


def _rightness(scores: Mapping[str, float], gold: str | Sequence[str]) -> float:
    if isinstance(gold, str):
        return scores.get(gold, 0.0)
    return float(np.mean([score if label in gold else 1.0 - score for label, score in scores.items()]))
