"""Extraction: the entities of a text and the relations between them, end to end, by one encoder in one pass.

In:  rows with `text`; `entities`, each with `start`, `end` and `label`; `relations`, each with the indices `head` and
     `tail` of two entities, and `label`
Out: `{"entities": [{"text", "label", "start", "end", "score"}], "relations": [{"head", "tail", "label", "score"}]}`
Knows nothing of files, of the training loop or of how a model is stored.

    text         Bob sold the old house to Ann .
    states       |   |    |   |   |     |  |   |
    entities     PER      O   O   THING    PER           a tag for each word, as in tagging
    pair         head ---------stretch---- tail          its five vectors: `nn.relation_head.pair_states`
    relation     sold to, or none                        one linear layer, softmax

In training the pairs are those of the true entities, related or not; in use those of the entities that were found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from bertie.core.config import from_dict, to_dict
from bertie.core.errors import DataError
from bertie.data.batches import Batch, Example, stack
from bertie.data.cells import CellError
from bertie.data.entity_checks import accepted_entities, learnable_entities
from bertie.data.pairs import Possible
from bertie.data.row_checks import extraction as read_row
from bertie.data.row_checks import read_each
from bertie.data.rows import Row, Rows
from bertie.data.tagged import (
    Place,
    TaggedText,
    entities_of,
    kept_entities,
    listed,
    place_of,
    places,
    rightness,
    shape_count,
    spans_of_units,
    tag_targets,
    tagged_texts,
    unit_features,
    unit_mask,
)
from bertie.data.units import run_of, units_of
from bertie.metrics.labels import told_unseen
from bertie.metrics.samples import F1Sample, JointSample
from bertie.metrics.spans import span_scores
from bertie.nn.encoder import Encoder
from bertie.nn.heads import normalised
from bertie.nn.relation_head import PAIR_PARTS, RelationHead, joined, pair_states
from bertie.nn.tag_head import TagHead, tag_names
from bertie.tasks.base import UNIT_DEFAULTS, Answer, Mistake, Scores, Task, UnitSettings
from bertie.text.tokenizer import Encoded, Tokenizer

# R rows, S sequences, T tokens, N units of the longest, P pairs, D width, F features, C = 1 + 2 L tags, K relations + 1
NONE = 0
"""The number of "no relation"."""
PAIRS_AT_ONCE = 4096
"""Pairs that are held and scored together in use; bounds the memory."""
Link = tuple[Place, Place, str]
"""A relation as strict match compares it: head, tail, label."""


@dataclass(frozen=True, kw_only=True)
class ExtractionSettings(UnitSettings):
    """What a recipe may say about the task."""

    head: Literal["crf", "token"] = "crf"
    """Of the entities. `token`: a tag for each word; `crf`: tags that know their neighbours."""
    unrelated: int = 20
    """Most pairs without a relation that are learned from in each row."""
    relation_weight: float = 1.0
    """How much each pair counts in the loss, beside each tag."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.unrelated < 0:
            raise ValueError(f"unrelated is {self.unrelated}, expected 0 or more")
        if not 0.0 < self.relation_weight < float("inf"):
            raise ValueError(f"relation_weight is {self.relation_weight}, expected more than 0")


class Pair(NamedTuple):
    """Two stretches of units, first and last, and the number of their relation."""

    head: tuple[int, int]
    tail: tuple[int, int]
    label: int = NONE


@dataclass(frozen=True, kw_only=True)
class RelatedText(TaggedText):
    """A row with the pairs to learn from."""

    pairs: tuple[Pair, ...]


class Extraction(Task):
    """A head for units and one for pairs of what it found, on the same states."""

    name = "extraction"
    kind = "extraction"
    han_isolated = True
    defaults = UNIT_DEFAULTS
    columns = ("text",)

    def __init__(
        self, labels: Mapping[str, Sequence[str]], *, possible: Possible, length: float, settings: ExtractionSettings
    ) -> None:
        """`labels` of `entities` and of `relations`; `length`: mean units of a row of the training."""
        super().__init__()
        self.entities, self.relations = list(labels["entities"]), list(labels["relations"])
        self.possible, self.length, self.settings = possible, length, settings
        self.entity_index = {label: i for i, label in enumerate(self.entities)}
        self.relation_index = {label: i for i, label in enumerate(["", *self.relations])}
        self.tags = tag_names(self.entities)

    @classmethod
    def from_rows(cls, rows: Rows, settings: dict[str, Any]) -> Extraction:
        """Labels in sorted order, one of each at least; DataError names rows that the heads cannot learn."""
        options = from_dict(ExtractionSettings, settings, "task")
        read = _checked(rows)
        advice = "keep one of them: this task finds no entities that lie inside each other"
        texts = learnable_entities(read, widen=options.misaligned == "widen", advice=advice)
        relations = sorted({link["label"] for row in read for link in row["relations"]})
        if not relations:
            raise DataError(
                f"{rows.source}: found no relation in {len(rows)} rows, expected some to learn from; entities alone "
                "are for --task tagging"
            )
        labels = {"entities": sorted({one["label"] for text in texts for one in text.entities}), "relations": relations}
        length = float(np.mean([len(text.offsets) for text in texts]))
        return cls(labels, possible=Possible.of(read), length=length, settings=options)

    def accept(self, rows: Rows) -> Rows:
        """Entities in order and each once; a note counts those that cut a word, which no answer can match."""
        return accepted_entities(_checked(rows))

    def description(self) -> dict[str, Any]:
        return {
            "labels": {"entities": self.entities, "relations": self.relations},
            "types": [list(pair) for pair in sorted(self.possible.types)],
            "reach": self.possible.reach,
            "length": self.length,
            "settings": to_dict(self.settings),
        }

    @classmethod
    def from_description(cls, description: dict[str, Any]) -> Extraction:
        values = dict(description)
        options = from_dict(ExtractionSettings, values.pop("settings"), "task")
        possible = Possible(frozenset((head, tail) for head, tail in values.pop("types")), values.pop("reach"))
        return cls(values.pop("labels"), possible=possible, settings=options, **values)

    @property
    def shape_features(self) -> int:
        """How many of the features of a unit tell shapes."""
        return shape_count(self.settings.shapes)

    def build_head(self, hidden_size: int) -> None:
        options, self.width = self.settings, hidden_size
        features, learned = hidden_size + self.shape_features, options.head == "crf"
        self.tag_head = TagHead(features, len(self.entities), learned=learned, dropout=options.dropout)
        self.relation_head = RelationHead(
            hidden_size, 1 + len(self.relations), parts=PAIR_PARTS, dropout=options.dropout
        )

    def start_from(self, tags: tuple[Tensor, Tensor], relations: tuple[Tensor, Tensor, Tensor, Tensor]) -> None:
        """Puts linear solutions into the heads (Kumar et al. 2022: probe, tune).

        Args:
            tags: (C, F), (C,) on `features` of single units.
            relations: weight, bias, centre and scale on `pair_features`, as `RelationHead.start_from` takes them.
        """
        with torch.no_grad():
            self.tag_head.tokens.output.weight.copy_(tags[0])
            self.tag_head.tokens.output.bias.copy_(tags[1])
        self.relation_head.start_from(*relations)

    def encode(self, rows: Sequence[dict[str, Any]], tokenizer: Tokenizer, max_length: int) -> list[Example]:
        encoded = self.settings.sequences(tokenizer, [row["text"] for row in rows], None, max_length)
        return [self._example(row, sequences) for row, sequences in zip(rows, encoded, strict=True)]

    def collate(self, examples: Sequence[Example], pad_id: int) -> Batch:
        batch = stack(examples, pad_id)
        if any(example.target is None for example in examples):
            return batch
        return replace(batch, targets=tag_targets(batch))

    def forward(self, encoder: Encoder, batch: Batch) -> Tensor:
        """What both heads read: the first token, then the units (R, 1 + N, F). The first token has no shapes."""
        states = encoder(batch.input_ids, batch.attention_mask, batch.token_type_ids)  # (S, T, D)
        units, _ = unit_features(states, batch, shapes=self.settings.shapes)  # (R, N, F)
        first = normalised(batch.mean_of_rows(states[:, 0].float()))  # (R, D)
        return torch.cat([F.pad(first, (0, self.shape_features)).unsqueeze(1), units], dim=1)

    def features(self, encoder: Encoder, batch: Batch, *, apart: bool = False) -> tuple[Tensor, Tensor]:
        """What the head of tags reads of each unit (R, N, F), and which are units (R, N) bool."""
        units = self.forward(encoder, batch)[:, 1:]
        return units, unit_mask(batch, units.shape[1])

    def pair_features(self, output: Tensor, pairs: Sequence[tuple[int, Pair]]) -> Tensor:
        """What the head of relations reads of pairs, each with its row: (P, 5 D)."""
        row = torch.tensor([r for r, _ in pairs], dtype=torch.long, device=output.device)  # (P,)
        at = [(*pair.head, *pair.tail) for _, pair in pairs]
        places = torch.tensor(at, dtype=torch.long, device=output.device).view(-1, 4)  # (P, 4)
        states = output[..., : output.shape[-1] - self.shape_features]  # (R, 1 + N, D)
        return joined(pair_states(states[:, 0], states[:, 1:], row, places))

    def loss(self, output: Tensor, batch: Batch) -> Tensor:
        """The nats of tags and pairs of a row, divided by the units of a usual one: each weighs the same everywhere."""
        assert batch.targets is not None, "a batch without targets has no loss"
        nats = self.tag_head.nats(self.tag_head(output[:, 1:]), batch.targets).sum()
        pairs = learned_pairs(batch)
        logits = self.relation_head(self.pair_features(output, pairs))  # (P, K)
        labels = torch.tensor([pair.label for _, pair in pairs], dtype=torch.long, device=output.device)  # (P,)
        nats = nats + self.settings.relation_weight * F.cross_entropy(logits, labels, reduction="sum")
        return nats / len(output) / self.length

    def answer(self, output: Tensor, batch: Batch) -> list[Answer]:
        """The score of an entity is explained in `TagHead.spans`; that of a relation is its probability for the pair.

        A pair has one relation: the most probable, where that is not none.
        """
        answers = self.read_tags(self.tag_head, self.tag_head(output[:, 1:]), batch)
        for answer in answers:
            answer["relations"] = []
        asked = self._asked(answers, batch)
        while some := list(islice(asked, PAIRS_AT_ONCE)):
            logits = self.relation_head(self.pair_features(output, [(r, pair) for r, pair, _ in some]))
            best = logits.softmax(-1).max(-1)
            for (r, _, (head, tail)), score, label in zip(
                some, best.values.tolist(), best.indices.tolist(), strict=True
            ):
                if label != NONE:
                    found = {"head": head, "tail": tail, "label": self.relations[label - 1], "score": score}
                    answers[r]["relations"].append(found)
        for answer in answers:
            answer["relations"].sort(key=lambda one: (one["head"], one["tail"]))
        return answers

    def read_tags(self, head: TagHead, emissions: Tensor, batch: Batch) -> list[Answer]:
        """The entities of answers, from the emissions (R, N, C) of any head with the tags of this task."""
        found = head.spans(emissions, unit_mask(batch, emissions.shape[1]))
        texts = tagged_texts(batch)
        return [{"entities": entities_of(spans, text, self.entities)} for spans, text in zip(found, texts, strict=True)]

    def kept(self, answer: Answer) -> Answer:
        links = [{name: one[name] for name in ("head", "tail", "label")} for one in answer["relations"]]
        return {"entities": kept_entities(answer["entities"]), "relations": links}

    @property
    def metrics(self) -> tuple[str, ...]:
        return "relation_f1", "relation_macro_f1", "entity_f1"

    def score(self, answers: Sequence[Answer], rows: Rows) -> Scores:
        """F1 of relations by strict match: places and labels of both entities, direction and label are all right."""
        entities = span_scores(
            [places(row["entities"]) for row in rows], [places(one["entities"]) for one in answers], self.entities
        )
        relations = span_scores([_links(row) for row in rows], [_links(answer) for answer in answers], self.relations)
        unseen = Counter(entities.details["unseen"]) + Counter(relations.details["unseen"])
        metrics = {
            "relation_f1": relations.metrics["micro_f1"],
            "relation_precision": relations.metrics["precision"],
            "relation_recall": relations.metrics["recall"],
            "relation_macro_f1": relations.metrics["macro_f1"],
            "entity_f1": entities.metrics["micro_f1"],
            "entity_precision": entities.metrics["precision"],
            "entity_recall": entities.metrics["recall"],
            "unseen_labels": float(unseen.total()),
        }
        by_relation, by_entity = F1Sample(relations.outcomes), F1Sample(entities.outcomes)
        parts = {"relation_f1": (by_relation, "micro_f1"), "relation_macro_f1": (by_relation, "macro_f1")}
        table = relations.details["per_class"] + entities.details["per_class"]
        details = {"per_class": table, **told_unseen(unseen)}
        return Scores("relation_f1", metrics, {}, JointSample({**parts, "entity_f1": (by_entity, "micro_f1")}), details)

    def tie_break(self, answers: Sequence[Answer], rows: Rows) -> float:
        """Mean over the entities and relations that are right, wrong or missed of how sure the model was."""
        sure = list[float]()
        for answer, row in zip(answers, rows, strict=True):
            sure += rightness(_scored(answer), _all(row))
        return float(np.mean(sure)) if sure else 1.0

    def mistake(self, row: Mapping[str, Any], answer: Answer) -> Mistake | None:
        """What was missed beside what was wrongly found, entities and relations; as sure as the surest of these."""
        text, gold, found = row["text"], _all(row), _scored(answer)
        missed, extra = gold - set(found), set(found) - gold
        if not missed and not extra:
            return None
        return Mistake(text, _told(text, missed), _told(text, extra), max((found[one] for one in extra), default=0.0))

    def counts(self, rows: Rows) -> dict[str, int]:
        relations = Counter(link["label"] for row in rows for link in row["relations"])
        entities = Counter(one["label"] for row in rows for one in row["entities"])
        return dict(relations.most_common()) | dict(entities.most_common())

    def _example(self, row: Mapping[str, Any], sequences: tuple[Encoded, ...]) -> RelatedText:
        """A label that training never saw, and an entity of which the model sees nothing, are no part of the target."""
        units, target, pairs = units_of(row["text"], sequences), None, list[Pair]()
        if row.get("entities") is not None and row.get("relations") is not None:
            spans = spans_of_units(row["entities"], units, self.entity_index)
            target = [span for span in spans if span]
            for head, tail, label in self.possible.labelled(row, self.settings.unrelated):
                one, other = spans[head], spans[tail]
                if one and other and label in self.relation_index:
                    pairs.append(Pair((one.start, one.end), (other.start, other.end), self.relation_index[label]))
        return RelatedText(sequences=sequences, target=target, text=row["text"], units=units, pairs=tuple(pairs))

    def _asked(self, answers: Sequence[Answer], batch: Batch) -> Iterator[tuple[int, Pair, tuple[int, int]]]:
        """Row, pair and the indices of its entities, for all pairs of the answers that may be related."""
        for r, (answer, text) in enumerate(zip(answers, tagged_texts(batch), strict=True)):
            found = answer["entities"]
            runs = [run_of(text.units.offsets, one["start"], one["end"]) for one in found]
            for i, j in self.possible.pairs(found):
                head, tail = runs[i], runs[j]
                assert head is not None and tail is not None, "an entity of an answer is made of units"
                yield r, Pair(head, tail), (i, j)


def learned_pairs(batch: Batch) -> list[tuple[int, Pair]]:
    """The pairs of a batch to learn from, each with its row."""
    texts = (example for example in batch.examples if isinstance(example, RelatedText))
    return [(r, pair) for r, text in enumerate(texts) for pair in text.pairs]


def _checked(rows: Rows) -> Rows:
    """The same rows in canonical order; DataError names those with what is no entity, or no relation of two."""
    read = read_each(rows, _read)
    return rows.with_column("entities", [row["entities"] for row in read]).with_column(
        "relations", [row["relations"] for row in read]
    )


def _read(row: Mapping[str, Any]) -> Row:
    found = read_row(row, {name: name for name in ("text", "entities", "relations")})
    same = next((link for link in found["relations"] if link["head"] == link["tail"]), None)
    if same is not None:
        what = f"the relation {same['label']!r} has entity {same['head']} as its head and its tail"
        raise CellError(f"{what}, expected two entities; correct one or delete it")
    return found


def _links(row: Mapping[str, Any]) -> set[Link]:
    found = row["entities"]
    return {(place_of(found[one["head"]]), place_of(found[one["tail"]]), one["label"]) for one in row["relations"]}


def _all(row: Mapping[str, Any]) -> set[Place | Link]:
    return {*places(row["entities"]), *_links(row)}


def _scored(answer: Answer) -> dict[Place | Link, float]:
    entities = answer["entities"]
    found: dict[Place | Link, float] = {place_of(one): one["score"] for one in entities}
    for one in answer["relations"]:
        found[place_of(entities[one["head"]]), place_of(entities[one["tail"]]), one["label"]] = one["score"]
    return found


def _told(text: str, found: set[Place | Link]) -> str:
    """Entities, then relations, in words."""
    entities = [one for one in found if isinstance(one[0], int)]
    links = sorted(one for one in found if isinstance(one[0], tuple))
    said = [f"{text[slice(*head[:2])]} → {text[slice(*tail[:2])]} ({label})" for head, tail, label in links]
    return ", ".join(filter(None, [listed(text, entities), *said]))
