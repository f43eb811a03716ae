"""Intent and slots: what a person wants, and the places of what the wish is about, by one encoder in one pass.

In:  rows with `text`; `entities` (the slots), each with `start`, `end` and `label`; `label` (the intent) a string
Out: `{"label", "score", "scores", "entities": [{"text", "label", "start", "end", "score"}]}`
Knows nothing of files, of the training loop or of how a model is stored.

    text       wake me at seven tomorrow
    states     |    |  |  |     |
    slots      O    O  O  B-at  B-day     a tag for each word, as in tagging
    intent     `-- their mean ---'        set_alarm, as in classification

Both heads learn together: the loss of a row is the nats of its whole answer, those of the intent and of the tags (Chen
et al. 2019, equation 3).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from bertie.core.config import from_dict, to_dict
from bertie.core.errors import DataError
from bertie.data.batches import Batch, Example, stack
from bertie.data.entity_checks import accepted_entities, learnable_entities
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
from bertie.metrics.labels import single_label, told_unseen
from bertie.metrics.samples import F1Sample, JointSample
from bertie.metrics.spans import span_scores
from bertie.nn.encoder import Encoder
from bertie.nn.heads import ClassificationHead
from bertie.nn.tag_head import TagHead, tag_names
from bertie.tasks.base import UNIT_DEFAULTS, Answer, Mistake, Scores, Task, UnitSettings
from bertie.tasks.one_label import OneLabel
from bertie.text.tokenizer import Encoded, Tokenizer

# R rows, S sequences, T tokens, N units of the longest, D width, F features, I intents, C = 1 + 2 L tags


@dataclass(frozen=True, kw_only=True)
class IntentSlotsSettings(UnitSettings):
    """What a recipe may say about the task."""

    head: Literal["crf", "token"] = "crf"
    """Of the slots. `token`: a tag for each word; `crf`: tags that know their neighbours."""
    intent_weight: float = 1.0
    """How much the intent counts in the loss, beside all tags of a row together."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 < self.intent_weight < float("inf"):
            raise ValueError(f"intent_weight is {self.intent_weight}, expected more than 0")


@dataclass(frozen=True, kw_only=True)
class Utterance(TaggedText):
    """A row with the number of its intent; None where it has none, or one that training never saw."""

    intent: int | None


class IntentSlots(Task):
    """A head for the text and one for its units, on the same states."""

    name = "intent_slots"
    kind = "intent_slots"
    han_isolated = True
    defaults = UNIT_DEFAULTS
    columns = ("text",)

    def __init__(
        self, intents: OneLabel, slots: Sequence[str], *, length: float, settings: IntentSlotsSettings
    ) -> None:
        """`length`: mean units of a row of the training."""
        super().__init__()
        self.intents, self.slots, self.length, self.settings = intents, list(slots), length, settings
        self.slot_index = {slot: i for i, slot in enumerate(self.slots)}
        self.tags = tag_names(self.slots)

    @classmethod
    def from_rows(cls, rows: Rows, settings: dict[str, Any]) -> IntentSlots:
        """Intents and slots in sorted order, two and one at least; DataError names rows that tags cannot learn."""
        options = from_dict(IntentSlotsSettings, settings, "task")
        advice = "keep one of them; slots that lie inside each other are for tagging, --task tagging"
        texts = learnable_entities(rows, widen=options.misaligned == "widen", advice=advice)
        _check_intents(rows)
        intents = OneLabel.of(rows, "none", "add rows of another intent, or take --task tagging")
        slots = sorted({entity["label"] for text in texts for entity in text.entities})
        length = float(np.mean([len(text.offsets) for text in texts]))
        return cls(intents, slots, length=length, settings=options)

    def accept(self, rows: Rows) -> Rows:
        """Slots in order and each once; a note counts those that cut a word, which no answer can match."""
        _check_intents(rows)
        return accepted_entities(rows)

    def description(self) -> dict[str, Any]:
        return {
            "intents": self.intents.names,
            "slots": self.slots,
            "length": self.length,
            "settings": to_dict(self.settings),
        }

    @classmethod
    def from_description(cls, description: dict[str, Any]) -> IntentSlots:
        values = dict(description)
        options = from_dict(IntentSlotsSettings, values.pop("settings"), "task")
        return cls(OneLabel(values.pop("intents")), values.pop("slots"), settings=options, **values)

    @property
    def shape_features(self) -> int:
        """How many of the features of a unit tell shapes."""
        return shape_count(self.settings.shapes)

    def build_head(self, hidden_size: int) -> None:
        options = self.settings
        self.intent_head = ClassificationHead(
            hidden_size, len(self.intents.names), dropout=options.dropout, pooling="mean", normalise=True
        )
        features, learned = hidden_size + self.shape_features, options.head == "crf"
        self.slot_head = TagHead(features, len(self.slots), learned=learned, dropout=options.dropout)

    def start_from(self, intent: tuple[Tensor, Tensor], slots: tuple[Tensor, Tensor]) -> None:
        """Puts linear solutions into the heads (Kumar et al. 2022: probe, tune).

        Args:
            intent: (I, D), (I,) on normalised mean states.
            slots: (C, F), (C,) on `features` of single units.
        """
        with torch.no_grad():
            for layer, (weight, bias) in ((self.intent_head.output, intent), (self.slot_head.tokens.output, slots)):
                layer.weight.copy_(weight)
                layer.bias.copy_(bias)

    def encode(self, rows: Sequence[dict[str, Any]], tokenizer: Tokenizer, max_length: int) -> list[Example]:
        encoded = self.settings.sequences(tokenizer, [row["text"] for row in rows], None, max_length)
        return [self._example(row, sequences) for row, sequences in zip(rows, encoded, strict=True)]

    def collate(self, examples: Sequence[Example], pad_id: int) -> Batch:
        """Targets (R, 1 + N): the intent, and the tags of the units."""
        batch = stack(examples, pad_id)
        intents = [text.intent for text in tagged_texts(batch) if isinstance(text, Utterance)]
        if None in intents or any(example.target is None for example in examples):
            return batch
        return replace(batch, targets=torch.cat([torch.tensor(intents)[:, None], tag_targets(batch)], dim=1))

    def features(self, encoder: Encoder, batch: Batch, *, apart: bool = False) -> tuple[Tensor, Tensor]:
        """`tagged.unit_features` of the encoder's states."""
        states = encoder(batch.input_ids, batch.attention_mask, batch.token_type_ids)  # (S, T, D)
        return unit_features(states, batch, shapes=self.settings.shapes, apart=apart)

    def forward(self, encoder: Encoder, batch: Batch) -> Tensor:
        """Logits of the intent and, flat beside them, emissions of the units: (R, I + N C)."""
        states = encoder(batch.input_ids, batch.attention_mask, batch.token_type_ids)  # (S, T, D)
        intent: Tensor = batch.mean_of_rows(self.intent_head(states, batch.attention_mask))  # (R, I)
        units, _ = unit_features(states, batch, shapes=self.settings.shapes)  # (R, N, F)
        return torch.cat([intent, self.slot_head(units).flatten(1)], dim=1)

    def loss(self, output: Tensor, batch: Batch) -> Tensor:
        """The nats of a row divided by the units of a usual one: every unit of the training weighs the same."""
        assert batch.targets is not None, "a batch without targets has no loss"
        intent, emissions = self._parts(output)
        nats = F.cross_entropy(intent, batch.targets[:, 0], reduction="none") * self.settings.intent_weight  # (R,)
        return (nats + self.slot_head.nats(emissions, batch.targets[:, 1:])).mean() / self.length

    def answer(self, output: Tensor, batch: Batch) -> list[Answer]:
        """The score of a slot is explained in `TagHead.spans`."""
        intent, emissions = self._parts(output)
        found = self.read_tags(self.slot_head, emissions, batch)
        return [{**one, **slots} for one, slots in zip(self.intents.answers(intent), found, strict=True)]

    def read_tags(self, head: TagHead, emissions: Tensor, batch: Batch) -> list[Answer]:
        """The slots of answers, from the emissions (R, N, C) of any head with the tags of this task."""
        found = head.spans(emissions, unit_mask(batch, emissions.shape[1]))
        texts = tagged_texts(batch)
        return [{"entities": entities_of(spans, text, self.slots)} for spans, text in zip(found, texts, strict=True)]

    def kept(self, answer: Answer) -> Answer:
        return {"label": answer["label"], "entities": kept_entities(answer["entities"])}

    @property
    def metrics(self) -> tuple[str, ...]:
        return "frame_accuracy", "intent_accuracy", "slot_f1", "intent_macro_f1"

    def score(self, answers: Sequence[Answer], rows: Rows) -> Scores:
        """Frame accuracy, the rows of which intent and slots are all right (Goo et al. 2018), and both apart."""
        gold = [places(row["entities"]) for row in rows]
        found = [places(answer["entities"]) for answer in answers]
        slots = span_scores(gold, found, self.slots)
        intents = single_label(rows.column("label"), [answer["label"] for answer in answers], self.intents.names)
        right = intents.per_row["accuracy"]
        frames = [one * float(a == b) for one, a, b in zip(right, gold, found, strict=True)]
        by_slot, by_intent = F1Sample(slots.outcomes), F1Sample(intents.outcomes)
        unseen = Counter(intents.details["unseen"]) + Counter(slots.details["unseen"])
        metrics = {
            "frame_accuracy": float(np.mean(frames)),
            "intent_accuracy": intents.metrics["accuracy"],
            "slot_f1": slots.metrics["micro_f1"],
            "slot_precision": slots.metrics["precision"],
            "slot_recall": slots.metrics["recall"],
            "intent_macro_f1": intents.metrics["macro_f1"],
            "unseen_labels": float(unseen.total()),
        }
        return Scores(
            "frame_accuracy",
            metrics,
            {"frame_accuracy": frames, "intent_accuracy": right},
            JointSample({"slot_f1": (by_slot, "micro_f1"), "intent_macro_f1": (by_intent, "macro_f1")}),
            {**intents.details, "per_class": intents.details["per_class"] + slots.details["per_class"]}
            | told_unseen(unseen),
        )

    def tie_break(self, answers: Sequence[Answer], rows: Rows) -> float:
        """Mean over the intents and all slots that are right, wrong or missed of how sure the model was."""
        sure = list[float]()
        for answer, row in zip(answers, rows, strict=True):
            sure.append(answer["scores"].get(row["label"], 0.0))
            sure += rightness(scored(answer["entities"]), places(row["entities"]))
        return float(np.mean(sure))

    def mistake(self, row: Mapping[str, Any], answer: Answer) -> Mistake | None:
        """The intents where they differ, and what was missed beside what was wrongly found; as sure as the surest."""
        gold, found = places(row["entities"]), scored(answer["entities"])
        missed, extra = gold - set(found), set(found) - gold
        wrong = answer["label"] != row["label"]
        if not wrong and not missed and not extra:
            return None
        sure = [found[one] for one in extra] + ([float(answer["score"])] if wrong else [])
        sides = ((row["label"], missed), (answer["label"], extra))
        told = ["; ".join(filter(None, (label if wrong else "", listed(row["text"], some)))) for label, some in sides]
        return Mistake(row["text"], told[0], told[1], max(sure, default=0.0))

    def counts(self, rows: Rows) -> dict[str, int]:
        slots = Counter(entity["label"] for row in rows for entity in row["entities"])
        return dict(Counter(rows.column("label")).most_common()) | dict(slots.most_common())

    def _example(self, row: Mapping[str, Any], sequences: tuple[Encoded, ...]) -> Utterance:
        units, target = units_of(row["text"], sequences), None
        if row.get("entities") is not None:
            target = [span for span in spans_of_units(row["entities"], units, self.slot_index) if span]
        intent = self.intents.target(row)
        return Utterance(sequences=sequences, target=target, text=row["text"], units=units, intent=intent)

    def _parts(self, output: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (R, I) and emissions (R, N, C)."""
        count = len(self.intents.names)
        return output[:, :count], output[:, count:].view(len(output), -1, len(self.tags))


def _check_intents(rows: Rows) -> None:
    """DataError names the rows that have no single intent."""
    problems = [
        f"{rows.where(i)}: 'label' is {row.get('label')!r}, expected the name of one intent; correct the row"
        for i, row in enumerate(rows)
        if not isinstance(row.get("label"), str) or not row["label"].strip()
    ]
    if problems:
        raise DataError(problems)
