"""Target sentiment: what a text says of one company, product or person in it, be it kind to others or not.

In:  rows with `text`; `target` a name in it, or its place {"start", "end"} in characters; `label` a string
Out: `{"label", "score", "scores"}`
Knows nothing of files, of the training loop or of how a model is stored.

    text        Bob lost a lot. Ann won again.     target Ann
    sequence    [CLS] bob lost a lot . $ ann $ won again . [SEP]
    weights     ..                   ...o####OOOOooo...            exp(-tokens to the target / reach)
                  `--- weighted mean of the states ---'            brought to mean 0 and deviation 1: D numbers
                             one linear layer                      a probability for each label

What is said of a target stands near it (local context focus, Zeng et al. 2019), and an encoder that nobody has tuned
shows it there already; the markers tell the layers below which target is meant (Baldini Soares et al. 2019).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import torch
from torch import Tensor

from bertie.core.config import from_dict, to_dict
from bertie.core.errors import DataError
from bertie.data.batches import Batch, Example, stack_numbers
from bertie.data.cells import CellError
from bertie.data.row_checks import read_each
from bertie.data.row_checks import target_sentiment as read_row
from bertie.data.rows import Rows
from bertie.data.targets import places_of
from bertie.nn.encoder import Encoder
from bertie.nn.relation_head import RelationHead, joined, near_mean
from bertie.tasks.base import Answer, Mistake, Scores
from bertie.tasks.one_label import CalibratedSettings, CalibratedTask, OneLabel
from bertie.text.entities import EntityText, encode_entities, find_markers
from bertie.text.tokenizer import Tokenizer

# S sequences, R rows, T tokens, D width, C labels
MOST = 8
"""Places of a name that are marked and read."""


@dataclass(frozen=True, kw_only=True)
class TargetSentimentSettings(CalibratedSettings):
    """What a recipe may say about the task."""

    long_texts: Literal["cut", "windows"] = "cut"
    """A text longer than the model: `cut` reads the part around the target, `windows` all of it in overlapping parts,
    of which those with the target count."""
    marking: Literal["markers", "none"] = "markers"
    """How the encoder is told which target is meant: `markers` around it, pieces that the vocabulary keeps free or,
    where it has none, punctuation; `none`, only the head knows."""
    reach: float = 8.0
    """Tokens from the target at which a token counts 1 / e of the target's own."""
    dropout: float = 0.1
    """Share of the features that is dropped in training."""
    label_smoothing: float = 0.0
    """Part of the target that is spread over all labels, 0 to below 1 (Szegedy et al. 2016, section 7)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("dropout", "label_smoothing"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected 0 to below 1")
        if not 0.0 < self.reach < 1e6:
            raise ValueError(f"reach is {self.reach}, expected a number of tokens above 0")


class TargetSentiment(CalibratedTask):
    """One linear layer over the states around the target; softmax over the labels."""

    name = "target_sentiment"
    kind = "target_sentiment"
    han_isolated = True
    columns = ("text", "target")
    settings: TargetSentimentSettings
    head: RelationHead

    def __init__(self, labels: OneLabel, *, settings: TargetSentimentSettings) -> None:
        super().__init__()
        self.labels, self.settings = labels, settings

    @classmethod
    def from_rows(cls, rows: Rows, settings: dict[str, Any]) -> TargetSentiment:
        """Labels in sorted order, at least two; DataError names rows whose target is not in the text."""
        options = from_dict(TargetSentimentSettings, settings, "task")
        read_each(rows, _asked)
        return cls(OneLabel.of(rows, options.class_weights, "add rows of another sentiment"), settings=options)

    def accept(self, rows: Rows) -> Rows:
        """The same rows; DataError as in `from_rows`."""
        read_each(rows, _asked)
        return rows

    def asked(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Text and target, a name or a place."""
        return _asked(row)

    def texts(self, row: Mapping[str, Any]) -> list[str]:
        return [row["text"]]

    def description(self) -> dict[str, Any]:
        return {"labels": self.labels.names, "weights": self.labels.weights, "settings": to_dict(self.settings)}

    @classmethod
    def from_description(cls, description: dict[str, Any]) -> TargetSentiment:
        options = from_dict(TargetSentimentSettings, description["settings"], "task")
        return cls(OneLabel(description["labels"], description["weights"]), settings=options)

    def build_head(self, hidden_size: int) -> None:
        self.head = RelationHead(hidden_size, len(self.labels.names), parts=1, dropout=self.settings.dropout)

    @property
    def label_names(self) -> list[str]:
        return self.labels.names

    def start_from(self, weight: Tensor, bias: Tensor, centre: Tensor, scale: Tensor) -> None:
        """Puts a linear solution over `features` into the head (Kumar et al. 2022: probe, tune), as it describes."""
        self.head.start_from(weight, bias, centre, scale)

    def encode(self, rows: Sequence[dict[str, Any]], tokenizer: Tokenizer, max_length: int) -> list[Example]:
        """One `EntityText` a row, whose entities are the places of the target; with `windows` as many as it takes."""
        options = self.settings
        encoded = encode_entities(
            tokenizer,
            [row["text"] for row in rows],
            [tuple(places_of(row["target"], row["text"])[:MOST]) for row in rows],
            max_length,
            markers=find_markers(tokenizer)[:1] if options.marking == "markers" else None,
            overlap=options.overlap if options.long_texts == "windows" else None,
        )
        return [Example(one, self.labels.target(row)) for one, row in zip(encoded, rows, strict=True)]

    def collate(self, examples: Sequence[Example], pad_id: int) -> Batch:
        return stack_numbers(examples, pad_id)

    def features(self, encoder: Encoder, batch: Batch) -> Tensor:
        """What the head reads (R, D), float32: the states around the target.

        Of several windows the mean. One without the target adds zero to it, and `joined` knows no scale.
        """
        states = encoder(batch.input_ids, batch.attention_mask, batch.token_type_ids)  # (S, T, D)
        with torch.autocast(states.device.type, enabled=False):
            around = near_mean(states.float(), _targets(batch), batch.attention_mask, self.settings.reach)  # (S, D)
            return joined(batch.mean_of_rows(around).unsqueeze(1))

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

    def score(self, answers: Sequence[Answer], rows: Rows) -> Scores:
        return self.labels.score(answers, rows)

    def tie_break(self, answers: Sequence[Answer], rows: Rows) -> float:
        """Mean probability of the right answers."""
        return self.labels.tie_break(answers, rows)

    def mistake(self, row: Mapping[str, Any], answer: Answer) -> Mistake | None:
        """Sure by the probability of the answer; below the text stands the target."""
        if answer["label"] == row["label"]:
            return None
        start, end = places_of(row["target"], row["text"])[0]
        text = f"{row['text']}\n→ {row['text'][start:end]}"
        return Mistake(text, row["label"], answer["label"], float(answer["score"]))

    def counts(self, rows: Rows) -> dict[str, int]:
        return dict(Counter(rows.column("label")).most_common())


def _asked(row: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return read_row(row, {name: name for name in TargetSentiment.columns}, for_prediction=True)
    except CellError as error:
        raise DataError(str(error)) from error


def _targets(batch: Batch) -> Tensor:
    """Which tokens are the target's, (S, T) bool."""
    sequences = [cast(EntityText, sequence) for example in batch.examples for sequence in example.sequences]
    mask = torch.zeros(batch.input_ids.shape, dtype=torch.bool)
    for s, sequence in enumerate(sequences):
        mask[s, [place for places in sequence.entities for place in places]] = True
    return mask.to(batch.input_ids.device)
