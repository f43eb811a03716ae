"""Relation extraction: what the first of two marked entities is to the second.

In:  rows with `text`, `head` and `tail`, each with `start` and `end` in characters of the text; `label` a string
Out: `{"label", "score", "scores"}`
Knows nothing of files, of the training loop or of how a model is stored.

    text        Bob knows Ann.                     head [0, 3), tail [10, 13)
    sequence    [CLS] $ bob $ knows # ann # . [SEP]
    states        |       |              |
                first    head           tail       each brought to mean 0 and deviation 1, joined: 3 D numbers
                  `--- one linear layer ---'       a probability for each label

The markers tell the encoder which two entities are meant (Baldini Soares et al. 2019); the three states are those of
R-BERT (Wu & He 2019).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import torch
from torch import Tensor

from bertie.core.config import from_dict, to_dict
from bertie.core.errors import DataError, ModelError, UsageError
from bertie.data.batches import Batch, Example, stack_numbers
from bertie.data.cells import CellError
from bertie.data.row_checks import read_each
from bertie.data.row_checks import relation as read_row
from bertie.data.rows import Rows
from bertie.metrics.relations import OFFICIAL, DirectedSample, are_directed, directed_scores
from bertie.metrics.samples import F1Sample
from bertie.nn.encoder import Encoder
from bertie.nn.relation_head import RelationHead, entity_states, joined
from bertie.tasks.base import Answer, Defaults, Mistake, Scores
from bertie.tasks.one_label import ONE_LABEL_METRICS, CalibratedSettings, CalibratedTask, OneLabel
from bertie.text.entities import EntityText, Place, encode_entities, find_markers
from bertie.text.tokenizer import Tokenizer

# S sequences, R rows, T tokens, D width, C labels
SIDES = ("head", "tail")


@dataclass(frozen=True, kw_only=True)
class RelationSettings(CalibratedSettings):
    """What a recipe may say about the task."""

    long_texts: Literal["cut", "windows"] = "cut"
    """A text longer than the model: `cut` reads the part in which both entities stand, with them in the middle, or the
    parts around each where they are too far apart; `windows` reads all of it in overlapping parts, whose states are
    merged."""
    marking: Literal["markers", "punctuation", "types", "none"] = "markers"
    """How the encoder is told which entities are meant: `markers` around them, pieces that the vocabulary keeps free
    or, where it has none, punctuation; `punctuation` in any case; `types`, token type 1 for both; `none`, only the head
    knows."""
    dense: bool = False
    """A hidden layer in front of the last one. The head then starts at random, not from the frozen encoder's
    solution."""
    dropout: float = 0.1
    """Share of the features that is dropped in training."""
    label_smoothing: float = 0.0
    """Part of the target that is spread over all labels, 0 to below 1 (Szegedy et al. 2016, section 7)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("dropout", "label_smoothing"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected 0 to below 1")


class Relation(CalibratedTask):
    """One linear layer over the first token's state and those of the two entities; softmax over the labels."""

    name = "relation"
    kind = "relation"
    han_isolated = True
    columns = ("text", *SIDES)
    defaults = Defaults(rate_factor=5 / 3, layer_decay=1.0, fewest_epochs=7, minutes=25.0)
    settings: RelationSettings
    head: RelationHead

    def __init__(self, labels: OneLabel, *, settings: RelationSettings) -> None:
        super().__init__()
        self.labels, self.settings = labels, settings

    @classmethod
    def from_rows(cls, rows: Rows, settings: dict[str, Any]) -> Relation:
        """Labels in sorted order, at least two; DataError names rows whose entities are not in the text, or are one."""
        options = from_dict(RelationSettings, settings, "task")
        read_each(rows, _asked)
        advice = "add rows of another relation, or of pairs without any"
        return cls(OneLabel.of(rows, options.class_weights, advice), settings=options)

    def accept(self, rows: Rows) -> Rows:
        """The same rows; DataError as in `from_rows`."""
        read_each(rows, _asked)
        return rows

    def asked(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Text, head and tail; instead of these two the text may mark them as `<e1>..</e1>` and `<e2>..</e2>`."""
        return _asked(row)

    def texts(self, row: Mapping[str, Any]) -> list[str]:
        return [row["text"]]

    def description(self) -> dict[str, Any]:
        return {"labels": self.labels.names, "weights": self.labels.weights, "settings": to_dict(self.settings)}

    @classmethod
    def from_description(cls, description: dict[str, Any]) -> Relation:
        options = from_dict(RelationSettings, description["settings"], "task")
        return cls(OneLabel(description["labels"], description["weights"]), settings=options)

    def build_head(self, hidden_size: int) -> None:
        options = self.settings
        self.head = RelationHead(hidden_size, len(self.labels.names), dense=options.dense, dropout=options.dropout)

    @property
    def label_names(self) -> list[str]:
        return self.labels.names

    def start_from(self, weight: Tensor, bias: Tensor, centre: Tensor, scale: Tensor) -> None:
        """Puts a linear solution over `features` into the head (Kumar et al. 2022: probe, tune), as it describes."""
        if self.settings.dense:
            raise UsageError("a linear start needs a head of one layer, found dense = true; set task.dense=false")
        self.head.start_from(weight, bias, centre, scale)

    def encode(self, rows: Sequence[dict[str, Any]], tokenizer: Tokenizer, max_length: int) -> list[Example]:
        """One `EntityText` a row, or with `windows` as many as it takes."""
        options = self.settings
        marked = options.marking in ("markers", "punctuation")
        encoded = encode_entities(
            tokenizer,
            [row["text"] for row in rows],
            [(_place(row["head"]), _place(row["tail"])) for row in rows],
            max_length,
            markers=find_markers(tokenizer, unused=options.marking == "markers") if marked else None,
            overlap=options.overlap if options.long_texts == "windows" else None,
        )
        if options.marking == "types":
            encoded = [tuple(one.with_types() for one in sequences) for sequences in encoded]
        return [Example(one, self.labels.target(row)) for one, row in zip(encoded, rows, strict=True)]

    def collate(self, examples: Sequence[Example], pad_id: int) -> Batch:
        return stack_numbers(examples, pad_id)

    def features(self, encoder: Encoder, batch: Batch) -> Tensor:
        """What the head reads (R, 3 D), float32: the states of the first token, of the head and of the tail.

        Of several windows the means. A window without the entity adds zero to them, and `joined` knows no scale, so
        that they are means over the windows with it.
        """
        if self.settings.marking == "types" and encoder.config.type_vocab_size < 2:
            raise ModelError(
                f"marking is 'types', but the model has {encoder.config.type_vocab_size} token types, expected two; "
                "set task.marking=markers, or choose another model"
            )
        states = encoder(batch.input_ids, batch.attention_mask, batch.token_type_ids)  # (S, T, D)
        with torch.autocast(states.device.type, enabled=False):
            parts = entity_states(states.float(), _entities(batch))  # (S, 3, D)
            return joined(batch.mean_of_rows(parts))

    def forward(self, encoder: Encoder, batch: Batch) -> Tensor:
        """Logits (R, C)."""
        logits: Tensor = self.head(self.features(encoder, batch))
        return logits

    def loss(self, output: Tensor, batch: Batch) -> Tensor:
        return self.labels.loss(output, batch.targets, self.settings.label_smoothing)

    def means(self, output: Tensor, batch: Batch) -> list[tuple[Tensor, int | Tensor]]:
        return self.labels.means(self.loss(output, batch), batch.targets)

    def answer(self, output: Tensor, batch: Batch) -> list[Answer]:
        return self.labels.answers(output)

    def kept(self, answer: Answer) -> Answer:
        return {"label": answer["label"]}

    @property
    def metrics(self) -> tuple[str, ...]:
        return ("accuracy", OFFICIAL, *ONE_LABEL_METRICS[1:]) if are_directed(self.labels.names) else ONE_LABEL_METRICS

    def score(self, answers: Sequence[Answer], rows: Rows) -> Scores:
        """Accuracy; where labels name directions, the official score of SemEval-2010 task 8 besides."""
        scores, names = self.labels.score(answers, rows), self.labels.names
        if not are_directed(names):
            return scores
        assert isinstance(scores.sample, F1Sample)
        directed = directed_scores(rows.column("label"), [answer["label"] for answer in answers], names)
        return replace(
            scores,
            metrics={"accuracy": scores.value, OFFICIAL: directed.value, **scores.metrics},
            sample=DirectedSample(scores.sample, directed.outcomes),
            details={**scores.details, "per_relation": directed.per_relation},
        )

    def tie_break(self, answers: Sequence[Answer], rows: Rows) -> float:
        """Mean probability of the right answers."""
        return self.labels.tie_break(answers, rows)

    def mistake(self, row: Mapping[str, Any], answer: Answer) -> Mistake | None:
        """Sure by the probability of the answer; below the text stand the two entities."""
        if answer["label"] == row["label"]:
            return None
        head, tail = (row["text"][slice(*_place(row[side]))] for side in SIDES)
        return Mistake(f"{row['text']}\n{head} → {tail}", row["label"], answer["label"], float(answer["score"]))

    def counts(self, rows: Rows) -> dict[str, int]:
        return dict(Counter(rows.column("label")).most_common())


def _asked(row: Mapping[str, Any]) -> dict[str, Any]:
    """Text, head and tail of a row, with places that can be; DataError, without the row's own place."""
    sides = SIDES if any(side in row for side in SIDES) else ()
    try:
        found = read_row(row, {name: name for name in ("text", *sides)}, for_prediction=True)
    except CellError as error:
        raise DataError(str(error)) from error
    if found["head"] == found["tail"]:
        place = "[{start}, {end})".format(**found["head"])
        raise DataError(f"'head' and 'tail' are both {place}, expected two entities; correct one or delete the row")
    return found


def _place(value: Mapping[str, int]) -> Place:
    return value["start"], value["end"]


def _entities(batch: Batch) -> Tensor:
    """Which tokens are those of head and tail, (S, 2, T) bool."""
    sequences = [cast(EntityText, sequence) for example in batch.examples for sequence in example.sequences]
    mask = torch.zeros(len(sequences), 2, batch.input_ids.shape[1], dtype=torch.bool)
    for s, sequence in enumerate(sequences):
        for side, places in enumerate(sequence.entities):
            mask[s, side, list(places)] = True
    return mask.to(batch.input_ids.device)
