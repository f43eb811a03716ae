"""Tagging: the named entities of a text, also such as lie inside each other.

In:  rows with `text`; `entities`, each with `start`, `end` and `label`, in characters of the text
Out: `{"entities": [{"text", "label", "start", "end", "score"}]}`, in the order of the text
Knows nothing of files, of the training loop or of how a model is stored.

What is tagged are units (`data/units.py`): words, Han characters and marks, each by the state of its first piece. Three
heads read them:

    token  a tag for each unit (O, B-PER, I-PER, ...), for itself; the answer is the best row of tags that BIO allows
    crf    the same, and how well neighbouring tags go together is learned too (Lample et al. 2016)
    span   a score for each label, first and last unit (Su et al. 2022): entities may lie inside each other and cross
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from bertie.core.config import from_dict, to_dict
from bertie.core.errors import DataError, UsageError
from bertie.data.batches import Batch, Example, stack
from bertie.data.entity_checks import accepted_entities, checked_entities, count_misaligned, misaligned, sharing
from bertie.data.rows import Rows
from bertie.data.tagged import (
    TaggedText,
    entities_of,
    kept_entities,
    listed,
    places,
    rightness,
    scored,
    shape_count,
    spans_of_units,
    tag_targets,
    tagged_texts,
    unit_features,
    unit_mask,
)
from bertie.data.units import units_of
from bertie.metrics.samples import F1Sample
from bertie.metrics.spans import span_scores
from bertie.nn.encoder import Encoder
from bertie.nn.losses import multilabel_ranking_loss
from bertie.nn.spans import Span, SpanHead, decode_spans, span_targets
from bertie.nn.tag_head import TagHead, flat, tag_names
from bertie.tasks.base import UNIT_DEFAULTS, Answer, Mistake, Scores, Task, UnitSettings
from bertie.text.tokenizer import Encoded, Tokenizer

# R rows, S sequences, T tokens, N units of the longest, D width, F features, L labels, C = 1 + 2 L tags


@dataclass(frozen=True, kw_only=True)
class TaggingSettings(UnitSettings):
    """What a recipe may say about the task."""

    head: Literal["auto", "token", "crf", "span"] = "auto"
    """`token`: a tag for each word; `crf`: tags that know their neighbours; `span`: a score for every span, so that
    entities may lie inside each other. auto: span where entities of the training rows share a word, else crf."""


class Tagging(Task):
    """Tags of units, or scores of spans of them, to entities in characters."""

    name = "tagging"
    kind = "tagging"
    han_isolated = True
    defaults = UNIT_DEFAULTS
    columns = ("text",)

    def __init__(
        self, labels: Sequence[str], *, nested: bool, length: float, widened: int, settings: TaggingSettings
    ) -> None:
        """`nested`: entities of the training share units; `length`: mean units of its rows; `widened`: how many."""
        super().__init__()
        self.labels, self.settings = list(labels), settings
        self.nested, self.length, self.widened = nested, length, widened
        self.index = {label: i for i, label in enumerate(self.labels)}
        self.tags = tag_names(self.labels)

    @classmethod
    def from_rows(cls, rows: Rows, settings: dict[str, Any]) -> Tagging:
        """Labels in sorted order, at least one; DataError names the entities that the head could not learn."""
        options = from_dict(TaggingSettings, settings, "task")
        texts = checked_entities(rows)
        labels = sorted({entity["label"] for text in texts for entity in text.entities})
        if not labels:
            raise DataError(f"{rows.source}: found no entity in {len(rows)} rows; tagging needs some to learn from")
        if problems := misaligned(texts, widen=options.misaligned == "widen"):
            raise DataError(problems)
        shared = sharing(texts)
        if shared and options.head in ("token", "crf"):
            advice = f"expected one, as task.head={options.head} gives; take --set task.head=span"
            raise DataError([f"{problem}, {advice}" for problem in shared])
        length = float(np.mean([len(text.offsets) for text in texts]))
        return cls(labels, nested=bool(shared), length=length, widened=count_misaligned(texts), settings=options)

    def accept(self, rows: Rows) -> Rows:
        """Entities in order and each once; a note counts those that cut a word, which no answer can match."""
        return accepted_entities(rows)

    def description(self) -> dict[str, Any]:
        return {
            "labels": self.labels,
            "nested": self.nested,
            "length": self.length,
            "widened": self.widened,
            "settings": to_dict(self.settings),
        }

    @classmethod
    def from_description(cls, description: dict[str, Any]) -> Tagging:
        values = dict(description)
        options = from_dict(TaggingSettings, values.pop("settings"), "task")
        return cls(values.pop("labels"), settings=options, **values)

    @property
    def in_spans(self) -> bool:
        """Whether the head scores spans, and not tags."""
        return self.settings.head == "span" or (self.settings.head == "auto" and self.nested)

    @property
    def shape_features(self) -> int:
        """How many of the features tell shapes."""
        return shape_count(self.settings.shapes)

    def build_head(self, hidden_size: int) -> None:
        features, dropout = hidden_size + self.shape_features, self.settings.dropout
        self.head: TagHead | SpanHead
        if self.in_spans:
            self.head = SpanHead(features, len(self.labels), dropout=dropout)
        else:
            self.head = TagHead(features, len(self.labels), learned=self.settings.head != "token", dropout=dropout)

    def start_from(self, weight: Tensor, bias: Tensor) -> None:
        """Puts a linear solution (C, F), (C,) on the `features` of single units into the head (Kumar et al. 2022)."""
        if not isinstance(self.head, TagHead):
            raise UsageError("a linear start needs a head of tags, found one of spans; take task.head=crf")
        with torch.no_grad():
            self.head.tokens.output.weight.copy_(weight)
            self.head.tokens.output.bias.copy_(bias)

    def encode(self, rows: Sequence[dict[str, Any]], tokenizer: Tokenizer, max_length: int) -> list[Example]:
        encoded = self.settings.sequences(tokenizer, [row["text"] for row in rows], None, max_length)
        return [self._example(row, sequences) for row, sequences in zip(rows, encoded, strict=True)]

    def collate(self, examples: Sequence[Example], pad_id: int) -> Batch:
        batch = stack(examples, pad_id)
        if any(example.target is None for example in examples):
            return batch
        return replace(batch, targets=self._span_targets(batch) if self.in_spans else tag_targets(batch))

    def features(self, encoder: Encoder, batch: Batch, *, apart: bool = False) -> tuple[Tensor, Tensor]:
        """`tagged.unit_features` of the encoder's states."""
        states = encoder(batch.input_ids, batch.attention_mask, batch.token_type_ids)  # (S, T, D)
        return unit_features(states, batch, shapes=self.settings.shapes, apart=apart)

    def forward(self, encoder: Encoder, batch: Batch) -> Tensor:
        """Emissions (R, N, C); of a head of spans logits (S, L, N, N), the windows of a row beside each other."""
        features, mask = self.features(encoder, batch, apart=self.in_spans)
        output: Tensor = self.head(features, mask) if isinstance(self.head, SpanHead) else self.head(features)
        return output

    def loss(self, output: Tensor, batch: Batch) -> Tensor:
        """Of tags the nats of a row, divided by the units of a usual row: every unit of the training weighs the same.

        Of spans the ranking loss, in which each window and label weighs the same.
        """
        assert batch.targets is not None, "a batch without targets has no loss"
        if isinstance(self.head, SpanHead):
            return multilabel_ranking_loss(output.flatten(2), batch.targets.flatten(2))
        return self.head.nats(output, batch.targets).mean() / self.length

    def means(self, output: Tensor, batch: Batch) -> list[tuple[Tensor, int | Tensor]]:
        return [(self.loss(output, batch), len(output))]

    def answer(self, output: Tensor, batch: Batch) -> list[Answer]:
        """The score of a tagged entity is explained in `TagHead.spans`; that of a span is the sigmoid of its logit."""
        if isinstance(self.head, TagHead):
            return self.read_tags(self.head, output, batch)
        return [
            self._answer(found, text)
            for found, text in zip(_read_spans(output, batch), tagged_texts(batch), strict=True)
        ]

    def read_tags(self, head: TagHead, emissions: Tensor, batch: Batch) -> list[Answer]:
        """Answers from the emissions (R, N, C) of any head with the tags of this task."""
        found = head.spans(emissions, unit_mask(batch, emissions.shape[1]))
        return [self._answer(spans, text) for spans, text in zip(found, tagged_texts(batch), strict=True)]

    def kept(self, answer: Answer) -> Answer:
        return {"entities": kept_entities(answer["entities"])}

    @property
    def metrics(self) -> tuple[str, ...]:
        return "micro_f1", "macro_f1"

    def score(self, answers: Sequence[Answer], rows: Rows) -> Scores:
        gold, found = ((places(one["entities"]) for one in some) for some in (rows, answers))
        judged = span_scores(gold, found, self.labels)
        return Scores("micro_f1", judged.metrics, judged.per_row, F1Sample(judged.outcomes), judged.details)

    def tie_break(self, answers: Sequence[Answer], rows: Rows) -> float:
        """Mean over the entities that are right or were answered: the score of a right one, 1 - that of a wrong one; 0
        for one that was missed.
        """
        sure = [
            one
            for answer, row in zip(answers, rows, strict=True)
            for one in rightness(scored(answer["entities"]), places(row["entities"]))
        ]
        return float(np.mean(sure)) if sure else 1.0

    def mistake(self, row: Mapping[str, Any], answer: Answer) -> Mistake | None:
        """What was missed beside what was answered wrongly; as sure as the surest of these, 0 where all was missed."""
        text, gold, found = row["text"], places(row["entities"]), scored(answer["entities"])
        missed, extra = gold - set(found), set(found) - gold
        if not missed and not extra:
            return None
        return Mistake(text, listed(text, missed), listed(text, extra), max((found[one] for one in extra), default=0.0))

    def counts(self, rows: Rows) -> dict[str, int]:
        return dict(Counter(entity["label"] for row in rows for entity in row["entities"]).most_common())

    def _example(self, row: Mapping[str, Any], sequences: tuple[Encoded, ...]) -> TaggedText:
        """A label that training never saw, and an entity of which the model sees nothing, are no part of the target."""
        text, units = row["text"], units_of(row["text"], sequences)
        target = None
        if row.get("entities") is not None:
            target = [span for span in spans_of_units(row["entities"], units, self.index) if span]
        return TaggedText(sequences=sequences, target=target, text=text, units=units)

    def _span_targets(self, batch: Batch) -> Tensor:
        """(S, L, N, N) bool; a window learns the entities that are wholly inside."""
        inside = [
            [
                span._replace(start=span.start - window.first, end=span.end - window.first)
                for span in text.target
                if window.first <= span.start and span.end < window.end
            ]
            for text in tagged_texts(batch)
            for window in text.units.windows
        ]
        longest = max(len(window.tokens) for text in tagged_texts(batch) for window in text.units.windows)
        return span_targets(inside, len(self.labels), max(longest, 1))

    def _answer(self, spans: Iterable[Span], text: TaggedText) -> Answer:
        kept = list(spans) if self.nested else flat(sorted(spans, key=lambda span: -span.score))
        return {"entities": entities_of(kept, text, self.labels)}


def _read_spans(logits: Tensor, batch: Batch) -> list[list[Span]]:
    """The spans of each row, each from the window in which it stands furthest from an edge.

    At most as many in a window as it has tokens: a head that nobody has trained would find half of all spans.
    """
    windows = map(_likeliest, logits)  # one after the other: copies of all logits would be the largest tensors here
    rows = []
    for text in tagged_texts(batch):
        found = []
        for number, (window, spans) in enumerate(zip(text.units.windows, windows, strict=False)):
            moved = [span._replace(start=span.start + window.first, end=span.end + window.first) for span in spans]
            found += [span for span in moved if text.units.best_window(span.start, span.end) == number]
        rows.append(found)
    return rows


def _likeliest(logits: Tensor) -> list[Span]:
    """The spans of one window (L, N, N), of its N best logits."""
    least = logits.flatten().topk(logits.shape[-1]).values[-1]
    return decode_spans(logits.masked_fill(logits < least, torch.finfo(logits.dtype).min)[None])[0]
